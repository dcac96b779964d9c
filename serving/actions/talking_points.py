"""Talking points of a bucket's customers: favourites, habits, anniversaries, inquiries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.events.attributes import attributes_of, is_birthday, read_month_day
from features.events.history import MISSING, is_taken_back
from features.timeline import DAY, Timeline
from serving.actions.item_similarity import ItemSimilarity
from serving.reports.aggregates import Ints
from serving.reports.answer_times import AnswerTimes
from serving.reports.event_index import EventIndex
from serving.schemas.terms import ANSWERED, NO_INQUIRY, NOT_KNOWN, OPEN, STALE
from training.labels.cohort import contract_history
from training.labels.settings import Churn

LATELY = 90 * DAY
YEAR = 365 * DAY
HABIT = 180 * DAY
"""How far back channel and hour are read off."""
MOMENT = pa.timestamp("us", "UTC")


def last_of(facts: EventIndex, places: Ints) -> Ints:
    """int64[customers]: the place of each customer's last one of these events, -1 for none."""
    found = np.full(facts.history.customers, -1, dtype=np.int64)
    found[facts.row[places]] = places
    return found


def favourite_and_stopped_category(
    facts: EventIndex, as_of: int, likeness: ItemSimilarity
) -> dict[str, pa.Array]:
    """The year's favourite category, and the one that who still buys has not bought for 90 days."""
    history = facts.history
    at = _details(facts, _recent(facts, facts.of("purchase"), as_of - YEAR))
    at = at[~facts.taken_back[at]]
    lately = history.instants[at] >= as_of - LATELY
    still = np.zeros(history.customers, dtype=np.bool_)
    still[facts.row[at[lately]]] = True
    stopped = _most(facts, at, np.where(lately, -1e6, 1.0), 2, still)
    details, names = history.details[at].astype(np.int64), history.detail_names
    places = {name: place for place, name in enumerate(names)}
    known = np.array([*(places[name] for name in stopped.dictionary.to_pylist()), -1], dtype=np.int64)
    of_row = known[stopped.indices.fill_null(len(known) - 1).to_numpy()]
    # What a customer has stopped buying is a talking point of its own and no suggestion.
    likeness.add(
        facts.row[at], details, names, lately | (details == of_row[facts.row[at]]), history.customers
    )
    return {"favourite_category": _most(facts, at, np.ones(len(at)), 1), "stopped_category": stopped}


def add_feature_use(facts: EventIndex, as_of: int, likeness: ItemSimilarity) -> None:
    """Which features each customer used within the year: what was used at all is not suggested again."""
    at = _details(facts, _recent(facts, facts.of("usage"), as_of - YEAR))
    details = facts.history.details[at].astype(np.int64)
    used = np.ones(len(at), dtype=np.bool_)
    likeness.add(facts.row[at], details, facts.history.detail_names, used, facts.history.customers)


