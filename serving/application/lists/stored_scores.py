"""The stored scores of named customers."""

from __future__ import annotations

from collections.abc import Sequence

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.schemas.responses import ScoreReply


@use_case("read_customer")
def stored_scores(
    workspace: Workspace, actor: Actor, customer_ids: Sequence[str], language: str | None = None
) -> ScoreReply:
    """The stored scores of these customers at the newest as-of date, in the order asked.

    A customer who is not known has the status `unknown`. Raises `ModelError` before anything was scored.
    """
    reader = workspace.scores.current()
    keys = reader.keys(customer_ids)
    workspace.record_access(actor.name, "score", keys)
    return reader.of(customer_ids, workspace.language(language), keys)
