"""What monitoring finds, as plain records: calibration of groups, performance of a matured date, alarms.

The module imports nothing that trains, so that pages and the API can read stored results. Amounts are in the
project's currency, shares between 0 and 1; intervals are 95 % unless a field says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["low", "medium", "high"]
ListSource = Literal["plan", "list"]
UnjudgedReason = Literal["not_matured", "learned_from_later", "unreadable", "nobody"]


@dataclass(frozen=True)
class IntervalEstimate:
    """A figure with its 95 % interval over customers; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class GroupCalibration:
    """Expected and observed leavers among a group of scored customers."""

    group: str
    """Of a risk band the number of the fifth, 1 the least risky; of a segment `attribute=value`; of an arm
    `campaign/arm`."""
    customers: int
    expected_leavers: float
    """The sum of their churn probabilities."""
    leavers: int
    lowest_probability: float
    highest_probability: float
    observed_to_expected: IntervalEstimate
    """Leavers divided by expected leavers."""


@dataclass(frozen=True)
class ValueComparison:
    """Amounts that were predicted for a cohort beside those that came."""

    predicted: float
    observed: float
    observed_to_predicted: IntervalEstimate


@dataclass(frozen=True)
class ListPerformance:
    """How many of the list that was shown at a date left."""

    source: ListSource
    """`plan` where a stored plan says whom it chose, else the first of the list in its default order."""
    customers: int
    leavers: int
    treated: int
    """Of the customers, those whom a campaign contacted; they may have stayed because of it."""
    precision: IntervalEstimate
    lift: IntervalEstimate
    """Precision divided by the share of the cohort that left."""


@dataclass(frozen=True)
class Performance:
    """How right the scores of one as-of date were, by the outcomes of customers whom no campaign treated."""

    customers: int
    leavers: int
    expected_leavers: float
    """The sum of the churn probabilities."""
    auc: IntervalEstimate
    log_loss: IntervalEstimate
    calibration_error: IntervalEstimate
    """Mean distance of predicted and observed shares over ten equally full bins."""
    calibration_noise: float
    """The calibration error that right probabilities would show among so many customers."""
    observed_to_expected: IntervalEstimate
    bands: tuple[GroupCalibration, ...]
    segments: tuple[GroupCalibration, ...]
    arms: tuple[GroupCalibration, ...]
    """Customers of campaigns that ran in the horizon, each arm apart."""
    spent_by_stayers: ValueComparison | None
    """What those who stayed were expected to spend over the horizon, and spent; None without amounts."""
    value_lost: ValueComparison | None
    """Value at risk of all, and the expected value of those who left; None without amounts."""
    shown: ListPerformance | None
    """None where nobody was on the list."""


@dataclass(frozen=True)
class DatePerformance:
    """The scores of one as-of date compared with what happened in its horizon."""

    as_of: str
    matured: str
    """The day on which the horizon ended."""
    model_version: str
    file: str
    """The score file, as it was stored when it was made."""
    treated: int
    """Customers in the treatment arm of a campaign that ran in the horizon: judged apart, in `arms`."""
    missing: int
    """Scored customers whose events have all gone since, and who cannot be judged."""
    performance: Performance


@dataclass(frozen=True)
class UnjudgedDate:
    """A score file that cannot be judged, and why."""

    as_of: str
    model_version: str
    file: str
    reason: UnjudgedReason
    """`not_matured`: its horizon is not covered by data. `learned_from_later`: its model was trained on
    events after the date, so it had seen the outcomes. `unreadable`: the file or its bundle is missing or
    damaged. `nobody`: nobody in its cohort is left to judge."""
    matures: str | None
    """The day until which data is needed; None where it is not known."""


@dataclass(frozen=True)
class CalibrationAlarm:
    """That more customers, or fewer, leave than scores say, beyond chance and the stated level's uncertainty.

    The interval is of a confidence sequence: it may be looked at every day.
    """

    group: str
    """`everyone`, or the number of a risk band, 1 the least risky."""
    direction: Literal["more", "fewer"]
    """Whether more leave than expected, or fewer."""
    model_version: str
    since: str
    """The as-of date whose outcomes raised it, the first of its sequence that did."""
    dates: int
    """As-of dates of its sequence until the newest one."""
    expected_leavers: float
    """Per date, over these dates."""
    leavers: float
    observed_to_expected: float
    low: float
    high: float
    money: float | None
    """By how much the value of those who left exceeds the value at risk, per date; None without amounts."""
    severity: Severity
    """By money at stake, of the whole cohort's value at risk: `high` from 20 %, `medium` from 5 %; without
    amounts the same of expected leavers."""


@dataclass(frozen=True)
class DriftedColumn:
    """A column whose distribution moved further than it usually does between dates."""

    column: str
    """A feature; or `churn_probability`, the score; or `cohort_size`, how many customers can leave."""
    mean_before: float | None
    """Over the three dates before, a month apart."""
    mean_now: float | None
    shift: float | None
    """The shift of the mean in standard deviations; of `cohort_size` the logarithm of the ratio."""
    usual_shift: float | None
    """Root mean square of the same shift at past dates, or what chance alone makes, where that is more."""
    psi: float | None
    """Population stability index against the three dates before."""
    usual_psi: float | None
    """Its geometric mean at past dates."""
    seasonal: bool
    """Whether the same shift was there a year before: then it is the season, and no alarm."""
    contribution: float
    """By how much the column moved the average log-odds of leaving: the shift of its mean SHAP value."""


@dataclass(frozen=True)
class DriftResult:
    """How features, scores and the cohort moved between the newest scored date and the dates before."""

    as_of: str
    before: tuple[str, ...]
    """The three dates that it is compared with."""
    past: int
    """Past dates whose shifts tell what is usual."""
    customers: int
    """Of the sample, in the cohort of the date."""
    columns: int
    """Columns that were watched: those that the model reads, the score and the size of the cohort."""
    drifted: tuple[DriftedColumn, ...]
    """The one that moved the scores most first."""
    probability_before: float
    probability_now: float
    margin_shift: float
    """The shift of the average log-odds: the sum of the contributions of all features."""
