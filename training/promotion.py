"""Gates between a trained model and the champion's place, and the log of every decision.

A candidate must beat the trivial baselines and the champion on the same dates, be no worse calibrated
than it, read features that are there, not hang on one feature that is too good to be true, and be
explained exactly. Without a champion the first candidate that beats the base rate takes the place; what
else is wrong goes with it as warnings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY, Timeline
from training.contributions import TOLERANCE

if TYPE_CHECKING:
    from training.bundle import Bundle
    from training.champion import Champion
    from training.evidence import Evidence

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PROMOTIONS = "promotions.jsonl"
"""The promotion log, in the state folder."""

TRIVIAL = ("base_rate", "recency", "overdue")
"""The baselines that a model must beat; the others are shown with their intervals."""

TOO_GOOD = 0.95
"""An AUC that a single feature reaches by itself only when it knows the future."""

AHEAD = 0.1
"""The share of a horizon by which the company's own doing may outlast what customers did."""

LEAK_ROWS = 20_000
"""Rows on which single features are tried."""


@dataclass(frozen=True)
class Decision:
    """Whether the candidate becomes the champion, and why not; every sentence names its gate."""

    promoted: bool
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    figures: Mapping[str, float]
    """What the gates looked at."""


def decide(bundle: Bundle, evidence: Evidence, champion: Champion | None) -> Decision:
    """Put the candidate through every gate."""
    leak, suspect = strongest_alone(evidence.rows.matrix, evidence.rows.churned)
    gap = bundle.explainer.gap(evidence.sample, bundle.contributions(evidence.sample))
    figures = {
        name: evidence.figures[name]
        for name in ("auc", "log_loss", "expected_calibration_error", "base_rate", "drift")
        if name in evidence.figures
    }
    fast = bundle.explainer.fast_gap(evidence.sample)
    figures |= {"strongest_feature_auc": leak, "additivity_gap": gap, "fast_explanation_gap": fast}
    if champion is not None:
        figures |= {f"champion/{name}": value for name, value in champion.figures.items()}
        figures |= {f"champion/candidate/{name}": value for name, value in champion.candidate.items()}

    trivial = list(_beats_base_rate(evidence.figures))
    rest = [
        *_beats_baselines(evidence.figures),
        *_no_leak(leak, bundle.catalog.columns[suspect]),
        *_features_present(bundle, evidence.rows.matrix, champion),
        *_additive(gap),
        *([] if champion is None else _beats_champion(champion)),
    ]
    first = champion is None
    refusals = (*trivial, *(() if first else rest))
    warnings = (*(rest if first else ()), *_ahead(bundle), *_slow(fast), *_concerns(evidence, champion))
    return Decision(not refusals, tuple(refusals), tuple(warnings), figures)


def record(log: Path, decision: Decision, *, decided_at: str, action: str = "train", **facts: str) -> None:
    """Append a decision to the promotion log (JSON lines), with its moment, version, run and the like.

    The action is `train`, or `promote` or `rollback` where somebody decided by hand.
    """
    line = facts | {"decided_at": decided_at, "action": action} | asdict(decision)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")


def decisions(log: Path) -> list[dict[str, Any]]:
    """Every line of the promotion log, oldest first; a line cut short by a crash is left out."""
    if not log.exists():
        return []
    found = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def champion_before(decided: Sequence[Mapping[str, Any]], present: str | None) -> str | None:
    """The version that was champion before the present one, as the promotion log has it.

    A rollback takes the last promotion back, so a second one goes further into the past.
    """
    past: list[str] = []
    for line in decided:
        if line.get("action") == "rollback":
            past = past[:-1] or past
        elif line["promoted"] and line["version"] not in past[-1:]:
            past.append(line["version"])
    if present in past:
        past = past[: len(past) - past[::-1].index(present) - 1]
    return past[-1] if past else None


