"""The columns of a file about lifetime value, which depend on the months that a project asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serving.presentation.columns import Cell, ListColumn, ListRow
from serving.presentation.i18n import rounded_amount
from serving.schemas.lifetime_words import lifetime_words


def lifetime_columns(months: Sequence[int]) -> list[ListColumn]:
    """The columns of a file about lifetime value: over each number of months the value and its interval."""
    return [
        ListColumn(
            f"lifetime_value_{one}_months{end}", lifetime_words(one, end, "ja"), _lifetime_cell(one, end)
        )
        for one in months
        for end in ("", "_low", "_high")
    ]


def _lifetime_cell(months: int, end: str) -> Callable[[ListRow], Cell]:
    """The cell of one of these columns."""

    def cell(row: ListRow) -> Cell:
        found = row.lifetime(months)
        return None if found is None else rounded_amount(getattr(found, end.removeprefix("_") or "value"))

    return cell
