"""The API as OpenAPI 3.1: every route, with examples, and the one shape of errors."""

from __future__ import annotations

import functools
from importlib.metadata import version
from typing import Any

import orjson
from pydantic import TypeAdapter

from serving.api.routes import CSV, ENDPOINTS, Endpoint
from serving.schemas.requests import Shape, WholeListRequest
from serving.schemas.responses import ErrorReply

REFERENCE = "#/components/schemas/{model}"

_EVENT = {"occurred_at": "2017-11-15T09:30:00+09:00", "kind": "purchase", "value": 1280, "detail": "GROCERY"}
EXAMPLES: dict[str, dict[str, Any]] = {
    "/v1/score": {"customer_ids": ["1031", "2467"]},
    "/v1/at_risk": {"limit": 20, "min_probability": 0.3, "tiers": ["engaged", "devoted"], "language": "en"},
    "/v1/explain": {"customer_id": "1031"},
    "/v1/predict": {
        "customers": [{"customer_id": "1031", "events": [_EVENT]}],
        "as_of": "2017-12-01",
    },
    "/v1/report": {"months": 3, "language": "en"},
}
_REASON = {
    "feature": "purchase_days_since_last",
    "indicator": "purchase",
    "value": 41.0,
    "typical": 6.0,
    "direction": "raises",
    "actionable": True,
    "sentence": "The last purchase was 41 days ago (typical: 6 days), which raises the risk.",
}
_HOOKS = {
    "favourite_category": "GROCERY",
    "stopped_category": "FLORAL",
    "next_category": "SEAFOOD",
    "unused_feature": None,
    "preferred_channel": "store",
    "preferred_hour": 18,
    "anniversary": {"on": "2018-02-11", "years": 1},
    "birthday": None,
    "last_inquiry": None,
    "last_survey": None,
    "loyalty": None,
    "today": "2018-01-02",
}
_PLAN = {
    "stage": "considering_leaving",
    "stage_words": "considering leaving",
    "attitude": "unknown",
    "attitude_words": "unknown",
    "rule": "a personal word before they go",
    "touch": "high",
    "touch_words": "personal",
    "action": "call",
    "action_words": "Call and ask how things are going",
    "action_channel": "phone",
    "action_channel_words": "phone",
    "owner": "customer success",
    "deadline": "2018-01-05",
    "outcome": "planned",
    "left_out_because": None,
    "hooks": _HOOKS,
    "hook_sentences": ["Has not bought FLORAL for 90 days"],
}
_COMPARISON = {"value": 0.83, "change": 0.02, "low": -0.01, "high": 0.05}
_FIGURE = {
    "value": 0.85,
    "low": 0.83,
    "high": 0.87,
    "units": 1204,
    "customers": 1204,
    "against_previous": _COMPARISON,
    "against_last_year": None,
}
_MEASURE = {
    "name": "retention_rate",
    "words": "retention rate",
    "formula": "customers of the start who are still customers at the end ÷ customers of the start",
    "source": "Farris et al., Marketing Metrics",
    "unit": "share",
    "falling_is_good": False,
    "missing_input": None,
    "figure": _FIGURE,
    "by_month": [{"month": "2017-12", **_FIGURE}],
    "groups": [
        {
            "cut": "channel",
            "cut_words": "channel",
            "group": "store",
            "figure": _FIGURE,
            "by_month": [{"month": "2017-12", **_FIGURE}],
        }
    ],
    "left_out": [],
}
_CELL = {
    "tier": "engaged",
    "tier_words": "engaged",
    "attitude": "detractor",
    "attitude_words": "detractor",
    "words": "active but unhappy",
    "customers": 112,
    "customers_at_start": 120,
    "churn_rate": 0.1,
    "churn_rate_low": 0.06,
    "churn_rate_high": 0.17,
    "value_per_customer": 210.5,
    "value_low": 190.2,
    "value_high": 230.8,
}
_CUSTOMER = {
    "customer_id": "1031",
    "churn_probability": 0.62,
    "tier": "engaged",
    "predicted_tier": "casual",
    "expected_value": 210.5,
    "value_at_risk": 130.5,
    "reasons": [_REASON],
}
_SOURCE = {
    "as_of": "2018-01-02",
    "model_version": "3",
    "data_version": "722cf896bc6024b4",
    "freshness": "2018-01-01T04:01:20+00:00",
    "evidence": "normal",
}
_SCORED = {"customer_id": "1031", "status": "cohort", **_CUSTOMER}
ANSWERS: dict[str, dict[str, Any]] = {
    "/v1/score": _SOURCE | {"customers": [{**_SCORED, "plan": None}]},
    "/v1/at_risk": _SOURCE | {"customers": [{"rank": 1, **_CUSTOMER, "plan": _PLAN}], "next_cursor": None},
    "/v1/explain": _SOURCE | {"customer": {**_SCORED, "plan": _PLAN}, "previous": None, "changes": []},
    "/v1/report": {
        "as_of": "2018-01-02",
        "period": "2017-10 to 2017-12",
        "months": 3,
        "previous_period": "2017-07 to 2017-09",
        "last_year_period": None,
        "model_version": "3",
        "data_version": "722cf896bc6024b4",
        "freshness": "2018-01-01T04:01:20+00:00",
        "measures": [_MEASURE],
        "tier_flow": [{"from": "engaged", "to": "casual", "customers": 41}],
        "axes": [_CELL],
    },
    "/v1/predict": _SOURCE | {"customers": [_SCORED], "ignored_kinds": {}, "appended": None},
}
ERRORS = {
    401: ("no_key", "no key, or one that is not valid", None),
    403: ("wrong_scope", "the key does not open this call", None),
    404: ("unknown_customer", "nothing is known of this customer", "customer_id"),
    413: ("too_large", "the body is too large", None),
    415: ("not_json", "the body is no JSON", None),
    422: ("bad_input", "something in the request cannot be used; `field` names it", "limit"),
    429: ("too_fast", "the key asks too fast; `Retry-After` says how long to wait", None),
    500: ("internal", "the service failed; its log says why", None),
    503: ("no_model", "nothing to answer with yet, or not now", None),
}
"""The error that each status of the document stands for mostly: code, when, and field."""
FURTHER_ERRORS = (
    (404, "no_such_path", "there is no such path"),
    (405, "wrong_method", "the path does not take this method"),
    (
        422,
        "bad_data",
        "the events do not fit what is asked, such as an `event_id` that names another kind of event",
    ),
    (503, "overloaded", "the service has too much to do; try again in a moment"),
    (503, "too_slow", "the answer takes too long; ask for fewer customers at a time"),
    (503, "unavailable", "the disk or the database does not answer; try again in a moment"),
)
"""The others: status, code, and when."""
_BODY_ERRORS = (413, 415, 422, 429, 500, 503)


