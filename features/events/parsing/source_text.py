"""The text columns of one source, read by what all its batches tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from features.events.parsing.amounts import AmountColumn, read_amounts
from features.events.parsing.evidence import BEFORE, OF_SETTING, AmountEvidence, MomentEvidence
from features.events.parsing.moments import MomentColumn, read_moment_numbers, read_moments

MOMENT_COLUMNS = ("occurred_at", "recorded_at")
AMOUNT_COLUMNS = ("value",)
Formats = dict[str, dict[str, str]]
"""How the columns of a source are written: `{"occurred_at": {"order": "dmy"}, "value": {"decimal": ","}}`."""


@dataclass
class SourceText:
    """What the text columns of a source tell, batch by batch; `conclude` after the last one.

    A batch may be read as soon as `is_open` is false. Each batch is read once where it can be read at once.
    """

    source: str
    date_order: str | None = None
    decimal: str | None = None
    before: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The formats that came in before."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the user calls a column, where it is not its own name: `known_at` for `occurred_at`."""
    concluded: bool = False
    _moments: dict[str, MomentEvidence] = field(default_factory=dict)
    _amounts: dict[str, AmountEvidence] = field(default_factory=dict)
    _last: dict[str, tuple[object, MomentColumn | AmountColumn]] = field(default_factory=dict)

    def observe(self, table: pa.Table) -> bool:
        """Learn from a batch; whether it must wait for more. Raises `DataError` on contradictions."""
        is_open = False
        for name in (*MOMENT_COLUMNS, *AMOUNT_COLUMNS):
            if name not in table.column_names or not takes(name, table.column(name).type):
                continue
            values = plain(table.column(name))
            if name in MOMENT_COLUMNS:
                moments, read = self._moment_evidence(name), read_column(values)
                moments.observe(read)
                is_open |= moments.is_open(read)
                self._last[name] = _identity(values), read
            else:
                amounts, numbers = self._amount_evidence(name), read_amounts(values)
                amounts.observe(numbers)
                is_open |= amounts.is_open(numbers)
                self._last[name] = _identity(values), numbers
        return is_open

    def conclude(self) -> None:
        """Decide what is open; raises `DataError` where nothing decides."""
        for moments in self._moments.values():
            moments.conclude()
        for amounts in self._amounts.values():
            amounts.conclude()
        self.concluded = True

    def ensure(self, table: pa.Table) -> None:
        """Make a batch readable that may be the only one."""
        if self.concluded or all(self._has(name, table) for name in (*MOMENT_COLUMNS, *AMOUNT_COLUMNS)):
            return
        if self.observe(table):
            self.conclude()

    def moments(self, name: str, values: pa.Array) -> MomentColumn:
        """A column as moments."""
        key, read = self._last.pop(name, (None, None))
        if not isinstance(read, MomentColumn) or key != _identity(values):
            read = read_column(values)
        read.settle(self._moment_evidence(name).order)
        return read

    def amounts(self, name: str, values: pa.Array) -> AmountColumn:
        """A column as numbers."""
        key, read = self._last.pop(name, (None, None))
        if not isinstance(read, AmountColumn) or key != _identity(values):
            read = read_amounts(values)
        read.settle(self._amount_evidence(name).decimal or ".")
        return read

    def formats(self) -> Formats:
        """How the columns are written, to be known at the next ingest."""
        found: Formats = {name: dict(known) for name, known in self.before.items()}
        for name, moments in self._moments.items():
            if moments.order is not None and moments.decided:
                found[name] = {"order": moments.order}
        for name, amounts in self._amounts.items():
            if amounts.decimal is not None:
                found[name] = {"decimal": amounts.decimal}
        return found

    def notes(self, timezone: str) -> tuple[str, ...]:
        """What a receipt says about the columns."""
        return (
            *(note for evidence in self._moments.values() for note in evidence.notes(timezone)),
            *(note for evidence in self._amounts.values() for note in evidence.notes()),
        )

    def _moment_evidence(self, name: str) -> MomentEvidence:
        if name not in self._moments:
            evidence = MomentEvidence(self.source, self.names.get(name, name))
            if self.date_order is not None:
                evidence.fix(self.date_order, OF_SETTING)
            elif order := self.before.get(name, {}).get("order"):
                evidence.fix(order, BEFORE)
            self._moments[name] = evidence
        return self._moments[name]

    def _amount_evidence(self, name: str) -> AmountEvidence:
        if name not in self._amounts:
            known, why = self.decimal or "", OF_SETTING
            if not known:
                known, why = self.before.get(name, {}).get("decimal", ""), BEFORE
            self._amounts[name] = AmountEvidence(self.source, self.names.get(name, name), known, why)
        return self._amounts[name]

    def _has(self, name: str, table: pa.Table) -> bool:
        if name not in table.column_names or not takes(name, table.column(name).type):
            return True
        return self._last.get(name, (None, None))[0] == _identity(plain(table.column(name)))


def takes(name: str, kind: pa.DataType) -> bool:
    """Whether a column of this type is read here: text, and whole numbers that stand for moments."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if is_text(kind):
        return True
    return name in MOMENT_COLUMNS and (pa.types.is_integer(kind) or pa.types.is_floating(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's types of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def plain(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, without a dictionary."""
    # One chunk is taken as it is: combining copies it, and a batch is read once while its memory is the same.
    values = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def read_column(values: pa.Array) -> MomentColumn:
    """A column of text or numbers as moments."""
    return read_moments(values) if is_text(values.type) else read_moment_numbers(values)


def _identity(values: pa.Array) -> object:
    """Tells whether two arrays are the same memory."""
    return len(values), values.offset, *(b.address for b in values.buffers() if b is not None)
