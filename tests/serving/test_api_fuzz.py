"""Thousands of requests made from the published OpenAPI, valid and not: the service never fails."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from serving.project.settings import read
from serving.state.api_keys import add_key
from serving.state.database import Database
from tests.serving.running import Server, serving

CASES = 505
"""Of each call and way: more than 5,000 together."""
CALLS = ("/v1/score", "/v1/at_risk", "/v1/explain", "/v1/predict", "/v1/report", "/v1/at_risk.csv")
EXPECTED = {200, 404, 405, 406, 413, 415, 422}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop_with_key(
    scored_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A shop of its own, and the header of a key that opens every call as often as it likes."""
    folder = tmp_path_factory.mktemp("fuzzed") / "shop"
    shutil.copytree(scored_template, folder)
    with (folder / "kizuna.toml").open("a", encoding="utf-8") as settings_file:
        settings_file.write("\n[service]\nrequests_per_second = 1e9\n")
    with Database(read(folder).records) as database:
        key = add_key(database, "fuzz", ("admin",), 0, who="test")
    return folder, {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def server(shop_with_key: tuple[Path, dict[str, str]]) -> Iterator[Server]:
    with serving(shop_with_key[0]) as running:
        yield running


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", CALLS)
def test_whatever_is_sent_is_answered_or_refused_in_the_one_shape(
    server: Server, shop_with_key: tuple[Path, dict[str, str]], path: str, mode: GenerationMode
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
            answer = case.call(
                base_url=f"http://127.0.0.1:{server.port}", session=session, headers=shop_with_key[1]
            )
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
