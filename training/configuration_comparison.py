"""Comparison of two configurations: both trained on the same roles, paired by customer and date."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import UsageError
from features.event_store import EventStore
from training.comparison import Flags, PairedComparison, compared
from training.data.rows.labelled_rows import LabelledRows
from training.evaluation.secondary_metrics import segments
from training.labels.settings import Churn
from training.train import Progress, learn, silent
from training.training_config import TrainingConfig

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.evaluate import Evaluation, Level

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Configuration:
    """The settings that a file has, and the events that they are to be tried on."""

    name: str
    store: EventStore
    config: TrainingConfig

    @property
    def churn(self) -> Churn:
        """What churn is by these settings."""
        return Churn.of(self.config.churn, self.config.indicators, self.config.timeline.timezone)


@dataclass(frozen=True)
class AddedFeature:
    """A feature that only the second has, and how much it moves the second's risk of its test rows."""

    name: str
    mean_abs_contribution: float
    """In log-odds."""
    rank: int
    """1 for the feature that moves it most."""
    of: int
    constant: bool
    """Whether it says the same of every test row, as one does whose stream selects no event."""


@dataclass(frozen=True)
class ConfigurationComparison:
    """What two configurations make of the same past: the paired differences, and which features differ."""

    differences: PairedComparison
    evidence: Level
    """`low` where the test of either is."""
    only_first: tuple[str, ...]
    """Features that the second does not have."""
    only_second: tuple[AddedFeature, ...]


def compare_configurations(
    first: Configuration,
    second: Configuration,
    *,
    until: int | None = None,
    now: int | None = None,
    progress: Progress | None = None,
) -> ConfigurationComparison:
    """Train both on what was known before `until`, and compare them on the test rows that both have.

    Each is fitted, calibrated and tested as `train` does it; nothing is registered. The rows are paired by
    customer and date, also where the two have stores of their own. Raises `UsageError` where the two answer
    different questions, or were tested on different dates.
    """
    if first.churn != second.churn or first.config.churn.contacts != second.config.churn.contacts:
        raise UsageError(
            f"cannot compare {first.name} with {second.name}: they decide churn by different rules, or one "
            "learns the risk without contact, so they answer different questions. Give both the same "
            "[churn], time zone, and kinds of the indicators that [churn] names."
        )
    report = progress or silent

    def of(turn: int, name: str, step: str, share: float) -> None:
        report(f"training {name}: {step}", 0.48 * (turn + share))

    (one_bundle, one_tested), (other_bundle, other_tested) = (
        learn(one.store, one.config, until=until, now=now, progress=partial(of, turn, one.name))
        for turn, one in enumerate((first, second))
    )
    report("comparing", 0.96)
    _require_same_roles(first, second, one_bundle, other_bundle)
    mine, theirs = _common(first, second, one_tested.rows, other_tested.rows)
    rows = one_tested.rows.bare.where(mine)
    if not len(rows) or (rows.churned != other_tested.rows.churned[theirs]).any():
        raise UsageError(
            f"cannot compare {first.name} with {second.name}: their events tell of different customers, or "
            "differently of who left. Ingest the same records of what decides churn into both."
        )
    parts = dict(_segments(one_bundle, one_tested, mine)) | dict(
        _segments(other_bundle, other_tested, theirs)
    )
    found = compared(
        "refitted",
        rows,
        one_tested.probability[mine],
        other_tested.probability[theirs],
        parts.items(),
        first.config.timeline,
    )
    columns = one_bundle.catalog.columns, other_bundle.catalog.columns
    evidence: Level = "low" if "low" in (one_tested.level, other_tested.level) else "normal"
    report("compared", 1.0)
    return ConfigurationComparison(
        found,
        evidence,
        tuple(name for name in columns[0] if name not in columns[1]),
        _added(other_bundle, other_tested, columns[0]),
    )


def _require_same_roles(first: Configuration, second: Configuration, one: Bundle, other: Bundle) -> None:
    """Refuse two trainings whose dates differ: they would be judged by these, not by their settings."""
    dates = [bundle.settings["calendar"] for bundle in (one, other)]
    if dates[0] == dates[1]:
        return
    test = [f"{of['test'][0][:10]} to {of['test'][-1][:10]}" for of in dates]
    raise UsageError(
        f"cannot compare {first.name} with {second.name}: they were trained and tested on different dates "
        f"({test[0]} and {test[1]}), because what decides churn is known until different days. Give both a "
        "date from which on nothing exists, with `--until DATE`."
    )


def _common(
    first: Configuration, second: Configuration, mine: LabelledRows, theirs: LabelledRows
) -> tuple[Places, Places]:
    """int64[n] each: the places of the rows that both have, by customer id and date.

    More features thin the rows of a large history more, by the same hash: the fewer are among the more.
    """
    one, other = (
        pa.table(
            {
                "customer": configuration.store.customers.names(rows.keys).cast(pa.string()),
                "as_of": rows.as_of,
                side: np.arange(len(rows)),
            }
        )
        for configuration, rows, side in ((first, mine, "first"), (second, theirs, "second"))
    )
    both = one.join(other, ["customer", "as_of"], join_type="inner").sort_by("first")
    return both.column("first").to_numpy(), both.column("second").to_numpy()


def _segments(bundle: Bundle, tested: Evaluation, chosen: Places) -> dict[str, Flags]:
    """The segments by profile attributes of one of the two, on the rows that both have."""
    return dict(segments(tested.rows.where(chosen), bundle.priors.code_book))


def _added(bundle: Bundle, tested: Evaluation, known: tuple[str, ...]) -> tuple[AddedFeature, ...]:
    """The features that are not among those known, those that move the risk most first."""
    columns = bundle.catalog.columns
    if set(columns) <= set(known):
        return ()
    moved = np.abs(bundle.contributions(tested.sample)[:, :-1]).mean(axis=0)
    order = np.argsort(-moved, kind="stable").tolist()
    return tuple(
        AddedFeature(columns[at], float(moved[at]), rank, len(columns), _is_constant(tested.rows.column(at)))
        for rank, at in enumerate(order, start=1)
        if columns[at] not in known
    )


def _is_constant(values: NDArray[np.float64]) -> bool:
    known = values[~np.isnan(values)]
    return not len(known) or (len(known) == len(values) and bool((known == known[0]).all()))
