"""Registered models: their name and alias in the registry, what is said about them, and one version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.errors import ModelError

MODEL = "churn"
CHAMPION = "champion"

REQUIREMENTS = ("kizuna", "lightgbm", "numba", "numpy", "pandas", "pyarrow", "pydantic")
"""What a bundle needs where MLflow serves it."""

ABOUT_MODEL = (
    "Who will leave, which engagement tier comes next, and what a customer would spend. The alias "
    "`champion` names the version that scores; `kizuna models` moves it, and the promotion log says why."
)
ABOUT_RUNS = (
    "Each run is one `kizuna train`. Figures have the same names in every run, so that runs compare side by "
    "side; `_low` and `_high` are the ends of 95% intervals that resample customers. `baseline/…` are rivals "
    "on the same test rows, `difference/…` is the model minus the rival, `gate/…` is what promotion looked "
    "at. Runs nested below one are the trials of its `--tune`."
)


@dataclass(frozen=True)
class RegisteredModel:
    """A version in the registry."""

    version: str
    run_id: str
    registered_at: int
    """Microseconds UTC."""
    champion: bool
    tags: Mapping[str, str]
    """The run's."""
    figures: Mapping[str, float]
    """The run's metrics."""


def no_answer(error: Exception) -> ModelError:
    """The error where MLflow does not answer."""
    return ModelError(
        f"cannot ask MLflow for the champion: {str(error).splitlines()[0]}. Check that tracking_uri in "
        "kizuna.toml is right and answers, then try again."
    )
