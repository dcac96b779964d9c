"""The audit log: who changed what, and who asked the service for whom."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import UnknownCustomer
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state import audit_log
from serving.state.audit_log import AuditEntry, AuditPage, audit_entries


@dataclass(frozen=True)
class AuditTrail:
    """Entries of the audit log, newest first."""

    entries: tuple[AuditEntry, ...]


@use_case("manage_access")
def audit(
    workspace: Workspace, actor: Actor, customer_id: str | None = None, *, limit: int = 100
) -> AuditTrail:
    """The newest entries; with a customer, those about them. Raises `UnknownCustomer`."""
    if customer_id is None:
        return AuditTrail(tuple(audit_entries(workspace.database, limit=limit)))
    keys = workspace.store.customers.all_keys(customer_id)
    if not keys:
        raise UnknownCustomer(customer_id)
    entries = [one for key in keys for one in audit_entries(workspace.database, customer=key, limit=limit)]
    return AuditTrail(tuple(sorted(entries, key=lambda entry: entry.at, reverse=True)[:limit]))


@use_case("manage_access")
def audit_page(
    workspace: Workspace,
    actor: Actor,
    *,
    lookups: bool = False,
    who: str = "",
    action: str = "",
    before: int | None = None,
    limit: int = 50,
) -> AuditPage:
    """A page of the log: what people changed, or with `lookups` who asked for customers."""
    return audit_log.audit_page(
        workspace.database, lookups=lookups, who=who, action=action, before=before, limit=limit
    )
