"""What became of the rows of one ingest."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RefusalReason:
    """Rows of a source that are quarantined for one reason."""

    reason: str
    rows: int
    example: str
    """One of the rows, as JSON."""
    other: str | None = None
    """The row that the example contradicts, as JSON."""


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
    several_rows: int = 0
    """Event ids that came in several rows of this ingest."""
    retried: int = 0
    """Of those read, rows that were quarantined before because their moment had not come."""
    taken_out: int = 0
    """Events of earlier ingests that do not count any more: replaced, or gone from the source."""
    refused: str | None = None
    """Why nothing of this source was stored; None where it was."""
    reasons: tuple[RefusalReason, ...] = field(default=(), compare=False)
    """Why rows were quarantined, most first."""
    quarantined_amount: float = field(default=0.0, compare=False)
    """The share of the amount that the quarantined rows carry."""

    @classmethod
    def of_ended(cls, source: str, taken_out: int) -> Receipt:
        """Of a source that is not configured any more, whose events were taken out."""
        return cls(source, 0, 0, 0, 0, 0, 0, taken_out=taken_out)


@dataclass(frozen=True)
class StoreChange:
    """A write of a few events, with the data versions around it, both read while nobody else could write."""

    events: int
    """How many were stored or taken back."""
    before: str
    after: str
