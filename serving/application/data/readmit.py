"""Readmitting an erased customer: their rows are taken again by later ingests."""

from __future__ import annotations

from dataclasses import dataclass

from serving.application.erasure_lists import update_lists
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state.audit_log import record_action


@dataclass(frozen=True)
class Readmission:
    """The customer whose rows the next ingest takes again."""

    customer_id: str


@use_case("erase")
def readmit(workspace: Workspace, actor: Actor, customer_id: str) -> Readmission:
    """Take a customer off the suppression list; raises `UsageError` for one who is not on it."""
    workspace.store.readmit(customer_id)
    with workspace.database.writing() as connection:
        record_action(connection, actor.name, "readmit", workspace.clock())
    update_lists(workspace)
    return Readmission(customer_id)