def strongest_alone(matrix: Floats, churned: Flags) -> tuple[float, int]:
    """The highest AUC that one column reaches by itself, up or down, and that column.

    A missing value counts as lowest or as highest, whichever gives more away.
    """
    step = max(1, -(-len(matrix) // LEAK_ROWS))
    rows, left = matrix[::step], churned[::step]
    best, column = 0.5, 0
    if left.any() and not left.all():
        for at in range(rows.shape[1]):
            for missing in (-np.inf, np.inf):
                auc = _auc(np.where(np.isnan(rows[:, at]), missing, rows[:, at]), left)
                if max(auc, 1.0 - auc) > best:
                    best, column = max(auc, 1.0 - auc), at
    return best, column


def _beats_base_rate(figures: Mapping[str, float]) -> Iterator[str]:
    mine, rival = figures["log_loss"], figures["baseline/base_rate/log_loss"]
    if not mine < rival:
        yield (
            f"base rate: log loss {mine:.4f} against {rival:.4f} of giving everyone the same probability, "
            f"worse by {mine - rival:.4f}"
        )


def _beats_baselines(figures: Mapping[str, float]) -> Iterator[str]:
    for name in TRIVIAL[1:]:
        mine, rival = figures["log_loss"], figures.get(f"baseline/{name}/log_loss")
        if rival is not None and not mine < rival:
            yield (
                f"baseline: log loss {mine:.4f} against {rival:.4f} of {name} alone, "
                f"worse by {mine - rival:.4f}"
            )


def _beats_champion(champion: Champion) -> Iterator[str]:
    if champion.apart:
        return
    ours, theirs = champion.candidate, champion.figures
    worse = ours["log_loss"] - theirs["log_loss"]
    if worse > 0:
        low, high = (ours.get(f"log_loss_difference_{end}") for end in ("low", "high"))
        interval = "" if low is None or high is None else f" (95% interval {low:+.4f} to {high:+.4f})"
        yield (
            f"champion: log loss {ours['log_loss']:.4f} against {theirs['log_loss']:.4f} of version "
            f"{champion.version} on the same {ours['rows']:,.0f} rows, worse by {worse:.4f}{interval}"
        )
    error, noise = ours["expected_calibration_error"], ours["expected_calibration_error_noise"]
    rival = theirs["expected_calibration_error"]
    if error > max(rival, noise):
        yield (
            f"calibration: error {error:.4f} against {rival:.4f} of version {champion.version} "
            f"on the same rows, worse by {error - rival:.4f}, and chance explains {noise:.4f}"
        )


def _no_leak(auc: float, column: str) -> Iterator[str]:
    if auc > TOO_GOOD:
        yield (
            f"leak: '{column}' alone reaches an AUC of {auc:.3f}, above {TOO_GOOD} by {auc - TOO_GOOD:.3f}; "
            "it seems to know the future. Check when its events are recorded."
        )


def _features_present(bundle: Bundle, matrix: Floats, champion: Champion | None) -> Iterator[str]:
    used = bundle.used
    silent = [
        name for at, name in enumerate(bundle.catalog.columns) if used[at] and np.isnan(matrix[:, at]).all()
    ]
    if silent:
        yield (
            f"features: {len(silent)} of the {int(used.sum())} that the model reads say nothing "
            f"on the test dates, such as '{silent[0]}'"
        )
    gone = (
        [] if champion is None else [name for name in champion.columns if name not in bundle.catalog.columns]
    )
    if champion is not None and gone:
        yield (
            f"features: {len(gone)} that version {champion.version} has are missing, such as '{gone[0]}'; "
            "is a source gone?"
        )


def _additive(gap: float) -> Iterator[str]:
    if not gap <= TOLERANCE:
        yield (
            f"explanation: contributions miss the model's log-odds by {gap:.2g}, above {TOLERANCE:.0e} by "
            f"{gap - TOLERANCE:.2g}"
        )


def _slow(gap: float) -> Iterator[str]:
    if not gap <= TOLERANCE:
        yield (
            f"explanation: that of large batches misses LightGBM's by {gap:.2g}, above {TOLERANCE:.0e}, so "
            "LightGBM explains them, which takes several times as long"
        )


def _ahead(bundle: Bundle) -> Iterator[str]:
    """Dates that only the company's own doing covers look as if everybody had left."""
    timeline = Timeline(bundle.timezone)
    acted = timeline.instant(bundle.settings["customers_until"])
    ahead = (bundle.trained_until - acted) / DAY
    if ahead > AHEAD * bundle.churn.horizon.days:
        yield (
            f"coverage: the customers' own events end on {timeline.local(acted).date()}, {ahead:.1f} days "
            f"before the company's, which end on {timeline.local(bundle.trained_until).date()}, so the last "
            "dates can look as if everybody left. Ingest what customers did since, or train with "
            f"--until {timeline.name(timeline.midnight_after(acted + 1))}"
        )


def _concerns(evidence: Evidence, champion: Champion | None) -> Iterator[str]:
    """What people should know but no gate refuses."""
    figures = evidence.figures
    if evidence.level == "low":
        yield (
            "evidence: low, because there are too few dates, or too few customers who left or stayed, "
            "to test on later dates than those that taught"
        )
    drift, rate = figures.get("drift", 0.0), figures.get("base_rate", 0.0)
    people = max(figures.get("test_customers", 1.0), 1.0)
    chance = 2.0 * float(np.sqrt(rate * (1.0 - rate) / people))
    if abs(drift) > chance:
        yield (
            f"drift: {rate + drift:.1%} were expected to leave on the test dates and {rate:.1%} left, "
            f"{abs(drift) * 100:.1f} points {'fewer' if drift > 0 else 'more'}"
        )
    if champion is not None and champion.apart:
        yield (
            f"champion: version {champion.version} {champion.apart}, so the two could not be compared; "
            "the newer one is taken if nothing else is wrong"
        )


def _auc(score: Floats, churned: Flags) -> float:
    order = np.argsort(score, kind="stable")
    ordered, left = score[order], churned[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    hits = np.add.reduceat(left, starts)
    misses = np.add.reduceat(1.0 - left, starts)
    below = np.cumsum(misses) - misses / 2
    return float((hits @ below) / (hits.sum() * misses.sum()))
