"""Alarms of calibration: observed against expected leavers as a confidence sequence, for looks at any time.

What is watched is the sum over as-of dates of leavers minus churn probabilities, of everyone and of each risk
band; each date is a look, when its horizon is over. Under the null the sums are jointly normal in the number
of customers, with a covariance of two parts:

- *chance*: a date's variance is Σp(1−p), or what it is among random groups of customers, where that is more;
  the correlation of dates is that among the groups, as one customer is scored at many dates;
- *the level* of a whole service, which moves from month to month: its log-odds miss by δ, which adds
  δ·Σp(1−p) to everyone together. δ has the spread of the misses that the bundle knows, with Student's t of as
  many degrees of freedom, or where they are few the spread that the bundle states (`level_uncertainty`); the
  δ of two dates are correlated by the share of the horizon they have in common.

The boundary is that of `training.causal.confidence_sequence` (Robbins 1970; Waudby-Smith, Arbour, Sinha,
Kennedy and Ramdas 2024), with a clock read off the correlation of the sums. A sequence begins with a model
and after each year; quarters of it are watched as well, so that a good past does not hide a bad present. All
sequences of a year share `ERROR`: the k-th model within a year has 6/(π²k²) of it, which sums to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY
from training.bundle.level_uncertainty import LevelUncertainty
from training.causal.confidence_sequence import sequence_factors
from training.fitting.level import USUAL_MISS, USUAL_WEIGHT
from training.monitoring.outcome_performance import BANDS, GROUPS, JudgedRows, random_groups, risk_bands
from training.monitoring.records import CalibrationAlarm, Severity

Floats = NDArray[np.float64]

ERROR = 0.05
"""The probability that a service whose probabilities are right raises any alarm within a year."""
TOLERANCE = 0.03
"""The share of expected leavers by which scores may lie off without an alarm: calibration is fitted on finite
data, and so small a miss changes no decision."""
LEAST_INFORMATION = 50.0
"""Effective Σp(1−p) that a sum needs before it is looked at: below, it is not nearly normal."""
YEAR, QUARTER = 365 * DAY, 365 * DAY // 4
HIGH, MEDIUM = 0.2, 0.05
EVERYONE = "everyone"
ENOUGH_MISSES = 8
"""Misses of past levels from which their own spread is used."""


@dataclass(frozen=True, eq=False)
class CalibrationGaps:
    """Leavers minus churn probabilities of one matured date. Column 0 is everyone, the others risk bands."""

    as_of: int
    """Microseconds UTC."""
    model_version: str
    level: LevelUncertainty
    horizon_days: float
    gaps: Floats
    """float64[GROUPS, 1 + BANDS]: Σ(left − p) by random group of customers."""
    information: Floats
    """float64[1 + BANDS]: Σp(1−p)."""
    expected: Floats
    """float64[1 + BANDS]: Σp."""
    money: Floats | None
    """float64[1 + BANDS]: Σ(left − p)·v, v the expected value; None without amounts."""
    value_at_risk: float


def calibration_gaps(
    rows: JudgedRows, as_of: int, model_version: str, level: LevelUncertainty, horizon_days: float
) -> CalibrationGaps:
    """The gaps of one date, by the customers whom no campaign treated (`JudgedRows.counted`)."""
    counted = rows.counted
    p, value = rows.probability[counted], rows.expected_value[counted]
    gap = rows.churned[counted] - p
    groups, bands = random_groups(rows.keys[counted]), risk_bands(p)

    def by_band(column: Floats) -> Floats:
        return np.append(column.sum(), np.bincount(bands, column, minlength=BANDS))

    cells = np.bincount(groups * BANDS + bands, gap, minlength=GROUPS * BANDS).reshape(GROUPS, BANDS)
    known = not np.isnan(value).all()
    return CalibrationGaps(
        as_of,
        model_version,
        level,
        horizon_days,
        np.column_stack([cells.sum(axis=1), cells]),
        by_band(p * (1.0 - p)),
        by_band(p),
        by_band(gap * np.nan_to_num(value)) if known else None,
        float(np.nansum(p * value)),
    )


@dataclass(frozen=True)
class ModelRun:
    """Consecutive as-of dates that one model scored."""

    model_version: str
    start: int
    """The first of them, microseconds UTC."""
    attempt: int
    """How many runs began within the year before its start, itself counted."""


def model_runs(scored: Sequence[tuple[int, str]]) -> list[ModelRun]:
    """The runs of models, from the as-of date and the model version of every score file, ascending."""
    runs: list[ModelRun] = []
    for as_of, version in scored:
        if not runs or runs[-1].model_version != version:
            attempt = 1 + sum(one.start > as_of - YEAR for one in runs)
            runs.append(ModelRun(version, as_of, attempt))
    return runs


def calibration_alarms(
    dates: Sequence[CalibrationGaps], runs: Sequence[ModelRun], name: Callable[[int], str]
) -> tuple[CalibrationAlarm, ...]:
    """The alarms of the newest model among matured dates (as-of ascending), the most severe first.

    One that was raised stands until another model has matured dates or its sequence ends after a quarter or a
    year. `name` writes an as-of date.
    """
    if not dates:
        return ()
    newest = dates[-1].as_of
    run = [one for one in runs if one.start <= newest][-1]
    share = ERROR * 6.0 / (math.pi**2 * run.attempt**2)
    found: dict[tuple[str, str], CalibrationAlarm] = {}
    for length, error in ((YEAR, share / 2), (QUARTER, share / 8)):
        first = run.start + (newest - run.start) // length * length
        mine = [one for one in dates if one.as_of >= first]
        for column in range(1 + BANDS):
            alarm = _alarm(mine, column, error / 2 / (1 if column == 0 else BANDS), name)
            if alarm is not None:
                found.setdefault((alarm.group, alarm.direction), alarm)
    ranks: dict[Severity, int] = {"high": 0, "medium": 1, "low": 2}
    return tuple(
        sorted(found.values(), key=lambda one: (ranks[one.severity], one.group != EVERYONE, one.group))
    )


def _alarm(
    dates: Sequence[CalibrationGaps], column: int, error: float, name: Callable[[int], str]
) -> CalibrationAlarm | None:
    """The alarm of one sequence; None where no look of it lies beyond chance, level and tolerance."""
    gap = np.cumsum([one.gaps[:, column].sum() for one in dates])
    expected = np.cumsum([one.expected[column] for one in dates])
    half, effective = half_widths(dates, column, error)
    beyond = (np.abs(gap) - half > TOLERANCE * expected) & (effective >= LEAST_INFORMATION)
    if not beyond.any():
        return None
    first, total = int(np.argmax(beyond)), float(expected[-1])
    money = _mean_money(dates, column)
    at_stake = (
        abs(float(gap[-1])) / sum(one.expected[0] for one in dates)
        if money is None
        else abs(money) * len(dates) / max(sum(one.value_at_risk for one in dates), 1e-12)
    )
    return CalibrationAlarm(
        group=EVERYONE if column == 0 else str(column),
        direction="more" if gap[first] > 0 else "fewer",
        model_version=dates[-1].model_version,
        since=name(dates[first].as_of),
        dates=len(dates),
        expected_leavers=total / len(dates),
        leavers=(total + float(gap[-1])) / len(dates),
        observed_to_expected=1.0 + float(gap[-1]) / total,
        low=1.0 + float(gap[-1] - half[-1]) / total,
        high=1.0 + float(gap[-1] + half[-1]) / total,
        money=money,
        severity="high" if at_stake >= HIGH else "medium" if at_stake >= MEDIUM else "low",
    )


def half_widths(dates: Sequence[CalibrationGaps], column: int, error: float) -> tuple[Floats, Floats]:
    """float64[T], twice: the half-width of the sum's interval at each look, all of them holding together with
    probability 1 − `error`, and the effective Σp(1−p) behind it."""
    information = np.array([one.information[column] for one in dates])
    by_group = np.stack([one.gaps[:, column] for one in dates], axis=1)
    observed = np.cov(by_group, rowvar=False).reshape(len(dates), len(dates)) * GROUPS
    deviation = np.sqrt(np.maximum(np.diag(observed), 1e-300))
    scale = np.sqrt(np.maximum(information, np.diag(observed)))
    chance = observed / np.outer(deviation, deviation) * np.outer(scale, scale)
    days = np.array([one.as_of for one in dates]) / DAY
    horizon = np.array([one.horizon_days for one in dates])
    common = np.maximum(1.0 - np.abs(np.subtract.outer(days, days)) / np.minimum.outer(horizon, horizon), 0.0)
    factor = float(sequence_factors(np.ones((1, 1)), level=1 - error)[0])
    spread = np.array([level_reach(one.level, factor) for one in dates])
    level = np.outer(information * spread, information * spread) * common
    summed = np.cumsum(np.cumsum(chance + level, axis=0), axis=1)
    error_of_sum = np.sqrt(np.maximum(np.diag(summed), 1e-300))
    correlation = summed_correlation(chance + level, error_of_sum)
    only_chance = np.diag(np.cumsum(np.cumsum(chance, axis=0), axis=1))
    effective = np.cumsum(information) ** 2 / np.maximum(only_chance, 1e-300)
    return sequence_factors(correlation, level=1 - error) * error_of_sum, effective


def summed_correlation(covariance: Floats, deviation: Floats) -> Floats:
    """float64[T, T]: the correlation of cumulative sums of terms with this covariance."""
    summed = np.cumsum(np.cumsum(covariance, axis=0), axis=1)
    return np.asarray(np.clip(summed / np.outer(deviation, deviation), -1.0, 1.0))


def level_reach(level: LevelUncertainty, factor: float) -> float:
    """The deviation of the level's miss, in log-odds, that makes a normal interval of `factor` deviations as
    wide as Student's t makes it.

    With `ENOUGH_MISSES` known the misses' own root mean square counts, without what is usual elsewhere.
    """
    from scipy.stats import norm, t

    spread, freedom = level.spread, level.freedom
    if level.misses >= ENOUGH_MISSES:
        squares = spread**2 * (level.misses + USUAL_WEIGHT) - USUAL_WEIGHT * USUAL_MISS**2
        spread, freedom = math.sqrt(max(squares, 0.0) / level.misses), float(level.misses)
    return spread * float(t.isf(norm.sf(factor), freedom)) / factor


def _mean_money(dates: Sequence[CalibrationGaps], column: int) -> float | None:
    money = [one.money[column] for one in dates if one.money is not None]
    return float(np.mean(money)) if money else None
