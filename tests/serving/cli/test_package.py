"""A bento carries the champion and starts on its own, from its own code, with the project's keys."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from features.errors import WrongPassword
from serving.application.access.sign_in import Whereabouts, sign_in
from serving.application.permissions import NOBODY_YET
from serving.cli.context import CliContext
from serving.integrations.bento import lay_out
from serving.state.accounts.copying import accounts_to_copy
from serving.state.accounts.passwords import hash_password
from serving.state.accounts.people import add_account, disable, list_accounts
from serving.state.accounts.sessions import begin_session, open_sessions
from serving.state.api_keys import add_key, revoke_keys
from tests.serving.running import COMMAND

COMPILED = 300
"""Seconds after which a first start must have compiled; a busy machine took a hundred."""
LIVE = {
    "customers": [
        {"customer_id": "x", "events": [{"occurred_at": "2025-01-05T10:00:00Z", "kind": "purchase"}]}
    ],
    "as_of": "2025-02-01",
}


def ask(port: int, key: str | None, path: str, body: Any, seconds: float = 30) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    try:
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_package_takes_the_people_along_who_can_sign_in(own_shop: Path, tmp_path: Path) -> None:
    with CliContext(own_shop).workspace() as place:
        records = place.database
        for name, role, password in (
            ("hanako", "administrator", True),
            ("taro", "viewer", True),
            ("jiro", "analyst", False),
        ):
            secret = hash_password("a long enough password") if password else ""
            add_account(records, name, role, 1, who="test", password_hash=secret, display_name=name.title())
        disable(records, "taro", 2, 2, who="test")
        begin_session(records, 1, "hanako", 1, 1, 100, address="10.0.0.1", agent="")
        model = place.scores.active_model()
        lay_out(place.project, model, [], accounts_to_copy(records), 3, tmp_path / "context")
    with CliContext(tmp_path / "context" / "project").workspace() as packaged:
        (known,) = list_accounts(packaged.database)
        assert (known.name, known.display_name, known.role) == ("hanako", "Hanako", "administrator")
        assert known.last_sign_in_at is None
        assert open_sessions(packaged.database, 2, 100) == {}
        at = Whereabouts("127.0.0.1", "")
        assert sign_in(packaged, NOBODY_YET, "Hanako", "a long enough password", at).name == "hanako"
        with pytest.raises(WrongPassword):
            sign_in(packaged, NOBODY_YET, "taro", "a long enough password", at)


@pytest.mark.slow
def test_a_bento_starts_on_its_own_and_answers_live_calls(own_shop: Path, tmp_path: Path) -> None:
    with CliContext(own_shop).records() as records:
        key = add_key(records, "crm", ("score",), 0, who="test")
        gone = add_key(records, "gone", ("score",), 0, who="test")
        revoke_keys(records, "gone", 1, who="test")
    bento = tmp_path / "bento"
    done = subprocess.run(
        [*COMMAND, "-C", str(own_shop), "--json", "package", "--output", str(bento)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"folder": str(bento), "model_version": "1"}
    kept = {path.relative_to(bento / "src").parts[0] for path in (bento / "src").rglob("*")}
    assert kept <= {"features", "training", "serving", "project", "bentofile.yaml"}
    assert not list(bento.rglob("*.parquet")) + list(bento.rglob("*.arrow")), "no event, score or customer"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA")}
    environment |= {
        "BENTOML_HOME": str(tmp_path / "home"),
        "BENTOML_DO_NOT_TRACK": "true",
        "OTEL_SDK_DISABLED": "true",
    }
    at = ["--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), *at]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + COMPILED
        while True:
            try:
                if ask(port, None, "/healthz", None, COMPILED)[0] == 200:
                    break
            except OSError:
                said = (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, said
                assert process.poll() is None, said
                time.sleep(0.2)
        status, said = ask(port, key, "/v1/predict", LIVE)
        assert (status, said["model_version"]) == (200, "1")
        assert 0 < said["customers"][0]["churn_probability"] < 1
        assert ask(port, None, "/v1/predict", LIVE)[1]["error"]["code"] == "no_key"
        assert ask(port, gone, "/v1/predict", LIVE)[0] == 401
        status, said = ask(port, key, "/v1/score", {"customer_ids": ["c0003"]})
        assert (status, said["error"]["code"]) == (403, "wrong_scope")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
