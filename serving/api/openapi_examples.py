"""Examples of every call in the published OpenAPI document; a test reads them back in their shapes."""

from __future__ import annotations

from pydantic import JsonValue

Json = dict[str, JsonValue]

_EVENT: Json = {
    "occurred_at": "2017-11-15T09:30:00+09:00",
    "kind": "purchase",
    "value": 1280,
    "detail": "GROCERY",
}
REQUESTS: dict[str, Json] = {
    "/v1/score": {"customer_ids": ["1031", "2467"]},
    "/v1/at_risk": {"limit": 20, "min_probability": 0.3, "tiers": ["engaged", "devoted"], "language": "en"},
    "/v1/explain": {"customer_id": "1031"},
    "/v1/predict": {
        "customers": [{"customer_id": "1031", "events": [_EVENT]}],
        "as_of": "2017-12-01",
    },
    "/v1/report": {"months": 3, "language": "en"},
}
_REASON: Json = {
    "feature": "purchase_days_since_last",
    "indicator": "purchase",
    "value": 41.0,
    "typical": 6.0,
    "direction": "raises",
    "actionable": True,
    "sentence": "The last purchase was 41 days ago (typical: 6 days), which raises the risk.",
    "aspect": "rhythm",
}
_HOOKS: Json = {
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
_PLAN: Json = {
    "stage": "considering_leaving",
    "stage_words": "considering leaving",
    "attitude": "unknown",
    "attitude_words": "unknown",
    "rule": "considers-leaving",
    "rule_words": "Considers leaving",
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
_COMPARISON: Json = {"value": 0.83, "change": 0.02, "low": -0.01, "high": 0.05}
_FIGURE: Json = {
    "value": 0.85,
    "low": 0.83,
    "high": 0.87,
    "units": 1204,
    "customers": 1204,
    "against_previous": _COMPARISON,
    "against_last_year": None,
}
_MEASURE: Json = {
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
            "group_words": "store",
            "figure": _FIGURE,
            "by_month": [{"month": "2017-12", **_FIGURE}],
        }
    ],
    "left_out": [],
}
_CELL: Json = {
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
_CUSTOMER: Json = {
    "customer_id": "1031",
    "churn_probability": 0.62,
    "tier": "engaged",
    "predicted_tier": "casual",
    "expected_value": 210.5,
    "value_at_risk": 130.5,
    "uplift": None,
    "incremental_value": None,
    "lifetime_value": [
        {"months": 12, "value": 1240.0, "low": 310.0, "high": 1980.0, "evidence": "normal"},
        {"months": 24, "value": 2170.0, "low": 390.0, "high": 3620.0, "evidence": "low"},
    ],
    "reasons": [_REASON],
}
_SOURCE: Json = {
    "as_of": "2018-01-02",
    "model_version": "3",
    "data_version": "722cf896bc6024b4",
    "freshness": "2018-01-01T04:01:20+00:00",
    "evidence": "normal",
    "currency": "USD",
    "contacts": "as_they_were",
    "uplift": None,
    "expected_leavers": {"expected": 271.4, "low": 228.9, "high": 319.7},
    "lifetime_months": [12, 24],
}
_SCORED: Json = {"customer_id": "1031", "status": "cohort", **_CUSTOMER}
_CAMPAIGN: Json = {
    "name": "spring",
    "state": "running",
    "source": "list",
    "created_at": "2018-01-02T09:00:00+00:00",
    "started_at": "2018-01-02T09:00:00+00:00",
    "hold_until": "2018-04-02T09:00:00+00:00",
    "stopped_at": None,
    "control_share": 0.1,
    "hold_days": 90,
    "review_months": [1, 3, 6, 12],
    "touch_models": [],
    "segments": ["plan"],
    "treatment": 1800,
    "control": 200,
    "who": "hanako",
    "computed_at": None,
}
ANSWERS: dict[str, Json] = {
    "get_campaigns": {"campaigns": [_CAMPAIGN]},
    "get_global_result": {"report": None},
    "get_monitor": {"result": None},
    "get_campaign": {"campaign": _CAMPAIGN, "report": None, "loaded": None},
    "/v1/score": _SOURCE | {"customers": [{**_SCORED, "plan": None, "refused_channels": []}]},
    "/v1/at_risk": _SOURCE | {"customers": [{"rank": 1, **_CUSTOMER, "plan": _PLAN}], "next_cursor": None},
    "/v1/explain": _SOURCE
    | {"customer": {**_SCORED, "plan": _PLAN, "refused_channels": []}, "previous": None, "changes": []},
    "/v1/report": {
        "as_of": "2018-01-02",
        "period": "2017-10 to 2017-12",
        "months": 3,
        "previous_period": "2017-07 to 2017-09",
        "last_year_period": None,
        "period_months": {"first": "2017-10", "last": "2017-12"},
        "previous_months": {"first": "2017-07", "last": "2017-09"},
        "last_year_months": None,
        "model_version": "3",
        "data_version": "722cf896bc6024b4",
        "freshness": "2018-01-01T04:01:20+00:00",
        "measures": [_MEASURE],
        "tier_flow": [{"from": "engaged", "to": "casual", "customers": 41}],
        "axes": [_CELL],
        "expected_leavers": {"expected": 271.4, "low": 228.9, "high": 319.7},
    },
    "/v1/predict": _SOURCE
    | {
        "expected_leavers": None,
        "customers": [_SCORED],
        "ignored_kinds": {"purchse": 2},
        "did_you_mean": {"purchse": "purchase"},
        "appended": None,
    },
}
