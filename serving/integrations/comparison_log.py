"""A comparison of two models or configurations as a run of its own in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from serving.schemas.json_text import to_json

if TYPE_CHECKING:
    from serving.project.changed_settings import ChangedSetting
    from training.comparison import PairedComparison
    from training.configuration_comparison import ConfigurationComparison
    from training.registry.mlflow_tracking import Tracking


def log_comparison(
    registry: Tracking,
    names: tuple[str, str],
    differences: PairedComparison,
    whole: PairedComparison | ConfigurationComparison,
    changed: Sequence[ChangedSetting] = (),
) -> str:
    """Log the differences in MLflow as a run of their own, `comparison.json` with everything; its run id."""
    with registry.run(f"{names[1]} against {names[0]}", source="kizuna compare") as run:
        run.tag(
            {
                "compared": ", ".join(names),
                "basis": differences.basis,
                "verdict": differences.verdict,
            }
        )
        run.log_metrics(
            {
                f"difference/{one.metric}{end}": value
                for one in differences.all_rows.differences
                for end, value in (("", one.difference), ("_low", one.low), ("_high", one.high))
                if value is not None
            }
        )
        run.log_parameters(
            {
                f"{side}.{one.name}": value
                for one in changed
                for side, value in (("first", one.first), ("second", one.second))
                if value is not None
            }
        )
        run.log_texts({"comparison.json": to_json(asdict(whole))})
    return run.id
