"""One customer's score, its reasons, and what changed since the scores before."""

from __future__ import annotations

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.schemas.responses import ExplainReply


@use_case("read_customer")
def explain(
    workspace: Workspace, actor: Actor, customer_id: str, language: str | None = None
) -> ExplainReply:
    """One customer's stored score and reasons, and what changed since the scores before.

    Raises `UnknownCustomer` for one who is not in the scores, `ModelError` before anything was scored.
    """
    reader = workspace.scores.current()
    workspace.record_access(actor.name, "explain", reader.keys([customer_id]))
    return reader.explain(customer_id, workspace.language(language), workspace.store)
