"""Validation of rows: which are events, and why the others are refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import DataError
from features.events.answer_scales import answers_by_scale, off_scale, rescaled, scale_words
from features.events.consent import refusals
from features.events.event_columns import (
    MomentsRead,
    flags,
    moment_column,
    named_column,
    number_column,
    text_column,
)
from features.events.parsing.source_text import plain
from features.events.recurring_amounts import PER, PERIODS
from features.events.schema import EVENT_SCHEMA, REFUND, REFUSED_SCHEMA, REQUIRED, TEXTS
from features.events.validation_counts import (
    HEALED_BY_TIME,
    NOT_A_NUMBER,
    RECORDED_TOO_LATE,
    TOO_EARLY,
    TOO_LATE,
    UNREADABLE,
    ZONE_IN_DOUBT,
    ValidationCounts,
)
from features.timeline import ALWAYS, DAY, EARLIEST, LATEST, SECOND, Timeline

NO_CUSTOMER = "customer_id is empty"
LARGEST = 1e100
"""Far beyond any amount, and small enough that sums and squares of any number of values stay finite."""
FRESH = 60 * SECOND
"""An attribute known at `now()` is known now: the database's clock runs on while sources are read."""


@dataclass(frozen=True)
class RejectedRow:
    """A row that is no event: its position, the column at fault and the reason."""

    row: int
    column: str
    reason: str


class _Reasons:
    """Why rows are no events: for each a place in `known`, 0 for nothing."""

    def __init__(self, rows: int, tally: ValidationCounts) -> None:
        self.places = np.zeros(rows, dtype=np.int16)
        self.known: list[tuple[str, str]] = [("", "")]
        """Reasons, each with the column that says so."""
        self._tally = tally

    def refuse(self, where: NDArray[np.bool_], column: str, why: str) -> None:
        """Refuse the rows of a mask, save those that were refused before."""
        where = where & (self.places == 0)
        count = int(where.sum())
        if count:
            self.known.append((why, column))
            self.places[where] = len(self.known) - 1
            self._tally.reasons[why] = self._tally.reasons.get(why, 0) + count

    def of(self, *reasons: str) -> NDArray[np.bool_]:
        """Rows that were refused for one of these reasons."""
        places = [place for place, (why, _) in enumerate(self.known) if why in reasons]
        return np.isin(self.places, places) if places else np.zeros(len(self.places), dtype=bool)


def check(table: pa.Table, timeline: Timeline, now: int, source: str) -> tuple[pa.Table, pa.Table]:
    """Split rows into events (`EVENT_SCHEMA`) and refused rows (`REFUSED_SCHEMA`, each with its reason).

    Raises `DataError` when it is not single rows that are wrong but the whole: a missing column, a
    column of the wrong type, no rows, or times that are all impossible.
    """
    tally = ValidationCounts(source)
    split = validate_rows(table, timeline, now, tally)
    tally.verdict()
    return split


def validate_rows(
    table: pa.Table, timeline: Timeline, now: int, tally: ValidationCounts
) -> tuple[pa.Table, pa.Table]:
    """As `check`, for one batch of a source; the tally gathers what its verdict needs in the end."""
    events, found = _examined(table, timeline, now, tally)
    bad = found.places != 0
    tally.accepted = ~bad
    if not bad.any():
        return events, REFUSED_SCHEMA.empty_table()
    reasons = pa.array([reason for reason, _ in found.known])
    why = pa.DictionaryArray.from_arrays(pa.array(found.places[bad]), reasons).dictionary_decode()
    waits = pc.is_in(why, pa.array(HEALED_BY_TIME, pa.string()))
    later = nothing = pa.nulls(len(why), pa.string())
    if pc.any(waits).as_py():
        later = pc.if_else(waits, as_json(events.filter(pa.array(bad))), nothing)
    refused = pa.Table.from_arrays(
        [
            pa.array([tally.source] * len(why), pa.string()),
            as_json(table.filter(pa.array(bad))),
            why,
            later,
            nothing,
        ],
        schema=REFUSED_SCHEMA,
    )
    return events.filter(pa.array(~bad)), refused


