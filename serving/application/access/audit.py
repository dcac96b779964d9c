"""The audit log: who changed what, and who asked the service for whom."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from features.errors import UnknownCustomer
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state.audit_log import AuditEntry, audit_entries


@dataclass(frozen=True)
class AuditTrail:
    """Entries of the audit log, newest first."""

    entries: tuple[AuditEntry, ...]


@use_case("manage_access")
def audit(
    workspace: Workspace, actor: Actor, customer_id: str | None = None, *, limit: int = 100
) -> AuditTrail:
    """The newest entries; with a customer, those about them. Raises `UnknownCustomer`."""
    key = None
    if customer_id is not None:
        key = int(workspace.store.customers.keys(pa.array([customer_id], pa.string()))[0])
        if key < 0:
            raise UnknownCustomer(customer_id)
    return AuditTrail(tuple(audit_entries(workspace.database, customer=key, limit=limit)))
