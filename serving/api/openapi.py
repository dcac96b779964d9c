"""The API as OpenAPI 3.1: every route, with examples, and the one shape of errors."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.metadata import version

import orjson
from pydantic import JsonValue, TypeAdapter

from features.errors import (
    BodyTooLarge,
    DataError,
    Forbidden,
    ModelError,
    NoKey,
    NotJson,
    Overloaded,
    TooFast,
    TooSlow,
    Unavailable,
    UnknownCampaign,
    UnknownCustomer,
    UsageError,
    WrongMethod,
)
from serving.api.openapi_examples import ANSWERS, REQUESTS, Json
from serving.api.routes import (
    CAMPAIGN,
    CAMPAIGNS,
    CSV,
    ENDPOINTS,
    GLOBAL_RESULT,
    MONITOR,
    Endpoint,
    campaign,
    campaigns,
    global_result,
    monitor,
)
from serving.application.permissions import GRANTS, Permission
from serving.lists.list_requests import WholeListRequest
from serving.schemas.campaign_responses import CampaignsReply
from serving.schemas.campaign_results import CampaignResultReply, GlobalResultReply
from serving.schemas.monitor_responses import LastMonitorReply
from serving.schemas.requests import Shape
from serving.schemas.responses import ErrorReply

REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True)
class PublishedError:
    """One error code of the API: its status, when it comes, and the field that its example names."""

    status: int
    code: str
    when: str
    field: str | None = None


MAIN_ERRORS = (
    PublishedError(401, NoKey.code, "no key, or one that is not valid"),
    PublishedError(403, Forbidden.code, "the key does not open this call"),
    PublishedError(404, UnknownCustomer.code, "nothing is known of this customer", "customer_id"),
    PublishedError(413, BodyTooLarge.code, "the body is too large"),
    PublishedError(415, NotJson.code, "the body is no JSON"),
    PublishedError(
        422, UsageError.code, "something in the request cannot be used; `field` names it", "limit"
    ),
    PublishedError(429, TooFast.code, "the key asks too fast; `Retry-After` says how long to wait"),
    PublishedError(500, "internal", "the service failed; its log says why"),
    PublishedError(503, ModelError.code, "nothing to answer with yet, or not now"),
)
"""The most frequent error of each status, the example of the document."""
FURTHER_ERRORS = (
    PublishedError(404, "no_such_path", "there is no such path"),
    PublishedError(404, UnknownCampaign.code, "there is no campaign of this name", "name"),
    PublishedError(405, WrongMethod.code, "the path does not take this method"),
    PublishedError(
        422,
        DataError.code,
        "the events do not fit what is asked, such as an `event_id` that names another kind of event",
    ),
    PublishedError(
        503,
        Overloaded.code,
        "too many long calls, such as reports, wait; `Retry-After` says how long to wait",
    ),
    PublishedError(503, TooSlow.code, "the answer takes too long; ask for fewer customers at a time"),
    PublishedError(503, Unavailable.code, "the disk or the database does not answer; try again in a moment"),
)
_EXAMPLES = {error.status: error for error in MAIN_ERRORS}
_BODY_ERRORS = (413, 415, 422, 429, 500, 503)


def error_codes() -> list[tuple[int, str, str]]:
    """Every error: its status, its code, and when it comes."""
    return sorted((error.status, error.code, error.when) for error in (*MAIN_ERRORS, *FURTHER_ERRORS))


@functools.cache
def document() -> bytes:
    """The whole document, as JSON."""
    return orjson.dumps(specification())


def specification() -> Json:
    """The whole document."""
    requests: list[type[Shape]] = [*(one.request for one in ENDPOINTS.values()), WholeListRequest]
    stored = (CampaignsReply, GlobalResultReply, CampaignResultReply, LastMonitorReply)
    replies = [*(one.reply for one in ENDPOINTS.values()), *stored, ErrorReply]
    _, definitions = TypeAdapter.json_schemas(
        [
            *((shape.__name__, "validation", TypeAdapter(shape)) for shape in requests),
            *((shape.__name__, "serialization", TypeAdapter(shape)) for shape in replies),
        ],
        ref_template=REFERENCE,
    )
    schemas = definitions.pop("$defs")
    query = schemas.pop("WholeListRequest")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kizuna",
            "version": version("kizuna"),
            "description": "Who is drifting away, how sure we are, why, and what to do.",
        },
        "security": [{"key": []}, {}],
        "paths": {
            **{path: {"post": _call(endpoint)} for path, endpoint in sorted(ENDPOINTS.items())},
            CSV: {"get": _file(query.pop("properties"))},
            CAMPAIGNS: {"get": _stored("campaigns", campaigns.__doc__ or "", CampaignsReply.__name__)},
            GLOBAL_RESULT: {
                "get": _stored("global_result", global_result.__doc__ or "", GlobalResultReply.__name__)
            },
            MONITOR: {"get": _stored("monitor", monitor.__doc__ or "", LastMonitorReply.__name__)},
            CAMPAIGN: {
                "get": _stored(
                    "campaign",
                    campaign.__doc__ or "",
                    CampaignResultReply.__name__,
                    404,
                    name="the name of a campaign",
                )
            },
            "/healthz": {"get": _page("healthz", "Whether the process answers", public=True)},
            "/livez": {"get": _page("livez", "The same", public=True)},
            "/readyz": {
                "get": _page("readyz", "What is in use; 503 before there is anything", 503, public=True)
            },
            "/metrics": {"get": _page("metrics", "Figures for Prometheus", kind="text/plain")},
            "/docs.json": {"get": _page("openapi", "This document", public=True)},
            "/api": {
                "get": _page("index", "A page to read and try the calls", kind="text/html", public=True)
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "an API key; needed unless the service was started with --open",
                }
            },
        },
    }


def _call(endpoint: Endpoint) -> Json:
    errors = (401, 403, *((404,) if endpoint.path == "/v1/explain" else ()), *_BODY_ERRORS)
    reply: Json = {"schema": _shape(endpoint.reply.__name__), "example": ANSWERS[endpoint.path]}
    return {
        "operationId": endpoint.path.rsplit("/", 1)[-1],
        "summary": (endpoint.answer.__doc__ or "").splitlines()[0],
        "description": _needs(endpoint.permission),
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _shape(endpoint.request.__name__),
                    "example": REQUESTS[endpoint.path],
                }
            },
        },
        "responses": {
            "200": {"description": "the answer", "content": {"application/json": reply}},
            **_errors(*errors),
        },
    }


def _file(query: dict[str, Json]) -> Json:
    """The list as a file; a filter of several values is repeated, a segment is `segment.NAME=VALUE`."""
    parameters: list[JsonValue] = [
        {"name": name, "in": "query", "description": schema.pop("description", ""), "schema": schema}
        for name, schema in query.items()
        if name != "segment"
    ]
    return {
        "operationId": "at_risk_csv",
        "summary": "The list as a file, all of it unless a limit is given.",
        "description": f"{_needs('read_customer')} A filter with several values is repeated; "
        "`segment.plan=gold` wants an attribute's value.",
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "the list; UTF-8 with a byte order mark, for Excel",
                "content": {"text/csv": {"schema": {"type": "string"}}},
            },
            **_errors(401, 403, 422, 429, 503),
        },
    }


def _stored(operation: str, summary: str, reply: str, *errors: int, **path: str) -> Json:
    """A call that reads what is stored; `path` describes the parts of its address."""
    parameters: list[JsonValue] = [
        {"name": name, "in": "path", "required": True, "description": words, "schema": {"type": "string"}}
        for name, words in path.items()
    ]
    content: Json = {"application/json": {"schema": _shape(reply), "example": ANSWERS[f"get_{operation}"]}}
    call: Json = {
        "operationId": operation,
        "summary": summary,
        "description": _needs("read_report"),
        "responses": {
            "200": {"description": "the answer", "content": content},
            **_errors(401, 403, *errors, 429, 503),
        },
    }
    return call | ({"parameters": parameters} if parameters else {})


def _page(
    operation: str, words: str, *errors: int, kind: str = "application/json", public: bool = False
) -> Json:
    schema: Json = {"type": "object" if kind == "application/json" else "string"}
    page: Json = {
        "operationId": operation,
        "summary": words,
        "responses": {
            "200": {"description": words, "content": {kind: {"schema": schema}}},
            **_errors(*(() if public else (401, 429)), *errors),
        },
    }
    return page | {"security": []} if public else page


def _errors(*statuses: int) -> Json:
    return {str(status): _error(_EXAMPLES[status]) for status in statuses}


def _error(error: PublishedError) -> Json:
    body: Json = {"code": error.code, "message": f"cannot …: {error.when}.", "field": error.field}
    content: Json = {"schema": _shape(ErrorReply.__name__), "example": {"error": body}}
    return {"description": error.when, "content": {"application/json": content}}


def _needs(permission: Permission) -> str:
    """Which scopes of a key carry a permission."""
    return f"Needs the scope {' or '.join(f'`{scope}`' for scope in GRANTS[permission].scopes)}."


def _shape(name: str) -> Json:
    return {"$ref": REFERENCE.format(model=name)}