def preferred_channel_and_hour(facts: EventIndex, as_of: int) -> dict[str, pa.Array]:
    """The channel used most in the last 180 days, and the local hour around which a customer is active."""
    history, n = facts.history, facts.history.customers
    at = _recent(facts, np.flatnonzero(facts.behaviour), as_of - HABIT)
    channel = history.channels[at] if len(history.channels) else np.full(len(at), MISSING, np.int32)
    midnights = facts.timeline.midnights
    day = np.searchsorted(midnights, history.instants[at], side="right") - 1
    hour = np.minimum((history.instants[at] - midnights[day]) // (DAY // 24), 23)
    counts = np.bincount(facts.row[at] * 24 + hour, minlength=n * 24).reshape(n, 24)
    around = 2 * counts + np.roll(counts, 1, axis=1) + np.roll(counts, -1, axis=1)
    named = at[channel >= 0]
    return {
        "preferred_channel": _mode(facts, named, history.channels, history.channel_names),
        "preferred_hour": pa.array(around.argmax(axis=1).astype(np.int8), mask=counts.sum(axis=1) == 0),
    }


def tenure_and_anniversaries(facts: EventIndex, as_of: int, churn: Churn) -> dict[str, pa.Array]:
    """Tenure, days to the next anniversary of the first start, and to the birthday where one is known."""
    history, timeline = facts.history, facts.timeline
    starts = facts.of_kinds(churn.started_by)
    first = np.full(history.customers, -1, dtype=np.int64)
    first[facts.row[starts][::-1]] = starts[::-1]
    known = first >= 0
    began = np.where(known, history.instants[np.maximum(first, 0)] if history.events else 0, as_of)
    today = np.datetime64(timeline.local(as_of).date())
    born = _birthdays(facts)
    birth = np.array(["2000-01-01" if not day else f"2000-{day}" for day in born], dtype="datetime64[D]")
    no_birthday = np.array([not day for day in born], dtype=np.bool_)
    local = _local_days(began, timeline)
    coming = _next(local, today)
    years = (coming.astype("datetime64[Y]") - local.astype("datetime64[Y]")).astype(np.int32)
    untold = ~known | (years == 0)
    if churn.type == "contract":
        # An end, a change or a renewal first: the contract began before the record, nobody knows when.
        untold |= contract_history(history, churn).stays.first < began
        renewals = facts.of_kinds(churn.contracts.renewed_by)
        untold[facts.row[renewals[np.isin(renewals, first, assume_unique=True)]]] = True
    return {
        "tenure_days": pa.array((as_of - began) / DAY, mask=~known),
        "anniversary_in_days": pa.array((coming - today).astype(np.int32), mask=untold),
        "anniversary_years": pa.array(years, mask=untold),
        "birthday_in_days": pa.array((_next(birth, today) - today).astype(np.int32), mask=no_birthday),
    }


def _birthdays(facts: EventIndex) -> list[str | None]:
    """`MM-DD` of each customer's birthday, from any attribute that is called like one."""
    born: list[str | None] = [None] * facts.history.customers
    for name in attributes_of(facts.history):
        if is_birthday(name):
            values = facts.attribute(name)
            born = [day or (value and read_month_day(value)) for day, value in zip(born, values, strict=True)]
    return born


def drop_left_censored_anniversaries(table: pa.Table, churn: Churn) -> pa.Table:
    """Drop anniversaries of left-censored customers.

    A customer first seen within `active_days` of the start of the data may have begun before it, so the
    anniversary is unknown. The start of the data is the first event of all buckets.
    """
    if churn.type == "contract" or not len(table):
        return table
    tenure = np.nan_to_num(table.column("tenure_days").to_numpy())
    uncertain = pa.array(tenure > tenure.max() - churn.active_days)
    for name in ("anniversary_in_days", "anniversary_years"):
        place, column = table.schema.get_field_index(name), table.column(name)
        table = table.set_column(place, name, pc.if_else(uncertain, None, column))
    return table


def last_inquiry_and_survey(
    facts: EventIndex, as_of: int, times: AnswerTimes, open_days: int
) -> dict[str, pa.Array]:
    """The last inquiry and whether it was answered, and the last answer to a survey.

    Without minutes to the answer an inquiry is open for `open_days` and then stale, where `times` knows of
    answers to inquiries like it; else it is not known whether it was answered.
    """
    history = facts.history
    inquiry, answer = last_of(facts, facts.of("inquiry")), last_of(facts, facts.of("survey"))
    has_inquiry, answered = inquiry >= 0, np.zeros(history.customers, dtype=np.bool_)
    answered[has_inquiry] = history.values[inquiry[has_inquiry]] >= 0
    unknown, stale = np.zeros((2, history.customers), dtype=np.bool_)
    unknown[has_inquiry] = ~times.known(history, inquiry[has_inquiry])
    stale[has_inquiry] = history.instants[inquiry[has_inquiry]] < as_of - open_days * DAY
    score = np.full(history.customers, np.nan)
    score[answer >= 0] = history.values[answer[answer >= 0]]
    return {
        "inquiry": pa.array(
            np.select(
                [~has_inquiry, answered, unknown, stale], [NO_INQUIRY, ANSWERED, NOT_KNOWN, STALE], OPEN
            ).astype(np.int8)
        ),
        "last_inquiry_topic": _text(inquiry, history.details, history.detail_names),
        "last_inquiry_at": _moment(facts, inquiry),
        "last_survey": _text(answer, history.kinds, history.kind_names),
        "last_survey_score": pa.array(score, from_pandas=True),
        "last_survey_about": _text(answer, history.details, history.detail_names),
        "last_survey_at": _moment(facts, answer),
    }


def has_returned(facts: EventIndex, churn: Churn, since: int) -> NDArray[np.bool_]:
    """bool[customers]: who had left, and came back at or after `since`."""
    history = facts.history
    found = np.zeros(history.customers, dtype=np.bool_)
    if churn.type == "contract":
        return contract_history(history, churn).returned(since)
    starts = facts.of_kinds(churn.started_by)
    starts = starts[~is_taken_back(history, churn.amounts)[starts]]
    same = facts.row[starts[1:]] == facts.row[starts[:-1]]
    when = history.instants[starts]
    back = same & (when[:-1] <= churn.active_since(when[1:])) & (when[1:] >= since)
    found[facts.row[starts[1:][back]]] = True
    return found


def _recent(facts: EventIndex, places: Ints, since: int) -> Ints:
    return places[facts.history.instants[places] >= since]


def _details(facts: EventIndex, places: Ints) -> Ints:
    return places[facts.history.details[places] >= 0] if len(facts.history.details) else places[:0]


def _most(
    facts: EventIndex,
    places: Ints,
    weights: NDArray[np.float64],
    least: int,
    among: NDArray[np.bool_] | None = None,
) -> pa.DictionaryArray:
    """For each customer the detail with the largest sum of weights, if that is at least `least`."""
    history, n = facts.history, facts.history.customers
    used, codes = np.unique(history.details[places], return_inverse=True)
    by_name = sorted(range(len(used)), key=lambda code: history.detail_names[used[code]])
    names = [history.detail_names[used[code]] for code in by_name]
    rank = np.empty(len(used), dtype=np.int64)
    rank[by_name] = np.arange(len(used))
    key, inverse = np.unique(facts.row[places] * max(len(used), 1) + rank[codes], return_inverse=True)
    sums = np.bincount(inverse, weights=weights, minlength=len(key))
    order = np.lexsort((key, -sums, key // max(len(used), 1)))
    row = key[order] // max(len(used), 1)
    first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]]) if len(row) else np.empty(0, np.int64)
    best = np.full(n, -1, dtype=np.int64)
    chosen = order[first]
    best[row[first]] = np.where(sums[chosen] >= least, key[chosen] % max(len(used), 1), -1)
    if among is not None:
        best[~among] = -1
    return _coded(best, names)


