"""Leaks: columns that tell who leaves far too well, alone, as attributes in small groups, or at lead 0 only.

A model that learns from what was written down after the fact is right on every test and wrong in use. Three
traces give it away. A column that alone ranks nearly perfectly, or marks many of those who leave and hardly
anybody else. Attributes that, alone or two or three together, rank as only behaviour does. And a mark that is
there when somebody leaves within days, and on nobody who leaves a week or a month later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from features.catalog.aggregates import LEVEL
from features.catalog.definitions import Catalog, Feature
from features.profiling.finding import CheckFinding
from training.data.attribute_dates import OF_TOTALS
from training.data.lead_labels import LeadLabels
from training.data.rows.labelled_rows import LabelledRows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

TOO_GOOD = 0.95
"""An AUC that a single feature reaches by itself only when it knows the future."""
ROWS = 20_000
"""Rows on which columns are tried."""
ATTRIBUTE_AUC = 0.8
"""The same of an attribute: what is known of a customer besides events tells far less. On public data none
reaches 0.7."""
GROUP_AUC = 0.85
"""The same of two or three attributes together."""
GAIN = 0.04
"""By how much a group must be better than the best of its parts to be named instead of them."""
MOST_ATTRIBUTES, MOST_IN_THREES = 24, 12
"""Attributes that are tried in twos and in threes: those that rank best by themselves, or in twos."""
MOST_VALUES = 64
"""Values of an attribute that are told apart; numbers beyond are cut into as many parts."""
PRIOR_ROWS = 20.0
"""Rows of the average that are mixed into the rate of each value."""
PURE, PURE_SHARE = 0.98, 0.35
"""A mark that is on so many of those who leave, and whose bearers leave so surely, was set after the fact."""
MARK, MARK_SHARE = 0.8, 0.03
"""The same of a mark that may be of the last days before somebody leaves: then later leads decide."""
LOST = 0.25
"""Of the share of leavers that a mark has at lead 0, what a leak has left a week or a month ahead."""
PRESENCE = {"count": 1.0, "active_days": 1.0, "days_since_last": -1.0}
"""Aggregates that say that something happened, and whether high or low values do. Silence is no mark: it
is what customers do before they leave, and nobody records it after the fact."""
FEWEST = 20
"""Customers who left, on whom a mark is judged."""


@dataclass(frozen=True)
class Leak:
    """A column, or attributes together, that seem to know the future."""

    columns: tuple[str, ...]
    english: str
    japanese: str


def find_leaks(rows: LabelledRows, catalog: Catalog, leads: LeadLabels | None) -> tuple[Leak, ...]:
    """Every leak that the rows of the test, and labels some days ahead, give away; the surest first."""
    step = max(1, -(-len(rows) // ROWS))
    rows = rows.where(np.arange(0, len(rows), step))
    if not rows.churned.any() or rows.churned.all():
        return ()
    groups = list(_attributes(rows, catalog))
    named = {column for leak in groups for column in leak.columns}
    marks = [*_marks(rows, catalog), *([] if leads is None else _at_lead_zero_only(leads, catalog))]
    by_indicator: dict[str, Leak] = {}
    for leak in marks:
        if not named & set(leak.columns):  # ten columns of one kind of event are one leak
            by_indicator.setdefault(catalog.indicator_of(leak.columns[0]), leak)
    return (*groups, *by_indicator.values())


def leaks_by_date(findings: Sequence[CheckFinding]) -> tuple[Leak, ...]:
    """The attributes that are made of what customers did after the day on which they are dated."""
    return tuple(
        Leak(
            attribute_columns([str(finding.figures["attribute"])]),
            f"leak: {finding.english[0].lower()}{finding.english[1:]}",
            f"リーク：{finding.japanese}",
        )
        for finding in findings
        if finding.name == OF_TOTALS
    )


def attribute_columns(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of attributes."""
    return tuple(f"profile_{name}_{part}" for name in names for part in ("last", "last_detail", LEVEL))