def whole(table: pa.Table, timeline: Timeline, now: int, source: str) -> tuple[pa.Table, RejectedRow | None]:
    """Rows that must all be events (`EVENT_SCHEMA`), and the first that is none by the rules of `check`."""
    events, found = _examined(table, timeline, now, ValidationCounts(source))
    if not found.places.any():
        return events, None
    row = int(np.flatnonzero(found.places)[0])
    why, column = found.known[found.places[row]]
    return events, RejectedRow(row, column, why)


def _examined(
    table: pa.Table, timeline: Timeline, now: int, tally: ValidationCounts
) -> tuple[pa.Table, _Reasons]:
    """Every row in the columns of an event, and why it is none."""
    source, rows = tally.source, table.num_rows
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        raise DataError(
            f"cannot ingest source '{source}': its query gives no column '{missing[0]}'. "
            f"It has {', '.join(table.column_names)}; name one of them so, as in `x as {missing[0]}`.",
            field=missing[0],
        )
    tally.now = now
    tally.texts.ensure(table)
    tally.rows += rows
    found = _Reasons(rows, tally)
    refuse = found.refuse

    def column(name: str) -> pa.Array:
        if name not in table.column_names:
            return pa.nulls(rows, pa.null())
        values = plain(table.column(name))
        tally.types[name] = str(values.type)
        return values

    def blank(texts: pa.Array) -> NDArray[np.bool_]:
        return flags(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0), null=True)

    customer = text_column(column("customer_id"), "customer_id", tally)
    refuse(blank(customer), "customer_id", NO_CUSTOMER)

    given = column("occurred_at")
    moments = moment_column(given, "occurred_at", timeline, tally)
    occurred = moments.instants
    if tally.is_attribute:
        occurred = np.where((occurred > now) & (occurred <= now + FRESH), now, occurred)
    kind = text_column(column("kind"), "kind", tally)
    amounts = column("value")
    value, unreadable, absent = number_column(amounts, tally)
    has_period = PER in table.column_names and tally.recurring.concerns(kind)
    per = named_column(column(PER), PER, tally) if has_period else None
    value, unknown_periods, converted = tally.recurring.convert(value, kind, per)
    tally.converted += converted
    undated = _undated_refusals(moments, (kind, column("detail"), value), tally)
    occurred = np.where(undated, now, occurred)

    refuse(moments.unreadable & ~undated, "occurred_at", UNREADABLE)
    for zone, of_zone in moments.doubts.items():
        why = f"{ZONE_IN_DOUBT} '{zone}': write an offset such as +09:00"
        refuse(of_zone & ~undated, "occurred_at", why)
    refuse(moments.absent & ~undated, "occurred_at", "occurred_at is empty")
    refuse(occurred < EARLIEST, "occurred_at", TOO_EARLY)
    in_1970 = (found.places == 0) & (occurred < EARLIEST + 365 * DAY)
    tally.in_1970 += 0 if tally.is_attribute else int(in_1970.sum())
    tally.keep_samples("occurred_at", given, (found.places != 0) | in_1970 | (occurred > now))
    refuse(blank(kind), "kind", "kind is empty")

    tally.values += rows - int(absent.sum())
    refuse(unreadable, "value", NOT_A_NUMBER)
    tally.keep_samples("value", amounts, unreadable)
    refuse(~flags(pc.is_finite(value), null=True), "value", "value is NaN or infinite")
    refuse(flags(pc.greater(pc.abs(value), LARGEST), null=False), "value", "value is beyond 1e100")
    for word, of_word in unknown_periods.items():
        refuse(of_word, PER, f"per is '{word}', which is no period: write {PERIODS}")
    refund = flags(pc.equal(kind, REFUND), null=False)
    if refund.any():
        refuse(
            refund & flags(pc.greater(value, 0), null=False),
            "value",
            "a refund has a positive value: write the amount negative",
        )

    given_value = value
    if tally.scales:
        value = _on_declared_scales(kind, occurred, value, tally, refuse)
    known = moment_column(column("recorded_at"), "recorded_at", timeline, tally)
    refuse(known.unreadable, "recorded_at", "recorded_at is not a moment that can be read")
    for zone, of_zone in known.doubts.items():
        why = f"recorded_at names the zone '{zone}': write an offset such as +09:00"
        refuse(of_zone, "recorded_at", why)
    recorded = np.where(known.absent, ALWAYS, np.maximum(known.instants, occurred))
    # Last: what time heals is tried again as it is. A refusal of contact counts at once, whatever its date.
    late = occurred > now
    if late.any() and tally.consent is not None:
        late &= ~refusals(kind, column("detail"), value, late, tally.consent)
    refuse(late, "occurred_at", TOO_LATE)
    refuse(recorded > now, "recorded_at", RECORDED_TOO_LATE)

    if not tally.is_attribute:
        numbers = given_value.fill_null(np.nan).to_numpy(zero_copy_only=False)
        beyond = unreadable | ~(np.isnan(numbers) | (np.abs(numbers) <= LARGEST))
        aside = found.of(NO_CUSTOMER, TOO_LATE, RECORDED_TOO_LATE)
        tally.amounts.add(np.where(aside, np.nan, numbers), (found.places != 0) & ~aside, beyond)
    texts = {name: named_column(column(name), name, tally) for name in (*TEXTS, "event_id")}
    if undated.any():
        texts["event_id"] = _ids_of_undated(
            texts["event_id"], (customer, kind, texts["detail"], value), undated
        )
    events = pa.Table.from_arrays(
        [
            customer,
            pa.array(occurred).cast(pa.timestamp("us", "UTC")),
            kind,
            value,
            *(texts[name] for name in ("channel", "place", "detail")),
            pa.array(recorded, mask=known.absent).cast(pa.timestamp("us", "UTC")),
            *(texts[name] for name in ("contract_id", "currency", "event_id")),
        ],
        schema=EVENT_SCHEMA,
    )
    return events, found


