"""The calls of the API: what each takes, which permission it needs, and the use case that answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from serving.api.live_state import ServiceState
from serving.application.campaigns.stored_results import (
    stored_campaign,
    stored_campaigns,
    stored_global_result,
)
from serving.application.lists.at_risk import at_risk_page, whole_list
from serving.application.lists.explain import explain as explain_customer
from serving.application.lists.export import export_list
from serving.application.lists.predict import predict as predict_customers
from serving.application.lists.stored_scores import stored_scores
from serving.application.operation.last_monitor import last_monitor
from serving.application.permissions import Actor, Permission
from serving.lists.list_requests import AtRiskPageRequest, WholeListRequest
from serving.presentation.csv import list_csv
from serving.schemas.campaign_responses import CampaignsReply
from serving.schemas.campaign_results import CampaignResultReply, GlobalResultReply
from serving.schemas.monitor_responses import LastMonitorReply
from serving.schemas.report_responses import ReportReply
from serving.schemas.requests import (
    ExplainRequest,
    PredictRequest,
    ReportRequest,
    ScoreRequest,
    Shape,
)
from serving.schemas.responses import Answer, AtRiskReply, ExplainReply, PredictReply, ScoreReply


@dataclass(frozen=True)
class Endpoint:
    """One call."""

    path: str
    permission: Permission
    """Checked before the body is read; the use case may need another one besides."""
    request: type[Shape]
    reply: type[Answer]
    answer: Callable[[ServiceState, Actor, Any], Answer]
    inline_bytes: int = 0
    """A body of at most so many bytes is answered on the event loop, which takes less time than another
    thread would."""
    is_long: bool = False
    """Whether an answer may take many seconds, so that it is made in the pool of long work."""


def score(state: ServiceState, actor: Actor, request: ScoreRequest) -> ScoreReply:
    """The stored scores of these customers at the newest as-of date."""
    return stored_scores(state.workspace, actor, request.customer_ids, request.language)


def at_risk(state: ServiceState, actor: Actor, request: AtRiskPageRequest) -> AtRiskReply:
    """Whom to approach first, and why."""
    return at_risk_page(state.workspace, actor, request.alone(), request.language, request.cursor)


def explain(state: ServiceState, actor: Actor, request: ExplainRequest) -> ExplainReply:
    """One customer's score and reasons, and what changed since the scores before."""
    return explain_customer(state.workspace_for_one_call(), actor, request.customer_id, request.language)


def predict(state: ServiceState, actor: Actor, request: PredictRequest) -> PredictReply:
    """Scores from the events sent, or with `stored` or `append` from all that is stored with them."""
    reads_store = request.stored or request.append
    workspace = state.workspace_for_one_call() if reads_store else state.workspace
    return predict_customers(workspace, actor, request)


def report(state: ServiceState, actor: Actor, request: ReportRequest) -> ReportReply:
    """How customers are engaged: every metric with its interval, against before and last year."""
    # Only who asks for a report waits for its code.
    from serving.application.lists.report import engagement_report
    from serving.reports.report import reply

    workspace = state.workspace_for_one_call()
    data = engagement_report(workspace, actor, request.months, cache=state.report_cache)
    return reply(data, workspace.language(request.language))


def list_file(state: ServiceState, actor: Actor, request: WholeListRequest) -> Iterator[str]:
    """The list as the lines of a CSV file; what is refused is refused before the first line."""
    choice, workspace = request.alone(), state.workspace
    if request.columns is not None:
        return export_list(workspace, actor, request.columns, choice, request.language).lines
    language = workspace.language(request.language)
    rows = whole_list(workspace, actor, choice, language)
    return list_csv(
        rows.customers,
        language,
        with_plan=rows.planned,
        with_uplift=rows.uplifted,
        lifetime_months=rows.source.lifetime_months,
    )


def campaigns(state: ServiceState, actor: Actor) -> CampaignsReply:
    """Every campaign as it is recorded, the newest first."""
    return stored_campaigns(state.workspace, actor)


def campaign(state: ServiceState, actor: Actor, name: str) -> CampaignResultReply:
    """A campaign with its last computed report; `kizuna campaign report` computes it."""
    return stored_campaign(state.workspace, actor, name)


def global_result(state: ServiceState, actor: Actor) -> GlobalResultReply:
    """Everything together: the last `kizuna campaign report --global`, by the standing control group."""
    return stored_global_result(state.workspace, actor)


def monitor(state: ServiceState, actor: Actor) -> LastMonitorReply:
    """Earlier scores beside what happened: the last result of `kizuna monitor`, with alarms and drift."""
    return last_monitor(state.workspace, actor)


ENDPOINTS = {
    endpoint.path: endpoint
    for endpoint in (
        Endpoint("/v1/score", "read_customer", ScoreRequest, ScoreReply, score, inline_bytes=1_000),
        Endpoint("/v1/at_risk", "read_customer", AtRiskPageRequest, AtRiskReply, at_risk),
        Endpoint("/v1/explain", "read_customer", ExplainRequest, ExplainReply, explain),
        Endpoint("/v1/report", "read_report", ReportRequest, ReportReply, report, is_long=True),
        Endpoint("/v1/predict", "predict", PredictRequest, PredictReply, predict, inline_bytes=40_000),
    )
}
CSV = "/v1/at_risk.csv"
CAMPAIGNS = "/v1/campaigns"
MONITOR = "/v1/monitor"
GLOBAL_RESULT = "/v1/campaigns/global"
CAMPAIGN = "/v1/campaigns/{name}"
