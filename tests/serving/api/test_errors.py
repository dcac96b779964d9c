"""Every error of the service has its code in the table, one shape, and a test."""

from __future__ import annotations

import ast
import http.client
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.errors import (
    DataError,
    Forbidden,
    ModelError,
    RequestRefused,
    UnknownCustomer,
    UsageError,
    WrongPassword,
)
from features.event_store import EventStore
from features.events.schema import ATTRIBUTE
from serving.api.app import Application
from serving.api.errors import _BY_STATUS, INTERNAL, reshaped_error
from serving.api.live_state import ServiceState
from serving.api.openapi import error_codes
from serving.api.worker_pool import PATIENCE
from serving.cli.context import CliContext
from serving.project.settings import read
from serving.state.api_keys import add_key
from tests.serving.event_loops import run_apart
from tests.serving.running import serving

HERE = Path(__file__).resolve()
NOW = 2_000_000_000_000_000


async def nobody(*_: Any) -> None:
    raise AssertionError("nothing lies behind the application")


def call(
    folder: Path,
    path: str,
    body: Any,
    *,
    bug: type[Exception] | None = None,
    patience: float = PATIENCE,
    key: str | None = None,
    accept: str | None = None,
    address: str = "",
    method: str = "POST",
) -> tuple[int, Any]:
    """Status and JSON of one call of an application in this process; a bug goes on to whoever runs it."""
    state, sent = ServiceState(read(folder), lambda: NOW, open_without_keys=True), []
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"authorization", f"Bearer {key}".encode()))
    if accept is not None:
        headers.append((b"accept-language", accept.encode()))
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": address.encode(),
        "client": ("127.0.0.1", 40_000),
        "headers": headers,
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        with nullcontext() if bug is None else pytest.raises(bug):
            run_apart(Application(nobody, lambda: state, patience)(scope, receive, send))
    finally:
        state.close()
    return sent[0]["status"], json.loads(sent[1]["body"])


def codes_in_code() -> set[str]:
    """Every code that the API can answer: those of its errors, and those of bodies made without one.

    People sign in to the console: the API knows no password.
    """
    codes = {kind.code for kind in (DataError, Forbidden, ModelError, UnknownCustomer, UsageError)}
    codes |= {kind.code for kind in RequestRefused.__subclasses__()} - {WrongPassword.code}
    for file in (HERE.parents[3] / "serving" / "api").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                code = node.args[0] if node.func.id == "error_body" else None
                if isinstance(code, ast.Constant):
                    codes.add(code.value)
    return codes | {code for code, _ in (*_BY_STATUS.values(), INTERNAL)}


def test_every_code_is_in_the_table_and_named_by_a_test() -> None:
    table = {code for _, code, _ in error_codes()}
    assert codes_in_code() - table == set()
    assert {"too_fast", "internal", "wrong_scope"} <= codes_in_code()
    tests = "".join(file.read_text() for file in HERE.parents[1].rglob("test_*.py"))
    assert [code for code in table if f'"{code}"' not in tests] == []


def test_an_answer_that_takes_too_long_is_given_up(own_shop: Path) -> None:
    events = [{"occurred_at": f"2025-01-{day:02}T10:00:00Z", "kind": "purchase"} for day in range(1, 29)]
    many = [{"customer_id": f"c{number}", "events": events} for number in range(900)]
    status, said = call(own_shop, "/v1/predict", {"customers": many, "as_of": "2025-02-01"}, patience=0.01)
    assert (status, said["error"]["code"]) == (503, "too_slow")


def test_a_bug_has_the_one_shape_and_keeps_its_traceback(own_shop: Path) -> None:
    status, said = call(own_shop, "/passed/on", {}, bug=AssertionError)
    assert (status, said["error"]["code"]) == (500, "internal")


def test_an_event_id_of_another_source_and_kind_is_bad_data(own_shop: Path) -> None:
    store = EventStore(read(own_shop).state)
    history = store.history_of([int(store.customers.keys(pa.array(["c0003"]))[0])], event_ids=True)
    orders = np.array([not name.startswith(ATTRIBUTE) for name in history.kind_names])[history.kinds]
    taken = str(history.event_ids[orders][0])
    event = {"occurred_at": "2025-01-05T10:00:00Z", "kind": "feature_used", "event_id": taken}
    customers = [{"customer_id": "c0003", "events": [event]}]
    with CliContext(own_shop).records() as records:
        key = add_key(records, "crm", ("score", "write"), 0, who="test")
    body = {"customers": customers, "append": True}
    status, said = call(own_shop, "/v1/predict", body, key=key)
    assert (status, said["error"]["code"]) == (422, "bad_data")


