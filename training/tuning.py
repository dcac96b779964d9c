"""A search for better tree settings on time splits of the dates that fit; the one module that uses Optuna.

Each trial fits on earlier dates and is judged on later ones, several times; no label window of the first
reaches into the second. Where the history is too short for that, folds of customers take their place. The
test dates are never looked at. The best of many trials is partly luck: it takes the place of the settings
given only where it beats them by more than the standard error of the difference over the splits (the rule of
Breiman, Friedman, Olshen and Stone, *Classification and Regression Trees*, 3.4.3). Trials are stored in
SQLite, so a search that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from features.timeline import DAY
from training.data.customer_hashes import shuffled_by_customer
from training.data.rows.labelled_rows import LabelledRows
from training.evaluation.metrics import METRICS, HeldOutOutcomes, WeightedMetrics
from training.fitting.lightgbm import BinnedRows, TreeParameters, fit_churn
from training.labels.settings import Churn

if TYPE_CHECKING:
    import optuna

Flags = NDArray[np.bool_]
Progress = Callable[[str, float], None]

SPLITS = 3
STARTUP = 8
"""Trials at random before the search leans on what it found, and before any is pruned."""
SPACE = {
    "trees": (60, 600),
    "rate": (0.01, 0.15),
    "leaves": (4, 24),
    "depth": (3, 6),
    "feature_share": (0.1, 0.8),
    "row_share": (0.5, 1.0),
    "ridge": (0.3, 100.0),
}
"""Depth is bounded, because the cost of explaining grows with its square."""


@dataclass(frozen=True)
class TuningTrial:
    """One tried setting. Instants in microseconds UTC."""

    number: int
    state: str
    """`finished`, `pruned` or `failed`."""
    settings: TreeParameters
    losses: tuple[float, ...]
    """The mean log loss after each split; shorter where the trial was pruned."""
    started: int
    ended: int

    def clearly_beats(self, other: TuningTrial) -> bool:
        """Whether its loss is less by more than the standard error of the difference over the splits.

        One split alone says nothing of that.
        """
        apart = other.of_each_split - self.of_each_split
        return len(apart) > 1 and bool(apart.mean() > apart.std(ddof=1) / math.sqrt(len(apart)))

    @property
    def of_each_split(self) -> NDArray[np.float64]:
        """The log loss on each split by itself."""
        return np.diff(np.array(self.losses) * np.arange(1, len(self.losses) + 1), prepend=0.0)


@dataclass
class Tuning:
    """A search of `count` trials, stored in this file; the trials are in `trials` afterwards.

    Raises `UsageError` when Optuna is not installed.
    """

    count: int
    storage: Path
    trials: list[TuningTrial] = field(default_factory=list)
    split_by: str = ""
    """`time`, or `customers` where the history is too short."""

    def __post_init__(self) -> None:
        if find_spec("optuna") is None:
            raise UsageError(
                "cannot tune: Optuna is not installed. Install it with `pip install 'kizuna[tune]'`, "
                "or train without --tune.",
                field="tune",
            )

    def __call__(
        self, settings: TreeParameters, rows: LabelledRows, churn: Churn, progress: Progress
    ) -> TreeParameters:
        """The settings given, or clearly better ones, on the rows that fit."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.split_by, parts = splits(rows, churn)
        self.storage.parent.mkdir(parents=True, exist_ok=True)
        name = study_name(settings, rows, churn)
        storage = optuna.storages.RDBStorage(f"sqlite:///{self.storage}")
        try:
            study = optuna.create_study(
                storage=storage, study_name=name, load_if_exists=True, direction="minimize"
            )
            for left in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
                study.tell(left.number, state=optuna.trial.TrialState.FAIL)  # it was stopped
            done = len(_ended(study))
            study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=settings.seed + done)
            study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP)
            if done == 0:
                study.enqueue_trial(_given(settings), skip_if_exists=True)

            def report_trial(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
                ended = len(_ended(study))
                best = study.best_value if _finished(study) else math.nan
                progress(f"trial {ended} of {self.count}, best log loss {best:.4f}", ended / self.count)

            study.optimize(
                lambda trial: _tried(trial, settings, parts),
                n_trials=max(0, self.count - done),
                callbacks=[report_trial],
            )
            self.trials[:] = [_trial(one, settings) for one in study.get_trials(deepcopy=False)]
        finally:
            storage.remove_session()
            storage.engine.dispose()
        return self.chosen or settings

    @property
    def chosen(self) -> TreeParameters | None:
        """The settings of the best trial, None where those given are as good."""
        finished = [trial for trial in self.trials if trial.state == "finished"]
        best = min(finished, key=lambda trial: trial.losses[-1], default=None)
        given = next((trial for trial in finished if trial.number == 0), None)
        return best.settings if best and (given is None or best.clearly_beats(given)) else None

    @property
    def facts(self) -> dict[str, Any]:
        """What was searched, as parameters of the run."""
        finished = [trial for trial in self.trials if trial.state == "finished"]
        first = next((trial.losses[-1] for trial in finished if trial.number == 0), math.nan)
        return {
            "trials": len(self.trials),
            "pruned": sum(trial.state == "pruned" for trial in self.trials),
            "split_by": self.split_by,
            "splits": SPLITS,
            "log_loss_defaults": round(first, 6),
            "log_loss_best": round(min((t.losses[-1] for t in finished), default=math.nan), 6),
            "taken": "given" if self.chosen is None else "best",
        }


def splits(rows: LabelledRows, churn: Churn) -> tuple[str, list[tuple[LabelledRows, LabelledRows]]]:
    """What each trial fits on and is judged on, the latest dates first.

    A block of later dates is as long as a horizon, or a fifth of the dates where that is less.
    """
    parts = list(_by_time(rows, churn))
    if parts:
        return "time", parts
    fold = shuffled_by_customer(rows.hashes) % np.uint64(SPLITS)
    return "customers", [(rows.where(fold != one), rows.where(fold == one)) for one in range(SPLITS)]


def _by_time(rows: LabelledRows, churn: Churn) -> Iterator[tuple[LabelledRows, LabelledRows]]:
    dates = np.unique(rows.as_of)
    block = min(churn.horizon.days * DAY, max(1, (dates[-1] - dates[0]) // 5)) if len(dates) else 1
    end = int(dates[-1]) + 1 if len(dates) else 0
    for _ in range(SPLITS):
        later = rows.where((rows.as_of >= end - block) & (rows.as_of < end))
        earlier = rows.where(churn.horizon.end(rows.as_of) <= end - block)
        if not (_both(later.churned) and _both(earlier.churned)):
            return
        yield earlier, later
        end -= block


def study_name(settings: TreeParameters, rows: LabelledRows, churn: Churn) -> str:
    """The same for the same rows, question and search; another for anything else."""
    facts = {
        "space": SPACE,
        "settings": settings.to_json(),
        "churn": churn.to_json(),
        "columns": rows.columns,
        "dates": np.unique(rows.as_of).tolist(),
        "rows": hashlib.sha256(np.ascontiguousarray(np.nan_to_num(rows.matrix)).tobytes()).hexdigest(),
        "left": int(rows.churned.sum()),
        **({} if rows.weight is None else {"weight": round(float(rows.weight.sum()), 6)}),
    }
    return "churn-" + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _tried(
    trial: optuna.Trial, settings: TreeParameters, parts: Sequence[tuple[LabelledRows, LabelledRows]]
) -> float:
    """The mean log loss over the splits; stopped early where the median of the others is better."""
    import optuna

    tried = _settings(_suggested(trial), settings)
    losses: list[float] = []
    for step, (earlier, later) in enumerate(parts):
        binned = BinnedRows.of(tried, earlier)
        model = fit_churn(tried, binned, earlier.churned, earlier.as_of, earlier.weight)
        predictions = model.predict(later.matrix, num_threads=tried.threads)
        losses.append(_log_loss(predictions, later))
        mean = float(np.mean(losses))
        trial.report(mean, step)
        if step + 1 < len(parts) and trial.should_prune():
            raise optuna.TrialPruned
    return float(np.mean(losses))


def _log_loss(predictions: NDArray[np.float64], rows: LabelledRows) -> float:
    customers = np.unique(rows.keys, return_inverse=True)[1].astype(np.int64)
    measure = WeightedMetrics(
        predictions, HeldOutOutcomes(rows.churned, customers, rows.as_of, len(rows), rows.weight)
    )
    return float(measure(rows.weight_or_ones)[METRICS.index("log_loss")])


def _suggested(trial: optuna.Trial) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (low, high) in SPACE.items():
        if isinstance(low, int) and isinstance(high, int):
            found[name] = trial.suggest_int(name, low, high, log=name == "trees")
        else:
            found[name] = trial.suggest_float(name, low, high, log=name in {"rate", "ridge"})
    return found


def _settings(found: dict[str, Any], settings: TreeParameters) -> TreeParameters:
    return replace(settings, **found | {"leaves": min(found["leaves"], 2 ** found["depth"])})


def _given(settings: TreeParameters) -> dict[str, Any]:
    """The settings given, as far as the search reaches."""
    held = asdict(settings)
    return {name: min(max(held[name], low), high) for name, (low, high) in SPACE.items()}


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return [one for one in study.get_trials(deepcopy=False) if one.state.name in {"COMPLETE", "PRUNED"}]


def _finished(study: optuna.Study) -> bool:
    return any(one.state.name == "COMPLETE" for one in study.get_trials(deepcopy=False))


def _trial(one: optuna.trial.FrozenTrial, settings: TreeParameters) -> TuningTrial:
    states = {"COMPLETE": "finished", "PRUNED": "pruned"}
    whole = set(SPACE) <= set(one.params)
    return TuningTrial(
        number=one.number,
        state=states.get(one.state.name, "failed"),
        settings=_settings(one.params, settings) if whole else settings,
        losses=tuple(one.intermediate_values[step] for step in sorted(one.intermediate_values)),
        started=_microseconds(one.datetime_start),
        ended=_microseconds(one.datetime_complete),
    )


def _microseconds(moment: Any) -> int:
    return 0 if moment is None else int(moment.timestamp() * 1_000_000)


def _both(churned: Flags) -> bool:
    return bool(churned.any() and not churned.all())
