"""Learning without contact: the weighted rows of a training, what they are, and whether they are enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from features.errors import DataError
from features.event_store import EventStore
from training.data.contact_weights import ContactAssignments, ContactWeighting, without_contact
from training.data.other_contacts import contacted_rows
from training.data.rows.labelled_rows import LabelledRows, customers_by_outcome
from training.labels.settings import Churn

FEWEST_CONTROLS = 50
"""Control customers who stand for a treatment arm that is left out; with fewer, chance decides the model."""
FEWEST_OUTCOMES = 25
"""Customers who left, and who stayed, among the rows that remain."""
ASKED = 'cannot learn the risk without contact ([churn] contacts = "without_contact")'
INSTEAD = 'write contacts = "as_they_were" in [churn]'


@dataclass(frozen=True)
class ContactFacts:
    """What the bundle says of learning without contact."""

    weighting: ContactWeighting
    other_contacts: Mapping[str, int]
    """By kind, the remaining rows with a contact in their label that no campaign assigned."""

    def to_json(self, *, on_controls: bool) -> dict[str, object]:
        """As the bundle's settings keep it; `on_controls` says whom calibration was fitted on."""
        facts = {
            **asdict(self.weighting),
            "effective_rows": round(self.weighting.effective_rows, 1),
            "other_contacts": dict(self.other_contacts),
            "calibrated_on": "control" if on_controls else "weighted_rows",
        }
        return {"without_contact": facts}


def uncontacted_rows(
    store: EventStore,
    cohort: LabelledRows,
    assignments: ContactAssignments | None,
    churn: Churn,
    company_kinds: frozenset[str],
    until: int | None,
) -> tuple[LabelledRows, ContactFacts]:
    """The rows that no campaign contacts, weighted, and what is to be said of them.

    Only assignments made before `until` are known. Raises `DataError` where no campaign with a control group
    was started by then, and where the rows that remain are too few.
    """
    known = None if assignments is None else assignments.before(until)
    if known is None or known.treated.all():
        raise DataError(
            f"{ASKED}: no campaign with a control group had been started by then, so nothing tells what "
            "contacts changed. Start one with `kizuna campaign start NAME` and train again when its review "
            f"date is reached, or {INSTEAD}."
        )
    rows, weighting = without_contact(cohort, known, churn)
    require_enough(rows, weighting)
    others = contacted_rows(store, rows, churn, company_kinds, until)
    return rows, ContactFacts(weighting, others)


def require_enough(rows: LabelledRows, weighting: ContactWeighting) -> None:
    """Raise `DataError` where the rows that remain without the treatment arms are too few to learn from."""
    if not weighting.left_out:
        return
    if weighting.control_customers < FEWEST_CONTROLS:
        raise DataError(
            f"{ASKED}: {weighting.left_out:,} rows of treatment arms are left out, and "
            f"{weighting.control_customers:,} control customers would stand for them, where "
            f"{FEWEST_CONTROLS} are needed. Start campaigns with a larger --control, or {INSTEAD}."
        )
    left, stayed = customers_by_outcome(rows)
    if min(left, stayed) < FEWEST_OUTCOMES:
        raise DataError(
            f"{ASKED}: among the {weighting.rows:,} rows that remain without the treatment arms {left:,} "
            f"customers left and {stayed:,} stayed, where {FEWEST_OUTCOMES} of each are needed. Start "
            f"campaigns with a larger --control, wait for more history, or {INSTEAD}."
        )