def strongest_column(rows: LabelledRows) -> tuple[float, int]:
    """The highest AUC that one column reaches by itself, and that column; of many rows, on every so many."""
    some = rows.where(np.arange(0, len(rows), max(1, -(-len(rows) // ROWS))))
    return strongest_alone(some.matrix, some.churned)


def strongest_alone(matrix: Floats, churned: Flags) -> tuple[float, int]:
    """The highest AUC that one column reaches by itself, up or down, and that column.

    A missing value counts as lowest or as highest, whichever gives more away.
    """
    best, column = 0.5, 0
    if churned.any() and not churned.all():
        for at, values in enumerate(np.ascontiguousarray(matrix.T)):
            absent = np.isnan(values)
            for missing in (-np.inf, np.inf) if absent.any() else (0.0,):
                found = auc(np.where(absent, missing, values), churned)
                if max(found, 1.0 - found) > best:
                    best, column = max(found, 1.0 - found), at
    return best, column


def auc(score: Floats, churned: Flags) -> float:
    """The chance that one who left has a higher score than one who stayed, ties as half."""
    order = np.argsort(score, kind="stable")
    ordered, left = score[order], churned[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    hits = np.add.reduceat(left, starts)
    misses = np.add.reduceat(1.0 - left, starts)
    below = np.cumsum(misses) - misses / 2
    return float((hits @ below) / (hits.sum() * misses.sum()))


def _attributes(rows: LabelledRows, catalog: Catalog) -> Iterator[Leak]:
    """Attributes that alone, or two or three together, rank too well; rates are of the other customers."""
    codes = dict(sorted(_coded_attributes(rows, catalog).items()))
    if len(np.unique(rows.keys[rows.churned])) < FEWEST:
        return
    half = (rows.hashes & np.uint64(1)).astype(np.bool_)

    def ranked(names: Sequence[str]) -> float:
        return _cross_fitted_auc(_joined([codes[name] for name in names]), rows.churned, half)

    single = {name: ranked([name]) for name in codes}
    for name, figure in single.items():
        if figure > ATTRIBUTE_AUC:
            yield _attribute_leak((name,), figure, ATTRIBUTE_AUC)
    innocent = [name for name, figure in single.items() if figure <= ATTRIBUTE_AUC]
    innocent = sorted(innocent, key=lambda name: -single[name])[:MOST_ATTRIBUTES]
    best = dict(single)
    for size in (2, 3):
        some = innocent if size == 2 else sorted(innocent, key=lambda name: -best[name])[:MOST_IN_THREES]
        for group in combinations(sorted(some), size):
            figure = ranked(group)
            parts = max(single[name] for name in group)
            if figure > GROUP_AUC and figure > parts + GAIN:
                yield _attribute_leak(group, figure, GROUP_AUC)
                return
            if size == 2:
                for name in group:
                    best[name] = max(best[name], figure)


def _attribute_leak(names: Sequence[str], figure: float, limit: float) -> Leak:
    english = " and ".join(f"'{name}'" for name in names)
    japanese = "と".join(f"「{name}」" for name in names)
    verb = "attribute {} alone ranks" if len(names) == 1 else "attributes {} together rank"
    return Leak(
        attribute_columns(names),
        f"leak: the {verb.format(english)} who leaves with an AUC of {figure:.3f}, above {limit}, as only "
        "what was written down after the fact does. Let `known_at` say since when each value is known, or "
        "leave it out of the attributes.",
        f"リーク：属性{japanese}だけで離反者をAUC {figure:.3f}（上限{limit}）で見分けられる。"
        "あとから記録された値の疑いがある。`known_at` に各値が判明した時点を入れるか、"
        "属性から外してください。",
    )


def _coded_attributes(rows: LabelledRows, catalog: Catalog) -> Mapping[str, Ints]:
    """By attribute the value of each row as a code, text or number, 0 where nothing is known."""
    found: dict[str, list[int]] = {}
    for place, column in enumerate(rows.columns):
        if catalog.indicator_of(column) == "profile" and column not in catalog.level_columns:
            name = column.removeprefix("profile_").removesuffix("_last_detail").removesuffix("_last")
            found.setdefault(name, []).append(place)
    return {name: _joined([_code(rows.column(at)) for at in places]) for name, places in found.items()}


def _code(values: Floats) -> Ints:
    """Numbers as codes from 1 on, cut into `MOST_VALUES` parts where there are more, and 0 for none."""
    known = ~np.isnan(values)
    codes = np.zeros(len(values), dtype=np.int64)
    distinct = np.unique(values[known])
    if len(distinct) > MOST_VALUES:
        distinct = np.unique(np.quantile(values[known], np.linspace(0, 1, MOST_VALUES + 1)))
    codes[known] = np.searchsorted(distinct, values[known], side="right")
    return codes


def _joined(columns: Sequence[Ints]) -> Ints:
    """One code for each combination of several codes."""
    whole = columns[0]
    for column in columns[1:]:
        _, whole = np.unique(whole * (int(column.max(initial=0)) + 1) + column, return_inverse=True)
    return whole.astype(np.int64)


def _cross_fitted_auc(codes: Ints, churned: Flags, half: Flags) -> float:
    """The AUC of each value's churn rate, learned from the other half of the customers."""
    if not len(codes):
        return 0.5
    size, average = int(codes.max()) + 1, float(churned.mean())
    score = np.empty(len(codes))
    for side in (half, ~half):
        count = np.bincount(codes[~side], minlength=size)
        left = np.bincount(codes[~side], weights=churned[~side], minlength=size)
        score[side] = ((left + PRIOR_ROWS * average) / (count + PRIOR_ROWS))[codes[side]]
    return auc(score, churned)


@dataclass(frozen=True, eq=False)
class _Mark:
    """The rows that a column marks: those on which something happened, often or lately."""

    column: int
    rows: Flags
    precision: float
    share: float
    """Of those who left, how many bear it."""


def _marks(rows: LabelledRows, catalog: Catalog) -> Iterator[Leak]:
    """Columns that mark many of those who leave and hardly anybody else, where most stay."""
    if rows.churned.mean() > 0.5:
        return
    for mark in _marked(rows, catalog, PURE, PURE_SHARE):
        name = rows.columns[mark.column]
        yield Leak(
            (name,),
            f"leak: '{name}' marks {mark.share:.0%} of those who left, and {mark.precision:.0%} of those it "
            "marks left; it seems to know the future. Check when its events are recorded.",
            f"リーク：「{name}」は離反した顧客の{mark.share:.0%}に付き、付いた顧客の{mark.precision:.0%}が離反して"
            "いる。未来の情報を含む疑いがある。イベントがいつ記録されたかを確認してください。",
        )


def _at_lead_zero_only(leads: LeadLabels, catalog: Catalog) -> Iterator[Leak]:
    """Columns whose mark tells who leaves at once, and nothing of who leaves a week or a month later."""
    rows, churned = leads.rows, leads.rows.churned
    if not churned.any() or churned.mean() > 0.5:
        return
    for mark in _marked(rows, catalog, MARK, MARK_SHARE):
        for days, left in leads.left.items():
            still, later = leads.still[days], left & leads.still[days]
            if len(np.unique(rows.keys[later])) < FEWEST:
                continue
            share = float((mark.rows & later).sum() / later.sum())
            before = float((mark.rows & still & ~later).sum() / max(1, (still & ~later).sum()))
            if share - before <= LOST * mark.share:
                name = rows.columns[mark.column]
                yield Leak(
                    (name,),
                    f"leak: '{name}' marks {mark.share:.0%} of those who left within the horizon "
                    f"({mark.precision:.0%} of those it marks left), but {share:.0%} of those who left "
                    f"{days} days later: it works at lead 0 only, as what is recorded after the fact. "
                    "Let `recorded_at` say when its events were learned of.",
                    f"リーク：「{name}」は期間内に離反した顧客の{mark.share:.0%}に付く（付いた顧客の"
                    f"{mark.precision:.0%}が離反）が、{days}日後からの離反では{share:.0%}にすぎない。直前にしか"
                    "効かず、あとから記録された疑いがある。`recorded_at` に判明した時点を入れてください。",
                )
                break


def _marked(rows: LabelledRows, catalog: Catalog, precision: float, share: float) -> Iterator[_Mark]:
    """The columns with a mark of at least this precision, on at least this share of those who left."""
    churned, total = rows.churned, int(rows.churned.sum())
    signs = {
        one.name: PRESENCE.get(one.aggregate, 0.0) for one in catalog.features if isinstance(one, Feature)
    }
    for column, name in enumerate(rows.columns):
        sign = signs.get(name, 0.0)
        if sign == 0.0 or catalog.indicator_of(name) == "profile":
            continue
        values = sign * rows.column(column)
        known = ~np.isnan(values) & (values != 0.0 if sign > 0 else True)
        cut = _threshold(values[known], churned[known], precision)
        if cut is None:
            continue
        marked = known & (np.where(known, values, -np.inf) >= cut)
        hits = marked & churned
        if hits.sum() >= share * total and len(np.unique(rows.keys[hits])) >= FEWEST:
            yield _Mark(column, marked, float(hits.sum() / marked.sum()), float(hits.sum() / total))


def _threshold(values: Floats, churned: Flags, precision: float) -> float | None:
    """The lowest value from which on so many of the rows left, None where there is none."""
    if not len(values):
        return None
    order = np.argsort(-values, kind="stable")
    ordered, left = values[order], np.cumsum(churned[order])
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    pure = ends[left[ends] >= precision * (ends + 1)]
    return float(ordered[pure[-1]]) if len(pure) else None
