"""Which column of a table is the customer, the moment, the amount, the number of the order and the kind."""

from __future__ import annotations

import re
from dataclasses import dataclass

from features.catalog.defaults import INDICATORS
from features.events.attributes import RESERVED_ATTRIBUTES
from serving.project.proposal.consent_columns import ConsentColumn, consent_column
from serving.project.proposal.data_files import DataTable
from serving.project.proposal.known_columns import INQUIRIES, candidates, normal
from serving.project.proposal.value_patterns import CLOCK, MOMENT, NUMBER, mostly

MOST_KINDS = 40


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of a table by what they are, None where no column is that."""

    customer: str | None
    moment: str | None
    time: str | None
    """The time of day, where the moment's column is a day alone."""
    amount: str | None
    number: str | None
    kind: str | None
    """What happened, where the table says it row by row."""
    state: str | None
    """The state of an order, where some rows were taken back or are none yet."""
    cancelled_at: str | None
    place: str | None
    channel: str | None
    detail: str | None
    attributes: tuple[str, ...] = ()
    """Columns that say whether a customer may be contacted, and birthdays."""
    consent: tuple[ConsentColumn, ...] = ()
    """What those of contact say."""
    known_at: str | None = None
    """Since when they are known."""

    @property
    def complete(self) -> bool:
        """Whether rows can be events: somebody, at some moment; a list of members is none."""
        profile = bool(self.attributes) and self.amount is None and self.kind is None
        return self.customer is not None and self.moment is not None and not profile

    def chosen(self) -> dict[str, str]:
        """Role and column, for those that were found."""
        return {role: column for role, column in vars(self).items() if isinstance(column, str)}


def find_roles(table: DataTable) -> ColumnRoles:
    """Tell by the columns' names, and by what the first rows say in them."""
    left = list(table.columns)

    def take(role: str, fits: re.Pattern[str] | None = None, most: int | None = None) -> str | None:
        for column in candidates(role, left):
            values = table.values(column)
            if not values or (most is not None and len(set(values)) > most):
                continue
            if fits is None or mostly(fits, values):
                left.remove(column)
                return column
        return None

    consent = tuple(
        found for column in left if (found := consent_column(column, table.values(column))) is not None
    )
    said = {found.column for found in consent}
    attributes = tuple(column for column in left if column in said or _is_birthday(table, column))
    left = [column for column in left if column not in attributes]
    customer = take("customer_id")
    known_at = next((c for c in candidates("known_at", left) if mostly(MOMENT, table.values(c))), None)
    cancelled_at = take("cancelled_at", MOMENT)
    moment = take("occurred_at", MOMENT)
    day_alone = moment is not None and not any(
        ":" in value or "時" in value for value in table.values(moment)
    )
    time = take("time", CLOCK) if day_alone else None
    number = take("event_id")
    amount = take("value", NUMBER)
    state = take("state", most=MOST_KINDS)
    kind = take("kind", most=MOST_KINDS)
    if kind is not None and not _says_what_happened(table, kind, amount):
        left.append(kind)
        kind = None
    return ColumnRoles(
        customer, moment, time, amount, number, kind, state, cancelled_at,
        place=take("place"), channel=take("channel", most=MOST_KINDS), detail=take("detail"),
        attributes=attributes, consent=consent, known_at=known_at if attributes else None,
    )  # fmt: skip


def _says_what_happened(table: DataTable, column: str, amount: str | None) -> bool:
    """Whether a column names kinds of event; beside an amount and in inquiries it is mostly a subject."""
    if INQUIRIES.search(table.name):
        return False
    known = {kind for indicator in INDICATORS for kind in indicator.kinds}
    return amount is None or any(value.casefold() in known for value in table.values(column))


def _is_birthday(table: DataTable, column: str) -> bool:
    birthdays = {normal(name) for name in RESERVED_ATTRIBUTES["birthday"]}
    return normal(column) in birthdays and bool(table.values(column))
