"""Live scores: of events that are sent, alone or together with what is stored."""

from __future__ import annotations

import pyarrow as pa

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.customer_view import predict_reply
from serving.schemas.requests import PredictRequest
from serving.schemas.responses import PredictReply
from serving.scoring import live


@use_case("predict")
def predict(workspace: Workspace, actor: Actor, request: PredictRequest) -> PredictReply:
    """Scores from the events sent, or with `stored` or `append` from all that is stored with them.

    `append` keeps the events first and needs the permission `append_events`; `stored` keeps nothing and
    needs `read_customer`. Raises `ModelError` before a model was promoted.
    """
    champion = workspace.scores.active_model()
    language, now = workspace.language(request.language), workspace.clock()
    words = workspace.project.words
    if not (request.append or request.stored):
        return predict_reply(live.predict(champion, request, now), language, words, _held(workspace, request))
    actor.require("append_events" if request.append else "read_customer")
    answer = live.append if request.append else live.beside_stored
    scores = answer(champion, request, now, workspace.store)
    names = pa.array([customer.customer_id for customer in request.customers], pa.large_string())
    action = "append" if request.append else "predict"
    workspace.record_access(actor.name, action, workspace.store.customers.keys(names))
    return predict_reply(scores, language, words, _held(workspace, request))


def _held(workspace: Workspace, request: PredictRequest) -> list[bool] | None:
    """Who of the request's customers is held back as a control customer now; None where nobody can be."""
    reader = workspace.scores_or_none()  # a package is a model without scores
    if reader is None or not reader.held.anybody:
        return None
    keys = reader.keys([customer.customer_id for customer in request.customers])
    held: list[bool] = (reader.held.held(keys) & (keys >= 0)).tolist()
    return held
