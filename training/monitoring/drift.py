"""Drift: features, scores and the cohort against their own past, by mean shift and stability index (PSI).

The newest date is compared with the three dates before it, a month apart, so that mailings and bills of
every month fall alike into the windows of features. What is usual is the same comparison at each past date:
thresholds come from the column's own null, not from 0.1 and 0.25, and do not fall with the number of
customers. A shift counts where it lies beyond Student's t of the past shifts, with half as many degrees of
freedom as past dates (neighbours share dates); customers are resampled, with all their rows together, for
what chance alone makes, and the larger of the two is the yardstick.

Levels: `ERROR` a year, over twelve independent months of looks, two statistics, and the effective number of
independent columns (participation ratio of the eigenvalues of their correlation; Nyholt, D. R. (2004),
American Journal of Human Genetics 74, 765–769). Where there is a date one year before, a shift that was
there too is the season and raises no alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.engine.snapshot import snapshot
from features.event_store import EventStore
from features.events.history import History
from features.execution.local import map_partitions
from features.timeline import DAY, Timeline
from training.bundle.model_bundle import Bundle
from training.labels.cohort import cohorts
from training.monitoring.outcome_performance import GROUPS, random_groups
from training.monitoring.records import DriftedColumn, DriftResult
from training.statistics import finite, resampled_sums

Floats = NDArray[np.float64]

BEFORE = 3
"""Dates that a date is compared with, those just before it."""
YEAR_STEPS = 12
"""Months of a year."""
MOST_STEPS = YEAR_STEPS + BEFORE
LEAST_PAST = 4
"""Past dates with a comparison that are needed to know what is usual."""
SAMPLE = 4_000
"""Customers of the newest cohort that are looked at, from as many buckets of the store as hold so many."""
EXPLAINED = 1_000
"""Of a date, the rows whose SHAP values are computed."""
ERROR = 0.05
LOOKS = 12
BINS = 10
MONTH = 31 * DAY
SCORE, COHORT = "churn_probability", "cohort_size"


@dataclass(frozen=True, eq=False)
class DatedRows:
    """The cohort of a sample at one as-of date: n customers, f columns."""

    as_of: int
    keys: NDArray[np.int64]
    matrix: Floats
    """float64[n, f]: NaN where a column says nothing."""


def drift(
    store: EventStore, bundle: Bundle, timeline: Timeline, as_of: int, *, sample: int = SAMPLE
) -> DriftResult | None:
    """How far the date moved from those before it; None where the record is too short to know what is usual.

    Features are computed anew at every date, from what was known then, with the columns and priors of the
    bundle.
    """
    rows = sampled_rows(store, bundle, timeline, as_of, sample)
    if len(rows) < 1 + BEFORE + LEAST_PAST:
        return None
    scores = [bundle.predict(one.matrix).churn_probability for one in rows]
    used = np.flatnonzero(bundle.used)
    watched = [
        DatedRows(one.as_of, one.keys, np.column_stack([one.matrix[:, used], score]))
        for one, score in zip(rows, scores, strict=True)
    ]
    names = [*(bundle.catalog.columns[place] for place in used.tolist()), SCORE]
    moved = _contribution_shift(bundle, rows)
    contributions = np.append(moved[used], 0.0)
    drifted = drifted_columns(watched, names, contributions)
    return DriftResult(
        as_of=timeline.name(as_of),
        before=tuple(timeline.name(one.as_of) for one in rows[1 : 1 + BEFORE]),
        past=_past(len(rows)),
        customers=len(rows[0].keys),
        columns=len(names) + 1,
        drifted=drifted,
        probability_before=float(np.mean([score.mean() for score in scores[1 : 1 + BEFORE]])),
        probability_now=float(scores[0].mean()),
        margin_shift=float(moved.sum()),
    )


def sampled_rows(
    store: EventStore, bundle: Bundle, timeline: Timeline, as_of: int, sample: int
) -> list[DatedRows]:
    """The newest date and those before it, newest first, as far back as the record can tell a cohort."""
    dates = [timeline.months_after(as_of, -step) for step in range(MOST_STEPS + 1)]
    parts: list[list[DatedRows]] = [[] for _ in dates]
    first, count = as_of, 0
    for bucket in store.buckets:
        new = partial(_SampledParts, bundle, timeline, dates, sample - count)
        found = map_partitions(store, new, retractions=True, buckets=[bucket])
        first = min(first, found.first)
        for part, rows_of_date in zip(parts, found.rows, strict=True):
            part += rows_of_date
        count = sum(len(one.keys) for one in parts[0])
        if count >= sample:
            break
    whole = bundle.churn.active_days * DAY if bundle.churn.type == "inactivity" else 0
    rows = [
        DatedRows(
            date,
            np.concatenate([one.keys for one in part]),
            np.concatenate([one.matrix for one in part]),
        )
        for date, part in zip(dates, parts, strict=True)
        if part and date - first >= whole + MONTH
    ]
    empty = next((place for place, one in enumerate(rows) if not len(one.keys)), len(rows))
    return rows[:empty]


@dataclass
class _SampledParts:
    """Features of customers of a bucket at each date: of all, or of as many random groups as are wanted."""

    bundle: Bundle
    timeline: Timeline
    dates: Sequence[int]
    wanted: int
    """Customers of the newest date."""
    first: int = 2**62
    """The earliest event, microseconds UTC."""
    rows: list[list[DatedRows]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = [[] for _ in self.dates]

    def add(self, history: History) -> None:
        if not len(history.instants):
            return
        self.first = int(history.instants.min())
        members = cohorts(history, self.bundle.churn, self.dates)
        groups = np.ceil(GROUPS * self.wanted / max(len(members[0]), 1))
        for place, (date, everybody) in enumerate(zip(self.dates, members, strict=True)):
            keys = everybody[random_groups(everybody) < groups]
            instants = np.full(len(keys), date, dtype=np.int64)
            catalog, priors = self.bundle.catalog, self.bundle.priors
            found = snapshot(history, catalog, self.timeline, keys, instants, priors)
            self.rows[place].append(DatedRows(date, keys, np.ascontiguousarray(found.matrix)))

    def merge(self, other: _SampledParts) -> None:
        self.first = min(self.first, other.first)
        for own, more in zip(self.rows, other.rows, strict=True):
            own += more


def drifted_columns(
    rows: Sequence[DatedRows], names: Sequence[str], contributions: Floats, *, seed: int = 0
) -> tuple[DriftedColumn, ...]:
    """The columns whose mean or distribution moved further than usual, and the size of the cohort.

    `rows` are dates newest first, at least 1 + `BEFORE` + `LEAST_PAST` of them; `contributions` is
    float64[f], what each column moved the average log-odds by.
    """
    from scipy.stats import t

    past, columns = _past(len(rows)), len(names)
    has_year = len(rows) > MOST_STEPS
    usually = [step for step in range(1, 1 + past) if step != YEAR_STEPS]  # else last year's season is usual
    low, high, scale = _bounds(rows)
    clipped = [np.clip(one.matrix, low, high) for one in rows]
    means = np.stack([_means(one) for one in clipped])
    shifts = _shifts(means) / scale
    usual = np.sqrt(np.nanmean(np.square(shifts[usually]), axis=0))
    usual = np.fmax(usual, _chance(rows[: 1 + BEFORE], clipped[: 1 + BEFORE], seed) / scale)
    psi = np.log(_psi(clipped, 1 + past))
    psi_mean, psi_spread = psi[usually].mean(axis=0), np.maximum(psi[usually].std(axis=0, ddof=1), 0.1)
    sizes = np.log([len(one.keys) for one in rows])[:, np.newaxis]
    size_shifts = _shifts(sizes)
    size_usual = np.fmax(np.sqrt(np.mean(np.square(size_shifts[usually]))), 1.0 / np.sqrt(len(rows[0].keys)))
    level = ERROR / LOOKS / 2 / (1.0 + _independent(clipped[0]))
    reach = float(t.isf(level / 2, len(usually) / 2))
    upper = float(t.isf(level, len(usually) / 2)) * np.sqrt(1.0 + 1.0 / len(usually))
    by_mean = np.abs(shifts[0]) > reach * usual
    by_psi = psi[0] > psi_mean + upper * psi_spread
    same_mean = has_year & (np.abs(shifts[0] - shifts[min(YEAR_STEPS, past)]) <= reach * np.sqrt(2.0) * usual)
    same_psi = has_year & (psi[0] <= psi[min(YEAR_STEPS, past)] + upper * np.sqrt(2.0) * psi_spread)
    found = [
        DriftedColumn(
            column=names[column],
            mean_before=finite(float(np.mean(means[1 : 1 + BEFORE, column]))),
            mean_now=finite(float(means[0, column])),
            shift=finite(float(shifts[0, column])),
            usual_shift=finite(float(usual[column])),
            psi=float(np.exp(psi[0, column])),
            usual_psi=float(np.exp(psi_mean[column])),
            seasonal=bool(
                (same_mean[column] or not by_mean[column]) and (same_psi[column] or not by_psi[column])
            ),
            contribution=float(contributions[column]),
        )
        for column in range(columns)
        if by_mean[column] or by_psi[column]
    ]
    size = float(size_shifts[0, 0])
    if abs(size) > reach * size_usual:
        year = float(size_shifts[min(YEAR_STEPS, past), 0])
        seasonal = has_year and abs(size - year) <= reach * np.sqrt(2.0) * size_usual
        before = float(np.exp(sizes[1 : 1 + BEFORE, 0].mean()))
        now, own = float(np.exp(sizes[0, 0])), float(size_usual)
        found.append(DriftedColumn(COHORT, before, now, size, own, None, None, bool(seasonal), 0.0))
    return tuple(sorted(found, key=lambda one: (one.seasonal, -abs(one.contribution), one.column)))


def _past(dates: int) -> int:
    """Past dates with a comparison of their own."""
    return dates - 1 - BEFORE


def _bounds(rows: Sequence[DatedRows]) -> tuple[Floats, Floats, Floats]:
    """float64[f], three times: the 1 % and 99 % points that values are held within, and the deviation."""
    whole = np.concatenate([one.matrix for one in rows])
    known = ~np.isnan(whole).all(axis=0)
    low, high, scale = (np.full(whole.shape[1], fill) for fill in (0.0, 0.0, 1.0))
    low[known], high[known] = np.nanquantile(whole[:, known], [0.01, 0.99], axis=0)
    scale[known] = np.nanstd(np.clip(whole[:, known], low[known], high[known]), axis=0)
    return low, high, np.where(scale > 0, scale, 1.0)


def _means(matrix: Floats) -> Floats:
    """float64[f]: the mean of the known values of each column, NaN where there is none."""
    known = ~np.isnan(matrix)
    count = known.sum(axis=0)
    return np.asarray(
        np.divide(
            np.where(known, matrix, 0.0).sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0
        )
    )


def _shifts(values: Floats) -> Floats:
    """float64[dates − 3, f]: each date minus the mean of the three before it; dates newest first."""
    before = np.stack(
        [values[place + 1 : place + 1 + BEFORE].mean(axis=0) for place in range(len(values) - BEFORE)]
    )
    return np.asarray(values[: len(before)] - before)


def _chance(rows: Sequence[DatedRows], clipped: Sequence[Floats], seed: int) -> Floats:
    """float64[f]: the deviation of the newest shift among resamples of customers with all their rows."""
    parts = []
    for one, matrix in zip(rows, clipped, strict=True):
        known = ~np.isnan(matrix)
        member = (random_groups(one.keys) == np.arange(GROUPS)[:, np.newaxis]).astype(np.float64)
        parts += [member @ np.where(known, matrix, 0.0), member @ known.astype(np.float64)]
    width = parts[0].shape[1]
    totals = resampled_sums(np.concatenate(parts, axis=1), seed=seed).reshape(-1, 2 * len(rows), width)
    means = totals[:, 0::2] / np.maximum(totals[:, 1::2], 1e-12)
    return np.asarray((means[:, 0] - means[:, 1:].mean(axis=1)).std(axis=0))


def _psi(clipped: Sequence[Floats], dates: int) -> Floats:
    """float64[dates, f]: the population stability index of each date against the three before it.

    Bins are tenths of all dates together, and one for no value.
    """
    width = clipped[0].shape[1]
    counts = np.zeros((len(clipped), width, BINS + 1))
    for column in range(width):
        values = [one[:, column] for one in clipped]
        known = np.concatenate([one[~np.isnan(one)] for one in values])
        cuts = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
        for date, own in enumerate(values):
            cell = np.where(np.isnan(own), BINS, np.searchsorted(cuts, own, side="right"))
            counts[date, column] = np.bincount(cell.astype(np.int64), minlength=BINS + 1)
    before = np.stack([counts[date + 1 : date + 1 + BEFORE].sum(axis=0) for date in range(dates)])
    own, other = ((each + 0.5) / (each + 0.5).sum(axis=2, keepdims=True) for each in (counts[:dates], before))
    return np.asarray(np.maximum(((own - other) * np.log(own / other)).sum(axis=2), 1e-6))


def _independent(matrix: Floats) -> float:
    """The effective number of independent columns: (Σλ)² ÷ Σλ² of the eigenvalues of their correlation."""
    filled = np.where(np.isnan(matrix), np.nan_to_num(_means(matrix)), matrix)
    varying = filled[:, filled.std(axis=0) > 0]
    if not varying.shape[1]:
        return 1.0
    correlation = np.corrcoef(varying, rowvar=False).reshape(varying.shape[1], varying.shape[1])
    return float(varying.shape[1] ** 2 / np.square(correlation).sum())


def _contribution_shift(bundle: Bundle, rows: Sequence[DatedRows]) -> Floats:
    """float64[f]: the mean SHAP value of each column at the newest date minus that of the three before it."""

    def mean(one: DatedRows) -> Floats:
        chosen = np.argsort(random_groups(one.keys), kind="stable")[:EXPLAINED]
        return np.asarray(bundle.contributions(one.matrix[np.sort(chosen)])[:, :-1].mean(axis=0))

    earlier = np.mean([mean(one) for one in rows[1 : 1 + BEFORE]], axis=0)
    return np.asarray(mean(rows[0]) - earlier)


def alarming(found: DriftResult | None) -> tuple[DriftedColumn, ...]:
    """The drifted columns that are not the season."""
    return () if found is None else tuple(one for one in found.drifted if not one.seasonal)
