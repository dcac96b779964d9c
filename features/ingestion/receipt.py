"""What became of the rows of one ingest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Receipt:
    """What became of a source's rows: read = new + already there + corrected + quarantined + erased."""

    source: str
    read: int
    new: int
    already_there: int
    corrected: int
    quarantined: int
    without_customer: int
    """Of those quarantined, the ones that name no customer."""
    erased: int = 0
    """Rows of erased customers, left out."""
    notes: tuple[str, ...] = ()
    """What was decided about texts: absent values, moments without a zone among those with one."""
