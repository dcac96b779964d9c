"""The calls of the API: what each takes, needs and answers. They decide nothing themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from features.errors import KizunaError, UsageError
from serving.actions.plan_file import PlanFilter
from serving.actions.plan_lookup import columns
from serving.api.live_state import ServiceState
from serving.integrations.crm_columns import column_map
from serving.integrations.crm_columns import lines as mapped_lines
from serving.lists.customer_view import Reply
from serving.lists.ranking import Cursor, ListFilter
from serving.presentation.lists import csv_lines
from serving.schemas.requests import (
    AtRiskPageRequest,
    AtRiskRequest,
    ExplainRequest,
    PredictRequest,
    ReportRequest,
    ScoreRequest,
    Shape,
    WholeListRequest,
)
from serving.schemas.responses import (
    Answer,
    AtRiskReply,
    ExplainReply,
    PredictReply,
    ReportReply,
    ScoreReply,
)
from serving.scoring.live import append, beside_stored, predict


class WrongScope(KizunaError):
    """A key asked for what it does not open."""

    status = 403
    code = "wrong_scope"


@dataclass(frozen=True)
class Caller:
    """Who asks: the name of their key and what it opens; on loopback anybody, and everything."""

    name: str = "local"
    scopes: Collection[str] = ("admin",)

    def need(self, scope: str, what: str) -> None:
        """Refuse what this key does not open."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise WrongScope(
                f"cannot let this request in: {what} needs the scope '{scope}', and the key '{self.name}' "
                f"has {', '.join(self.scopes)}. Ask for a key that has it."
            )


@dataclass(frozen=True)
class Endpoint:
    """One call."""

    path: str
    scope: str
    """What a key must open for it."""
    request: type[Shape]
    reply: type[Answer]
    answer: Callable[[ServiceState, Caller, Any], Reply]
    at_once: int = 0
    """A body of at most so many bytes is answered faster than another thread could be asked to."""


def score(desk: ServiceState, caller: Caller, request: ScoreRequest) -> Reply:
    """The stored scores of these customers at the newest as-of date."""
    replies = desk.replies()
    keys = replies.keys(request.customer_ids)
    desk.record_access(caller.name, "score", keys)
    return replies.of(request.customer_ids, desk.language(request.language), keys)


def at_risk(desk: ServiceState, caller: Caller, request: AtRiskPageRequest) -> Reply:
    """Whom to approach first, and why."""
    choice = chosen(request, request.limit or desk.project.settings.capacity.contacts)
    desk.record_access(caller.name, "at_risk")
    cursor = None if request.cursor is None else Cursor.read(request.cursor)
    if cursor is not None and cursor.choice != choice.fingerprint:
        raise UsageError(
            "cannot go on from this cursor: it belongs to a list with other filters. "
            "Send the filters of the page before, or leave the cursor out to start again.",
            field="cursor",
        )
    replies = desk.replies() if cursor is None else desk.replies_from(cursor.file)
    return replies.page(choice, desk.language(request.language), cursor)


def explain(desk: ServiceState, caller: Caller, request: ExplainRequest) -> Reply:
    """One customer's score and reasons, and what changed since the scores before."""
    replies = desk.replies()
    desk.record_access(caller.name, "explain", replies.keys([request.customer_id]))
    return replies.explain(request.customer_id, desk.language(request.language), desk.store())


def live(desk: ServiceState, caller: Caller, request: PredictRequest) -> Reply:
    """Scores from the events sent, or with `stored` or `append` from all that is stored with them."""
    champion, language = desk.champion(), desk.language(request.language)
    if not (request.append or request.stored):
        return predict(champion, request, desk.clock(), language)
    if request.append:
        caller.need("write", "keeping events")
    else:
        caller.need("read", "scoring from stored events")
    store, how = desk.store(), append if request.append else beside_stored
    reply = how(champion, request, desk.clock(), language, store)
    names = pa.array([one.customer_id for one in request.customers], pa.large_string())
    desk.record_access(caller.name, "append" if request.append else "predict", store.customers.keys(names))
    return reply


def report(desk: ServiceState, caller: Caller, request: ReportRequest) -> Reply:
    """How customers are engaged: every measure with its interval, against before and last year."""
    desk.record_access(caller.name, "report")
    return desk.report(request.months, desk.language(request.language))


def csv(desk: ServiceState, caller: Caller, request: WholeListRequest) -> Iterator[str]:
    """The list as a file, line by line; what cannot be is refused before the first."""
    language, replies = desk.language(request.language), desk.replies()
    desk.record_access(caller.name, "at_risk.csv")
    listed = replies.listed(chosen(request, request.limit), language)
    if request.columns is None:
        return csv_lines(listed, language, () if replies.plan is None else columns(language))
    mapped = column_map(request.columns, desk.project.settings.crm)
    return mapped_lines(listed, mapped, replies.source())


def chosen(request: AtRiskRequest, limit: int | None) -> ListFilter:
    """What a request wants of the list."""
    return ListFilter(
        limit=limit,
        min_probability=request.min_probability,
        tiers=request.tiers,
        order_by=request.order_by,
        min_value_at_risk=request.min_value_at_risk,
        indicators=request.indicators,
        segment=request.segment,
        cut=PlanFilter(
            stages=request.stages,
            touch_models=request.touch_models,
            actions=request.actions,
            channels=request.channels,
            outcomes=request.outcomes,
            hooks=request.hooks,
        ),
    )


ENDPOINTS = {
    endpoint.path: endpoint
    for endpoint in (
        Endpoint("/v1/score", "read", ScoreRequest, ScoreReply, score, at_once=1_000),
        Endpoint("/v1/at_risk", "read", AtRiskPageRequest, AtRiskReply, at_risk),
        Endpoint("/v1/explain", "read", ExplainRequest, ExplainReply, explain),
        Endpoint("/v1/report", "read", ReportRequest, ReportReply, report),
        Endpoint("/v1/predict", "score", PredictRequest, PredictReply, live, at_once=40_000),
    )
}
CSV = "/v1/at_risk.csv"