def _on_declared_scales(
    kinds: pa.Array,
    occurred: NDArray[np.int64],
    values: pa.Array,
    tally: ValidationCounts,
    refuse: Callable[[NDArray[np.bool_], str, str], None],
) -> pa.Array:
    """Values with the answers of surveys brought to the scales on which they are compared."""
    answers = values.fill_null(np.nan).to_numpy(zero_copy_only=False).copy()
    for one, mine in answers_by_scale(kinds, occurred, tally.scales):
        why = f"value is outside {scale_words(one.scale)}, the declared scale of '{one.kind}'"
        refuse(mine & off_scale(answers, one.scale), "value", why)
        answers[mine] = rescaled(answers[mine], one)
    return pa.array(answers, mask=flags(pc.is_null(values), null=False))


def _undated_refusals(
    moments: MomentsRead, said: tuple[pa.Array, pa.Array, pa.Array], tally: ValidationCounts
) -> NDArray[np.bool_]:
    """bool[rows]: which rows forbid contact and have no date that counts: they hold from now on.

    Such dates are empty, unreadable, 1900-01-01 or 9999-12-31. `said` are kinds, details and values.
    """
    nowhere = moments.unreadable | moments.absent
    for of_zone in moments.doubts.values():
        nowhere = nowhere | of_zone
    never = nowhere | (moments.instants < EARLIEST) | (moments.instants >= LATEST)
    if tally.consent is None or not never.any():
        return np.zeros(len(never), dtype=np.bool_)
    found = refusals(*said, never, tally.consent)
    tally.undated += int(found.sum())
    tally.undated_unread += int((found & nowhere & ~moments.absent).sum())
    return found


def _ids_of_undated(ids: pa.Array, said: tuple[pa.Array, ...], undated: NDArray[np.bool_]) -> pa.Array:
    """Event ids with one for each undated row that has none, so that the next ingest brings no second."""
    rows = np.flatnonzero(undated)
    made = np.full(len(ids), None, dtype=object)
    for row, *parts in zip(
        rows.tolist(), *(one.take(pa.array(rows)).to_pylist() for one in said), strict=True
    ):
        made[row] = hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
    return pc.coalesce(ids, pa.array(made, pa.string()))


def as_json(rows: pa.Table) -> pa.Array:
    """Each row as JSON text."""
    if rows.num_columns == 0 or rows.num_rows == 0:
        return pa.nulls(rows.num_rows, pa.string()).fill_null("{}")
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")
        database.execute("set TimeZone = 'UTC'")
        database.register("refused", rows)
        texts = database.sql("select to_json(refused)::varchar as row from refused").to_arrow_table()
    return texts.column("row").combine_chunks().cast(pa.string())