def error_codes() -> list[tuple[int, str, str]]:
    """Every error: its status, its code, and when it comes."""
    mostly = [(status, code, when) for status, (code, when, _) in ERRORS.items()]
    return sorted([*mostly, *FURTHER_ERRORS])


@functools.cache
def document() -> bytes:
    """The whole document, as JSON."""
    return orjson.dumps(specification())


def specification() -> dict[str, Any]:
    """The whole document."""
    requests: list[type[Shape]] = [*(one.request for one in ENDPOINTS.values()), WholeListRequest]
    replies = [*(one.reply for one in ENDPOINTS.values()), ErrorReply]
    _, definitions = TypeAdapter.json_schemas(
        [
            *((shape.__name__, "validation", TypeAdapter(shape)) for shape in requests),
            *((shape.__name__, "serialization", TypeAdapter(shape)) for shape in replies),
        ],
        ref_template=REFERENCE,
    )
    schemas = definitions["$defs"]
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
            CSV: {"get": _file(query)},
            "/healthz": {"get": _page("Whether the process answers", open_to_all=True)},
            "/livez": {"get": _page("The same", open_to_all=True)},
            "/readyz": {"get": _page("What is in use; 503 before there is anything", 503, open_to_all=True)},
            "/metrics": {"get": _page("Figures for Prometheus", kind="text/plain")},
            "/docs.json": {"get": _page("This document")},
            "/": {"get": _page("A page to read and try the calls", kind="text/html")},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "needed off loopback"}
            },
        },
    }


def _call(endpoint: Endpoint) -> dict[str, Any]:
    errors = (401, 403, *((404,) if endpoint.path == "/v1/explain" else ()), *_BODY_ERRORS)
    reply = {"schema": _shape(endpoint.reply.__name__), "example": ANSWERS[endpoint.path]}
    needs = f"Needs the scope `{endpoint.scope}`."
    return {
        "operationId": endpoint.path.rsplit("/", 1)[-1],
        "summary": (endpoint.answer.__doc__ or "").splitlines()[0],
        "description": needs,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _shape(endpoint.request.__name__),
                    "example": EXAMPLES[endpoint.path],
                }
            },
        },
        "responses": {
            "200": {"description": "the answer", "content": {"application/json": reply}},
            **_errors(*errors),
        },
    }


def _file(query: dict[str, Any]) -> dict[str, Any]:
    """The list as a file; a filter of several values is repeated, a segment is `segment.NAME=VALUE`."""
    parameters = []
    for name, about in query["properties"].items():
        if name == "segment":
            continue
        parameters.append(
            {
                "name": name,
                "in": "query",
                "description": about.pop("description", ""),
                "schema": about,
            }
        )
    return {
        "operationId": "at_risk_csv",
        "summary": "The list as a file, all of it unless a limit is given.",
        "description": "Needs the scope `read`. A filter with several values is repeated; "
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


def _page(
    words: str, *errors: int, kind: str = "application/json", open_to_all: bool = False
) -> dict[str, Any]:
    content = {"schema": {"type": "string" if kind == "text/plain" else "object"}}
    said = {
        "summary": words,
        "responses": {
            "200": {"description": words, "content": {kind: content}},
            **_errors(*((401, 429) if not open_to_all else ()), *errors),
        },
    }
    return said | {"security": []} if open_to_all else said


def _errors(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {
            "description": ERRORS[status][1],
            "content": {
                "application/json": {
                    "schema": _shape(ErrorReply.__name__),
                    "example": {
                        "error": {
                            "code": ERRORS[status][0],
                            "message": f"cannot …: {ERRORS[status][1]}.",
                            "field": ERRORS[status][2],
                        }
                    },
                }
            },
        }
        for status in statuses
    }


def _shape(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=name)}
