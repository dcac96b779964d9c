"""How a customer's risk, tier and value went over all stored scores."""

from __future__ import annotations

import numpy as np

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.customers.score_history import chosen_files, score_points
from serving.schemas.customer_responses import ScoreHistory
from serving.state.scores.score_index import scores_by_date


@use_case("read_customer")
def score_history(workspace: Workspace, actor: Actor, customer_id: str) -> ScoreHistory:
    """A customer's probability, tier and value at every stored as-of date, across model versions.

    Of more than 24 dates the older ones are shown by month. Raises `UnknownCustomer`.
    """
    found = workspace.customer(customer_id)
    workspace.record_access(actor.name, "score history", np.array([found.key], np.int64))
    project = workspace.project
    files = chosen_files(scores_by_date(workspace.database), project.timeline)
    points = tuple(score_points(project.scores, files, (found.key, *found.earlier_keys)))
    return ScoreHistory(found.customer_id, points, len(files))
