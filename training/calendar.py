"""Which as-of dates fit, calibrate and test, in time order and without a shared day of future.

    fit ●●●●●●●●●●   calibrate      ●●●●●●   test            ●●●●●●   ▏data ends
                  ├─ reach ─┤             ├─ reach ─┤              ├─ reach ─┤

Dates are local midnights a sixth of the horizon apart. A role's last label is decided before the next
role's first date, so that no figure is read off days that taught the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from features.errors import DataError
from features.timeline import DAY, Timeline
from training.labels import Churn, latest_labelled

PER_HORIZON = 6
"""As-of dates in a horizon: denser ones repeat the same labels, sparser ones waste history."""
FIT_DATES = 36
LATER_DATES = 6
"""As-of dates of calibration, and of the test: one horizon's worth, so that figures pool its seasons."""
ALL_DATES = FIT_DATES + 2 * (LATER_DATES + PER_HORIZON)


@dataclass(frozen=True)
class Calendar:
    """The as-of dates of each role, ascending; with `evidence: low` every role has all of them."""

    fit: tuple[int, ...]
    calibrate: tuple[int, ...]
    test: tuple[int, ...]
    labelled: tuple[int, ...]
    """Every date with a label: what the delivered model is fitted on."""
    evidence: Literal["normal", "low"]


def calendar(first: int, covered_until: int, churn: Churn, timeline: Timeline) -> Calendar:
    """The calendar of a history from its `first` event to `covered_until`.

    Raises `DataError` naming the dates that are needed when not one date has both `active_days` of history
    and a covered horizon. When there are too few dates for three roles the evidence is low: the roles are
    then to be cross-fitted by customer.
    """
    dates = _labelled(first, covered_until, churn, timeline)
    if not dates:
        horizon = churn.horizon
        earliest = timeline.midnight_after(first + churn.active_days * DAY)
        raise DataError(
            f"cannot train: churn within {horizon.reach} days among those active in the last "
            f"{churn.active_days} days needs events from {_date(first, timeline)} until "
            f"{_date(horizon.end(earliest), timeline)}, but they end on {_date(covered_until, timeline)}. "
            "Ingest more history, or write a smaller active_days or horizon_days in [churn]."
        )
    reach = churn.horizon.reach * DAY
    for size in range(LATER_DATES, 0, -1):
        test = dates[-size:]
        calibrate = tuple(date for date in dates if date + reach <= test[0])[-size:]
        fit = tuple(date for date in dates if calibrate and date + reach <= calibrate[0])[-FIT_DATES:]
        if len(calibrate) == size and len(fit) >= (2 * size if size > 1 else 1):
            return Calendar(fit, calibrate, test, dates, "normal")
    return Calendar(dates, dates, dates, dates, "low")


def _labelled(first: int, covered_until: int, churn: Churn, timeline: Timeline) -> tuple[int, ...]:
    """The newest dates that have `active_days` of history and a covered horizon, ascending."""
    newest = timeline.local(latest_labelled(covered_until, churn.horizon, timeline)).date()
    step = timedelta(days=max(1, round(churn.horizon.days / PER_HORIZON)))
    dates: list[int] = []
    while len(dates) < ALL_DATES:
        date = timeline.instant(newest - len(dates) * step)
        if date - churn.active_days * DAY < first:
            break
        dates.append(date)
    return tuple(reversed(dates))


def _date(instant: int, timeline: Timeline) -> str:
    return timeline.local(instant).date().isoformat()
