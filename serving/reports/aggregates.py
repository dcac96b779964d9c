"""Running sums of each metric by period and group, and the estimate with its interval computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serving.reports.kernels import NOTHING, customers, totals
from training.statistics import ratio, wilson

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Cuts = Mapping[str, tuple[Ints, Sequence[str]]]
"""By cut, the group of each row as a code (-1: none), and the groups' names."""

WHOLE = "all"
"""The cut with one group, named with the empty text, that every unit belongs to."""
N, Y, X, YY, XY, XX, CUSTOMERS = range(7)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, the units behind it and how many customers they come from."""

    value: float
    low: float | None
    high: float | None
    units: int
    customers: int


@dataclass(frozen=True, eq=False)
class MetricUnits:
    """The n units whose Σy ÷ Σx is a metric, each of one period and one customer of the bucket."""

    span: Ints
    row: Ints
    y: Floats
    x: Floats | None = None
    """1 where absent."""
    one_per_customer: bool = False
    """Whether a customer has at most one unit in a span and group."""


@dataclass
class MetricSums:
    """Running sums [spans, 7] by metric, cut and group: units, Σy, Σx, Σy², Σxy, Σx², customers."""

    spans: int
    values: dict[tuple[str, str, str], Floats] = field(default_factory=dict)
    left_out: dict[tuple[str, str], Ints] = field(default_factory=dict)
    """[spans]: how much was not counted, by measure and reason."""
    _shared: set[tuple[str, str]] = field(default_factory=set)
    """Cuts whose groups are all divided by the whole's Σx."""

    def add(self, measure: str, units: MetricUnits, cuts: Cuts) -> None:
        """Add units to the whole and to their groups."""
        codes = np.zeros(len(units.span), np.int64)
        self.add_groups(measure, units, WHOLE, codes, ("",))
        for cut, (codes, names) in cuts.items():
            self.add_groups(measure, units, cut, codes, names)

    def add_groups(
        self, measure: str, units: MetricUnits, cut: str, codes: Ints, names: Sequence[str]
    ) -> None:
        """Add units to the groups of one cut; a code of -1 belongs to none."""
        inside = codes >= 0
        if not inside.all():
            units, codes = _where(units, inside), codes[inside]
        if not len(codes):
            return
        table = self._table(units, codes, len(names))
        for group in np.flatnonzero(table[:, :, N].any(axis=1)).tolist():
            key = (measure, cut, names[group])
            self.values[key] = self.values[key] + table[group] if key in self.values else table[group]

    def add_shares(
        self, measure: str, units: MetricUnits, cut: str, codes: Ints, names: Sequence[str]
    ) -> None:
        """Add what groups contribute to the whole: each is divided by all that the whole is divided by."""
        self._shared.add((measure, cut))
        self.add_groups(measure, units, cut, codes, names)

    def leave_out(self, measure: str, reason: str, span: Ints) -> None:
        """Count what is not in a metric, by reason and period."""
        counts = self.left_out.setdefault((measure, reason), np.zeros(self.spans, np.int64))
        counts += np.bincount(span, minlength=self.spans)

    def merge(self, other: MetricSums) -> None:
        """Add the sums of later buckets."""
        for key, table in other.values.items():
            self.values[key] = self.values[key] + table if key in self.values else table
        for reason, counts in other.left_out.items():
            self.left_out[reason] = self.left_out[reason] + counts if reason in self.left_out else counts
        self._shared |= other._shared

    def groups(self, measure: str) -> list[tuple[str, str]]:
        """The cuts and groups of a measure, the whole first."""
        groups = [(cut, group) for name, cut, group in self.values if name == measure and cut != WHOLE]
        return [(WHOLE, ""), *sorted(groups)]

    def estimate(
        self, measure: str, interval: str, span: int, cut: str = WHOLE, group: str = ""
    ) -> Estimate | None:
        """The estimate of a period, None where there are no units."""
        sums = self.values.get((measure, cut, group))
        if sums is None:
            return None
        n, y, x, yy, xy, xx, people = sums[span].tolist()
        if (measure, cut) in self._shared:
            xy = y
            n, _, x, _, _, xx, people = self.values[(measure, WHOLE, "")][span].tolist()
        if x == 0:
            return None
        if interval == "none":
            return Estimate(y, None, None, int(n), int(people))
        limits = wilson(y / x, x) if interval == "wilson" else ratio(n, y, x, yy, xy, xx)
        low, high = limits if limits else (None, None)
        return Estimate(y / x, low, high, int(n), int(people))

    def _table(self, units: MetricUnits, codes: Ints, groups: int) -> Floats:
        """[groups, spans, 7]."""
        size = groups * self.spans
        at = codes * self.spans + units.span
        sums = totals(at, units.y, NOTHING if units.x is None else units.x, size)
        people = sums[:, N] if units.one_per_customer else customers(at, units.row, size)
        return np.column_stack([sums, people]).reshape(groups, self.spans, 7)


def _where(units: MetricUnits, mask: NDArray[np.bool_]) -> MetricUnits:
    x = None if units.x is None else units.x[mask]
    return MetricUnits(units.span[mask], units.row[mask], units.y[mask], x, units.one_per_customer)
