"""The columns of a file about lifetime value, which depend on the months that a project asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from features.catalog.display_names import in_language
from serving.presentation.columns import Cell, ListColumn, ListRow
from serving.presentation.i18n import rounded_amount
from serving.schemas.lifetime_words import EVIDENCE, EVIDENCE_WORDS, lifetime_words, shows_value

ENDS = ("", "_low", "_high", EVIDENCE)
"""What there is over each number of months, as names of columns end."""


def lifetime_columns(months: Sequence[int]) -> list[ListColumn]:
    """The columns of a file about lifetime value: over each number of months the value, its range and how
    sure its level is; where that is low, the value is empty."""
    return [
        ListColumn(
            f"lifetime_value_{one}_months{end}", lifetime_words(one, end, "ja"), _lifetime_cell(one, end)
        )
        for one in months
        for end in ENDS
    ]


def _lifetime_cell(months: int, end: str) -> Callable[[ListRow], Cell]:
    """The cell of one of these columns."""

    def cell(row: ListRow) -> Cell:
        found = row.lifetime(months)
        if found is None:
            return None
        if end == EVIDENCE:
            return in_language(row.language, found.evidence, EVIDENCE_WORDS[found.evidence])
        if end == "" and not shows_value(found.evidence):
            return None
        return rounded_amount(getattr(found, end.removeprefix("_") or "value"))

    return cell
