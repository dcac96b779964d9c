"""Every error of the service has its code in the table, one shape, and a test."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.errors import DataError, ModelError, UnknownCustomer, UsageError
from features.event_store import EventStore
from features.events.schema import ATTRIBUTE
from serving.api import app
from serving.api.app import Gate
from serving.api.errors import reshaped
from serving.api.live_state import ServiceState
from serving.api.openapi import error_codes
from serving.api.routes import WrongScope
from serving.project.settings import read

HERE = Path(__file__).resolve()
NOW = 2_000_000_000_000_000


async def nobody(*_: Any) -> None:
    raise AssertionError("nothing lies behind the gate")


def call(
    folder: Path,
    path: str,
    body: Any,
    *,
    bug: type[Exception] | None = None,
    clock: Callable[[], int] = lambda: NOW,
    patience: float = app.PATIENCE,
) -> tuple[int, Any]:
    """Status and JSON of one call of a gate in this process; a bug goes on to whoever runs the gate."""
    desk, sent = ServiceState(folder, clock, keys_needed=False), []
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(b"content-type", b"application/json")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        with nullcontext() if bug is None else pytest.raises(bug):
            asyncio.run(Gate(nobody, lambda: desk, patience)(scope, receive, send))
    finally:
        desk.close()
    return sent[0]["status"], json.loads(sent[1]["body"])


def codes_in_code() -> set[str]:
    """Every code that a refusal of the service is made with, and those of the errors it passes on."""
    found = {UsageError.code, DataError.code, UnknownCustomer.code, ModelError.code, WrongScope.code}
    for file in (HERE.parents[3] / "serving").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                place = {"RequestRefused": 1, "error_body": 0}.get(node.func.id)
                said = None if place is None else node.args[place]
                if isinstance(said, ast.Constant):
                    found.add(said.value)
    return found


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
    asked = {"customer_ids": ["c0003"]}
    status, said = call(own_shop, "/v1/score", asked, bug=ZeroDivisionError, clock=lambda: 1 // 0)
    assert (status, said["error"]["code"]) == (500, "internal")


def test_an_event_id_of_another_source_and_kind_is_bad_data(own_shop: Path) -> None:
    store = EventStore(read(own_shop).state)
    history = store.history_of([int(store.customers.keys(pa.array(["c0003"]))[0])], event_ids=True)
    orders = np.array([not name.startswith(ATTRIBUTE) for name in history.kind_names])[history.kinds]
    taken = str(history.event_ids[orders][0])
    event = {"occurred_at": "2025-01-05T10:00:00Z", "kind": "feature_used", "event_id": taken}
    customers = [{"customer_id": "c0003", "events": [event]}]
    status, said = call(own_shop, "/v1/predict", {"customers": customers, "append": True})
    assert (status, said["error"]["code"]) == (422, "bad_data")


def test_what_lies_behind_the_gate_is_reshaped() -> None:
    for status, code in (
        (404, "no_such_path"),
        (405, "wrong_method"),
        (503, "overloaded"),
        (500, "internal"),
    ):
        found, said = reshaped(status, b"<html>")
        assert (found, said["error"]["code"]) == (status, code)
    own = {"error": {"code": "bad_input", "message": "cannot", "field": None}}
    assert reshaped(422, json.dumps(own).encode()) == (422, own)
