"""Thousands of requests made from the published OpenAPI, valid and not: the service never fails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.serving.running import Server, serving

CASES = 505
"""Of each call and way: more than 5,000 together."""
CALLS = ("/v1/score", "/v1/at_risk", "/v1/explain", "/v1/predict", "/v1/report", "/v1/at_risk.csv")
EXPECTED = {200, 404, 405, 406, 413, 415, 422}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(scored_shop: Path) -> Iterator[Server]:
    with serving(scored_shop) as running:
        yield running


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", CALLS)
def test_whatever_is_sent_is_answered_or_refused_in_the_one_shape(
    server: Server, path: str, mode: GenerationMode
) -> None:
    api = schemathesis.openapi.from_dict(json.loads(server.send("GET", "/docs.json")[1]))
    operation = api[path]["GET" if path.endswith(".csv") else "POST"]
    seen: Counter[int] = Counter()

    with requests.Session() as session:

        @settings(
            max_examples=CASES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        @given(case=operation.as_strategy(mode))
        def ask(case: schemathesis.Case) -> None:
            answer = case.call(base_url=f"http://127.0.0.1:{server.port}", session=session)
            seen[answer.status_code] += 1
            if answer.text == "Invalid HTTP request received.":  # an address too long for HTTP
                assert (answer.status_code, path) == (400, "/v1/at_risk.csv")
                return
            assert answer.status_code in EXPECTED, (answer.status_code, case.as_curl_command(), answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == {"code", "message", "field"}
            elif not path.endswith(".csv"):
                case.validate_response(answer)

        ask()
    assert sum(seen.values()) >= CASES
    assert "Traceback" not in "".join(server.log)