def _mode(
    facts: EventIndex, places: Ints, codes: NDArray[np.int32], names: Sequence[str]
) -> pa.DictionaryArray:
    n, size = facts.history.customers, max(len(names), 1)
    if not len(places):
        return _coded(np.full(n, -1, dtype=np.int64), list(names))
    by_name = np.argsort(np.array(names), kind="stable")
    rank = np.empty(size, dtype=np.int64)
    rank[by_name] = np.arange(size)
    counts = np.bincount(facts.row[places] * size + rank[codes[places]], minlength=n * size).reshape(n, size)
    best = np.where(counts.max(axis=1) > 0, counts.argmax(axis=1), -1)
    return _coded(best, [names[code] for code in by_name.tolist()])


def _text(places: Ints, codes: NDArray[np.int32], names: Sequence[str]) -> pa.DictionaryArray:
    found = np.full(len(places), -1, dtype=np.int64)
    if len(codes):
        found[places >= 0] = codes[places[places >= 0]]
    return _coded(found, list(names))


def _moment(facts: EventIndex, places: Ints) -> pa.Array:
    when = np.zeros(len(places), dtype=np.int64)
    when[places >= 0] = facts.history.instants[places[places >= 0]]
    return pa.array(when, MOMENT, mask=places < 0)


def _coded(codes: Ints, names: list[str]) -> pa.DictionaryArray:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _local_days(instants: Ints, timeline: Timeline) -> NDArray[np.datetime64]:
    first = date(1969, 12, 31)
    day = np.searchsorted(timeline.midnights, instants, side="right") - 1
    return np.datetime64(first) + day


def _next(days: NDArray[np.datetime64], today: np.datetime64) -> NDArray[np.datetime64]:
    """The next day of the same month and day, today included; 29 February may be 1 March."""
    month = days.astype("datetime64[M]")
    of_year = (month - days.astype("datetime64[Y]")).astype(np.int64)
    of_month = (days - month).astype(np.int64)

    def in_year(year: np.datetime64) -> NDArray[np.datetime64]:
        found: NDArray[np.datetime64] = (year.astype("datetime64[M]") + of_year).astype(
            "datetime64[D]"
        ) + of_month
        return found

    year = today.astype("datetime64[Y]")
    this, following = in_year(year), in_year(year + 1)
    return np.where(this >= today, this, following)
