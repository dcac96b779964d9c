"""Evidence: what the texts of a whole column tell about how they are written.

Day before month or after it, a comma for decimals or for thousands: one text cannot say, the column does,
over all files of a source and what came in before. What is not proved is refused, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from features.errors import DataError
from features.events.parsing.amount_layouts import COMMA, POINT
from features.events.parsing.amounts import AmountColumn
from features.events.parsing.moments import MomentColumn, epochs_among

DATE_ORDERS = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
DECIMALS = {POINT: "a point", COMMA: "a comma"}
OF_SETTING = "kizuna.toml"
BEFORE = "what came in before"


@dataclass
class MomentEvidence:
    """How the moments of one column are written."""

    source: str
    column: str
    orders: dict[str, str] = field(default_factory=lambda: dict.fromkeys(DATE_ORDERS, ""))
    """The orders of day and month that no text has ruled out."""
    ruled_out: dict[str, str] = field(default_factory=dict)
    """Those ruled out, each with the text that did it."""
    undecided: str = ""
    """A text that two orders read differently."""
    decided: bool = False
    """Whether any text hangs on the order."""
    kinds: dict[str, tuple[int, str]] = field(default_factory=dict)
    zoned: int = 0
    naive: tuple[int, str] = (0, "")

    def fix(self, order: str, why: str) -> None:
        """Take an order as known: from the settings, or from what came in before."""
        for other in [one for one in self.orders if one != order]:
            del self.orders[other]
            self.ruled_out[other] = why

    @property
    def order(self) -> str | None:
        """The order of day and month, None where it is not known."""
        return next(iter(self.orders)) if len(self.orders) == 1 else None

    def observe(self, read: MomentColumn) -> None:
        """Learn from a batch; raises `DataError` where it contradicts what is known."""
        self.decided = self.decided or bool(read.ordered)
        for numbers in read.ordered:
            before = dict(self.orders)
            for order in before:
                valid = numbers.valid(order)
                if not valid.all():
                    del self.orders[order]
                    self.ruled_out[order] = numbers.example(read.texts, ~valid)
            if not self.orders:
                raise self._contradiction(before)
            if len(self.orders) > 1 and not self.undecided:
                first, *others = (numbers.by_order[order][0] for order in self.orders)
                for other in others:
                    if (other != first).any():
                        self.undecided = numbers.example(read.texts, other != first)
        for kind, (count, text) in read.kinds.items():
            known, first_text = self.kinds.get(kind, (0, text))
            self.kinds[kind] = known + count, first_text
        epochs = epochs_among(self.kinds)
        if epochs and len(self.kinds) > 1:
            ways = [(_named(kind), text.strip()) for kind, (_, text) in self.kinds.items()]
            raise DataError(
                f"cannot ingest source '{self.source}': its column {self.column} mixes '{ways[0][1]}' "
                f"({ways[0][0]}) and '{ways[1][1]}' ({ways[1][0]}). Write one form in the "
                "query, or make two sources of it.",
                field=self.column,
            )
        good = ~read.absent & ~read.unreadable
        zoned = int((read.zoned & good).sum()) + sum(len(rows) for rows in read.places.values())
        self.zoned += zoned
        naive = good & ~read.zoned
        for placed in read.places.values():
            naive[placed] = False
        if naive.any():
            count, text = self.naive
            at = int(naive.nonzero()[0][0])
            self.naive = count + int(naive.sum()), text or str(read.texts[at].as_py()).strip()

    def is_open(self, read: MomentColumn) -> bool:
        """Whether a batch must wait for more evidence."""
        return bool(read.ordered) and self.order is None

    def conclude(self) -> None:
        """Refuse a column whose order of day and month nothing has told."""
        if self.undecided and self.order is None:
            ways = " or ".join(DATE_ORDERS[order] for order in self.orders)
            example = next(iter(self.orders))
            raise DataError(
                f"cannot ingest source '{self.source}': '{self.undecided}' in its column {self.column} may "
                f"be read {ways}, and no row of the column tells which. Say it in kizuna.toml, under "
                f"the source '{self.source}', as in `date_order = \"{example}\"` "
                f"({', '.join(f'{order}: {DATE_ORDERS[order]}' for order in self.orders)}).",
                field=self.column,
            )

    def notes(self, timezone: str) -> list[str]:
        """What a receipt says about the column."""
        count, text = self.naive
        if not (count and self.zoned):
            return []
        return [
            f"{count:,} of {count + self.zoned:,} rows name no zone in {self.column}, for example '{text}': "
            f"read in {timezone}"
        ]

    def _contradiction(self, before: dict[str, str]) -> DataError:
        order = next(iter(before))
        others = [other for other in ("dmy", "mdy", "ymd") if other != order and other in self.ruled_out]
        decided = self.ruled_out[others[0]] if others else ""
        if decided == OF_SETTING:
            return DataError(
                f"cannot ingest source '{self.source}': kizuna.toml says date_order = \"{order}\", but "
                f"'{self.ruled_out[order]}' in its column {self.column} cannot be read {DATE_ORDERS[order]}. "
                "Correct date_order, or the row.",
                field=self.column,
            )
        since = "came in before" if decided == BEFORE else f"hold '{decided}'"
        return DataError(
            f"cannot ingest source '{self.source}': the dates of its column {self.column} {since}, "
            f"which is read {DATE_ORDERS[order]}, but '{self.ruled_out[order]}' cannot be. Correct the "
            "rows, or make two sources of it, each with its own `date_order`.",
            field=self.column,
        )


@dataclass
class AmountEvidence:
    """How the numbers of one column are written."""

    source: str
    column: str
    known: str = ""
    """The decimal separator, from the settings or from what came in before."""
    why: str = ""
    proofs: dict[str, str] = field(default_factory=dict)
    in_doubt: dict[str, str] = field(default_factory=dict)
    currencies: dict[str, str] = field(default_factory=dict)
    percent: str = ""
    bare: str = ""
    labels: dict[str, set[int]] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)

    @property
    def decimal(self) -> str | None:
        """The decimal separator, None where it is not known yet."""
        return self.known or (next(iter(self.proofs)) if len(self.proofs) == 1 else None)

    def observe(self, read: AmountColumn) -> None:
        """Learn from a batch; raises `DataError` where it contradicts what is known."""
        for mine, new in ((self.proofs, read.decimals), (self.in_doubt, read.in_doubt),
                          (self.currencies, read.currencies)):  # fmt: skip
            for key, text in new.items():
                mine.setdefault(key, text)
        self.percent, self.bare = self.percent or read.percent, self.bare or read.bare
        for word, count in read.words.items():
            self.words[word] = self.words.get(word, 0) + count
        for label, numbers in read.labels.items():
            self.labels.setdefault(label, set()).update(numbers)
        start = f"cannot ingest source '{self.source}': its column {self.column} "
        against = next((text for mark, text in self.proofs.items() if self.known and mark != self.known), "")
        if against:
            origin = "kizuna.toml says" if self.why == OF_SETTING else "What came in before has"
            raise DataError(
                f"{start}holds '{against}'. {origin} {DECIMALS[self.known]} before decimals. Correct the "
                "rows, or make two sources of it, each with its own `decimal`.",
                field=self.column,
            )
        if len(self.proofs) > 1:
            raise DataError(
                f"{start}holds '{self.proofs[POINT]}' and '{self.proofs[COMMA]}', and no rule reads both. "
                "Correct the rows, or make two sources of it, each with its own `decimal`.",
                field=self.column,
            )
        if len(self.currencies) > 1:
            one, other = list(self.currencies.values())[:2]
            raise DataError(
                f"{start}mixes currencies, as in '{one}' and '{other}'. Make a source for each currency.",
                field=self.column,
            )
        if self.percent and self.bare:
            raise DataError(
                f"{start}mixes '{self.percent}' and '{self.bare}'. Write one of them in the query.",
                field=self.column,
            )
        used: dict[int, str] = {}
        for label, numbers in self.labels.items():
            for number in numbers:
                if used.setdefault(number, label) != label or len(numbers) > 1:
                    raise DataError(
                        f"{start}has words beside its numbers that are no labels of a scale: {number} is "
                        f"'{used[number]}' and '{label}'. Take the number out in the query.",
                        field=self.column,
                    )

    def is_open(self, read: AmountColumn) -> bool:
        """Whether a batch must wait for more evidence."""
        return bool(read.waiting) and self.decimal is None

    def conclude(self) -> None:
        """Decide the separator in the end, or refuse a column that may be a thousand times more.

        Commas before groups of three are thousands where nothing says otherwise: no program writes decimals
        so. Points before groups of three alone may be either: programs do write 1.000 and 12.500.
        """
        if self.decimal is not None:
            return
        if text := self.in_doubt.get(POINT):
            whole = text.replace(POINT, "")
            raise DataError(
                f"cannot ingest source '{self.source}': '{text}' in its column {self.column} may be {text} "
                f"or {whole}, and no row of the column tells which. Say it in kizuna.toml, under the source "
                f'\'{self.source}\': `decimal = "."` for {text}, `decimal = ","` for {whole}.',
                field=self.column,
            )
        if self.in_doubt:
            self.known, self.why = POINT, BEFORE

    def notes(self) -> list[str]:
        """What a receipt says about the column."""
        return [
            f"{count:,} rows say '{word}' in {self.column}: no value" for word, count in self.words.items()
        ]


def _named(kind: str) -> str:
    return f"{kind} since 1970" if epochs_among([kind]) else kind
