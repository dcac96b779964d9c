"""Who is let in: whoever has a key; without any key this machine alone, and only with --open."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from features.errors import Forbidden
from serving.api.key_ring import KeyRing, is_from_this_machine
from serving.application.permissions import GRANTS, OPEN_SERVICE
from serving.cli.context import CliContext
from serving.state.api_keys import ApiKey, add_key, digest, revoke_keys
from tests.serving.running import free_port, serving

SCORE = {"customer_ids": ["c0003"]}
KEY = ApiKey(1, "crm", ("read",), 0, None, None, digest("kz_text"))


def asked_with(port: int, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and error code of a call with exactly these headers, `Host` included."""
    body = json.dumps(SCORE).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("POST", "/v1/score", skip_host=True, skip_accept_encoding=True)
    for name, value in {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content["error"]["code"] if "error" in content else ""


def test_where_a_key_exists_one_is_needed_on_loopback_too(own_shop: Path) -> None:
    with CliContext(own_shop).records() as records:
        read = add_key(records, "reader", ("read",), 0, who="test")
        score = add_key(records, "scorer", ("score",), 0, who="test")
    with serving(own_shop) as running:
        assert asked_with(running.port, {}) == (401, "no_key")
        assert asked_with(running.port, {"Authorization": "Bearer kz_wrong"}) == (401, "no_key")
        assert asked_with(running.port, {"Authorization": f"Bearer {score}"}) == (403, "wrong_scope")
        assert asked_with(running.port, {"Authorization": f"Bearer {read}"}) == (200, "")
        assert any("every call needs one, in spite of --open" in line for line in running.log)


def test_without_keys_an_open_service_answers_this_machine_alone(own_shop: Path) -> None:
    with serving(own_shop) as running:
        for host in ("localhost", f"127.0.0.1:{running.port}", "[::1]:80", "LOCALHOST"):
            assert asked_with(running.port, {"Host": host}) == (200, ""), host
        for header, value in (
            ("Host", "shop.example"),
            ("Host", "localhost.shop.example"),
            ("Forwarded", "for=192.0.2.1"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Host", "localhost"),
            ("X-Real-IP", "127.0.0.1"),
            ("Via", "1.1 proxy"),
            ("X-Original-Forwarded-For", "192.0.2.1"),
            ("CF-Connecting-IP", "192.0.2.1"),
            ("True-Client-IP", "192.0.2.1"),
            ("X-Client-IP", "192.0.2.1"),
            ("X-Cluster-Client-IP", "192.0.2.1"),
            ("Fastly-Client-IP", "192.0.2.1"),
        ):
            assert asked_with(running.port, {header: value}) == (401, "no_key"), header
        # The first key closes it, without a restart; revoking it does not open it again.
        call = CliContext(own_shop)
        with call.records() as records:
            key = add_key(records, "first", ("read",), call.now, who="test")
            running.wait_for(lambda: asked_with(running.port, {}) == (401, "no_key"))
            assert asked_with(running.port, {"Authorization": f"Bearer {key}"}) == (200, "")
            revoke_keys(records, "first", call.now, who="test")
        bearer = {"Authorization": f"Bearer {key}"}
        running.wait_for(lambda: asked_with(running.port, bearer) == (401, "no_key"))
        assert asked_with(running.port, {}) == (401, "no_key")


@pytest.mark.parametrize(
    "server",
    [
        ("uvicorn", "--factory", "serving.api.server:application", "--port"),
        ("bentoml", "serve", "serving.api.bentoml_service:SERVICE", "--port"),
    ],
    ids=lambda command: command[0],
)
def test_started_by_another_server_it_is_closed(
    own_shop: Path, tmp_path: Path, server: tuple[str, ...]
) -> None:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA")}
    environment |= {"KIZUNA_PROJECT": str(own_shop), "BENTOML_HOME": str(tmp_path / "home")}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *server, str(port)],
            env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                assert asked_with(port, {}) == (401, "no_key")
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def test_a_browser_gets_the_page_that_takes_a_key_and_all_that_it_loads(own_shop: Path) -> None:
    with CliContext(own_shop).records() as records:
        add_key(records, "reader", ("read",), 0, who="test")
    with serving(own_shop, "--host", "0.0.0.0") as running:
        status, page = running.send("GET", "/api")
        assert (status, b"Authorize" in page) == (200, True)
        for address in re.findall(r'(?:src|href)="(/[^"]+)"', page.decode()):
            assert running.send("GET", address)[0] == 200, address
        assert running.send("GET", "/docs.json")[0] == 200
        for path in ("/metrics", "/v1/at_risk.csv", "/schema.json", "/static_content"):
            assert running.send("GET", path)[0] == 401, path


def test_an_open_service_reads_and_predicts_and_does_nothing_else() -> None:
    for permission in GRANTS:
        if permission in ("read_customer", "download", "read_report", "predict"):
            OPEN_SERVICE.require(permission)
        else:
            with pytest.raises(Forbidden, match="cannot let 'local' do this"):
                OPEN_SERVICE.require(permission)


def test_an_open_service_gives_the_list_as_a_file_and_keeps_or_exports_nothing(own_shop: Path) -> None:
    event = {"occurred_at": "2025-02-01", "kind": "purchase"}
    sent = {"customers": [{"customer_id": "c0003", "events": [event]}]}
    with serving(own_shop) as running:
        assert running.send("GET", "/v1/at_risk.csv?limit=2")[0] == 200
        assert running.post("/v1/predict", sent)[0] == 200
        status, body = running.post("/v1/predict", {**sent, "append": True})
        assert (status, body["error"]["code"]) == (403, "wrong_scope")
        assert running.send("GET", "/v1/at_risk.csv?columns=hubspot")[0] == 403


def test_it_is_closed_until_the_keys_were_read_and_after_the_last_was_revoked() -> None:
    ring = KeyRing(open_without_keys=True)
    assert not ring.is_open, "the database may hold keys"
    ring.replace([], now=0)
    assert ring.is_open
    ring.replace([KEY], now=0)
    assert not ring.is_open
    assert ring.actor("kz_text", now=0) is not None
    ring.replace([], now=0)
    assert not ring.is_open
    assert ring.actor("kz_text", now=0) is None
    closed = KeyRing(open_without_keys=False)
    closed.replace([], now=0)
    assert not closed.is_open


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        (("192.0.2.1", 1), [(b"host", b"localhost")]),
        (None, [(b"host", b"localhost")]),
        (("127.0.0.1", 1), []),
        (("127.0.0.1", 1), [(b"host", b"localhost"), (b"host", b"localhost")]),
        (("127.0.0.1", 1), [(b"host", b"[::1")]),
        (("127.0.0.1", 1), [(b"host", b"127.0.0.1:x")]),
        (("127.0.0.1", 1), [(b"host", b"")]),
    ],
)
def test_a_request_that_might_be_anothers_is_not_of_this_machine(
    client: tuple[str, int] | None, headers: list[tuple[bytes, bytes]]
) -> None:
    assert not is_from_this_machine({"client": client, "headers": headers})
    assert is_from_this_machine({"client": ("::1", 1), "headers": [(b"host", b"localhost:3000")]})