def test_errors_of_the_application_behind_are_reshaped() -> None:
    for status, code in (
        (404, "no_such_path"),
        (405, "wrong_method"),
        (503, "overloaded"),
        (500, "internal"),
    ):
        response = reshaped_error(status, b"<html>")
        assert (response.status_code, json.loads(response.body)["error"]["code"]) == (status, code)
    own = json.dumps({"error": {"code": "bad_input", "message": "cannot", "field": None}}).encode()
    response = reshaped_error(422, own)
    assert (response.status_code, response.body) == (422, own)


def test_in_a_simulated_project_every_response_says_that_its_time_is_simulated(own_shop: Path) -> None:
    toml = own_shop / "kizuna.toml"
    toml.write_text(toml.read_text() + '\n[simulated]\nnow = "now.txt"\n')
    (own_shop / "now.txt").write_text("2025-02-01T00:00:00Z\n")
    with serving(own_shop) as running:
        for method, path in (("GET", "/readyz"), ("GET", "/v1/score"), ("GET", "/v1/at_risk.csv")):
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            assert answer.headers["kizuna-simulated-time"] == "true", path
        live = {"customers": [{"customer_id": "x", "events": []}]}
        assert running.post("/v1/predict", live)[1]["as_of"].startswith("2025-02-01")


def test_a_websocket_is_closed_whatever_lies_behind(own_shop: Path) -> None:
    state, sent = ServiceState(read(own_shop), lambda: NOW, open_without_keys=True), []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        run_apart(Application(nobody, lambda: state)({"type": "websocket", "path": "/"}, receive, send))
    finally:
        state.close()
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("path", "body", "message", "field"),
    [
        ("/v1/at_risk", {"limt": 5}, "`limt`: there is no such field; did you mean `limit`?", "limt"),
        ("/v1/at_risk", {"zzz": 5}, "`zzz`: there is no such field.", "zzz"),
        (
            "/v1/predict",
            {"customers": [{"customer_id": "a", "events": [{"ocurred_at": "2025-01-01", "kind": "x"}]}]},
            "`customers[0].events[0].ocurred_at`: there is no such field; did you mean `occurred_at`?",
            "customers[0].events[0].ocurred_at",
        ),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_known_one(
    own_shop: Path, path: str, body: dict[str, Any], message: str, field: str
) -> None:
    status, reply = call(own_shop, path, body)
    assert (status, reply["error"]["field"]) == (422, field)
    assert reply["error"]["message"] == f"cannot use this request: {message}"


ENGLISH = "cannot use this request: `limt`: there is no such field; did you mean `limit`?"
JAPANESE = "このリクエストは使えません：`limt`：その項目はありません。`limit` ではありませんか。"


@pytest.mark.parametrize(
    ("project", "accept", "address", "body", "message"),
    [
        ("en", None, "", {}, ENGLISH),
        ("ja", None, "", {}, JAPANESE),
        ("ja", "fr-FR", "", {}, JAPANESE),
        ("ja", "en-US,en;q=0.9", "", {}, ENGLISH),
        ("en", "en;q=0.3, ja;q=0.8", "", {}, JAPANESE),
        ("en", "ja;q=0, en", "", {}, ENGLISH),
        ("en", "en", "language=ja", {}, JAPANESE),
        ("ja", "ja", "language=ja", {"language": "en"}, ENGLISH),
    ],
)
def test_the_message_of_an_error_is_in_the_language_that_the_request_asks_for(
    own_shop: Path, project: str, accept: str | None, address: str, body: dict[str, str], message: str
) -> None:
    toml = own_shop / "kizuna.toml"
    toml.write_text(f'language = "{project}"\n{toml.read_text()}')
    status, reply = call(own_shop, "/v1/at_risk", {"limt": 5} | body, accept=accept, address=address)
    assert status == 422
    assert reply["error"] == {"code": "bad_input", "field": "limt", "message": message}


def test_a_message_that_repeats_a_very_long_input_is_not_searched_for_a_translation(own_shop: Path) -> None:
    _, reply = call(own_shop, "/v1/at_risk", {"x" * 3_000: 5}, accept="ja")
    assert reply["error"]["message"].startswith("cannot use this request: `xxx")


def test_a_path_that_there_is_not_is_refused_in_japanese(own_shop: Path) -> None:
    for status, (code, _) in _BY_STATUS.items():
        response = json.loads(reshaped_error(status, b"<html>", "ja").body)["error"]
        assert response["code"] == code
        assert response["message"].startswith(("答えられません", "今は答えられません"))
