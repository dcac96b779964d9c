"""Which column of a table is the customer, the moment, the amount, the number of the order and the kind."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from features.events.attributes import RESERVED_ATTRIBUTES, names_permission, names_refusal
from serving.project.proposal.data_files import DataTable
from serving.project.proposal.known_columns import NOT_DONE, TAKEN_BACK, candidates, normal

MOSTLY = 0.9
"""A column is what it seems where this share of what it says looks so."""
MOST_KINDS = 40
_YEAR_FIRST = r"\d{4}[-/.年]\s?\d{1,2}([-/.月]\s?\d{1,2}日?)"
_YEAR_LAST = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
_ERA = r"(令和|平成|昭和|[RHS])\s?(\d{1,2}|元)[-/.年]\d{1,2}[-/.月]\d{1,2}日?"
MOMENT = re.compile(
    rf"^({_YEAR_FIRST}|{_YEAR_LAST}|{_ERA})([T ]?\s*.*\d.*)?$"
    r"|^(19|20)\d{6}(\d{6})?$|^1\d{9}(\d{3}){0,2}$"
)
CLOCK = re.compile(r"^\d{1,2}[:時]\d{2}([:分]\d{2}秒?)?$|^\d{6}$")
NUMBER = re.compile(r"^[-+▲△(]?\s*[¥$€£]?\s*[-+]?\d[\d,.' ]*\s*(円|[A-Z]{3}|€)?\)?$")


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
            if fits is None or _mostly(fits, values):
                left.remove(column)
                return column
        return None

    attributes = tuple(column for column in left if table.values(column) and _decides_contact(column))
    left = [column for column in left if column not in attributes]
    customer = take("customer_id")
    known_at = next((c for c in candidates("known_at", left) if _mostly(MOMENT, table.values(c))), None)
    cancelled_at = take("cancelled_at", MOMENT)
    moment = take("occurred_at", MOMENT)
    day_alone = moment is not None and not any(
        ":" in value or "時" in value for value in table.values(moment)
    )
    time = take("time", CLOCK) if day_alone else None
    number = take("event_id")
    amount = take("value", NUMBER)
    state = take("state", most=MOST_KINDS)
    if state is not None and not any(
        TAKEN_BACK.search(value) or NOT_DONE.match(value) for value in table.values(state)
    ):
        left.append(state)
        state = None
    kind = take("kind", most=MOST_KINDS)
    return ColumnRoles(
        customer, moment, time, amount, number, kind, state, cancelled_at,
        place=take("place"), channel=take("channel", most=MOST_KINDS), detail=take("detail"),
        attributes=attributes, known_at=known_at if attributes else None,
    )  # fmt: skip


def _mostly(pattern: re.Pattern[str], values: list[str]) -> bool:
    """Whether a pattern fits nearly all values, in whatever width they are written."""
    fit = sum(bool(pattern.match(unicodedata.normalize("NFKC", value))) for value in values)
    return bool(values) and fit >= MOSTLY * len(values)


def _decides_contact(column: str) -> bool:
    """Whether an attribute of this name is consent or a birthday."""
    birthdays = {normal(name) for name in RESERVED_ATTRIBUTES["birthday"]}
    return names_refusal(column) or names_permission(column) or normal(column) in birthdays
