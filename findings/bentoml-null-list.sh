#!/usr/bin/env bash
# BentoML 1.4.39: a list that may be null reaches every HTTP client, but BentoML's own client raises on it.
#
# One expects: an endpoint answers with a pydantic model whose field is `list[str] | None`; a null in it is
# read as None by `bentoml.SyncHTTPClient`, as a null number in the same answer is.
# What happens: the schema that the service hands out says of the field that it is an array and no longer that
# it may be null. The server answers null with status 200; the client walks the field as a list and raises
# TypeError: 'NoneType' object is not iterable. A null number, a null text and an empty list are read.
# Why it matters to churn scoring: reasons and values of a customer of whom nothing is known are naturally
# null. One such customer makes the whole batch of answers unreadable, while tests with curl pass. An answer
# should hold an empty list instead.
set -euo pipefail
place=$(mktemp -d)
server=""
trap 'test -z "$server" || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check "bentoml==1.4.39" "pydantic>=2" 2>/dev/null
export BENTOML_DO_NOT_TRACK=True BENTOML_HOME="$place/home"
cat > "$place/service.py" <<'PY'
from __future__ import annotations

import bentoml
from pydantic import BaseModel


class Answer(BaseModel):
    probability: float | None
    tier: str | None
    reasons: list[str] | None


@bentoml.service
class Scores:
    @bentoml.api
    def unknown(self) -> Answer:
        return Answer(probability=None, tier=None, reasons=None)

    @bentoml.api
    def empty(self) -> Answer:
        return Answer(probability=None, tier=None, reasons=[])
PY
cat > "$place/look.py" <<'PY'
import sys
import urllib.request

import bentoml

address = f"http://127.0.0.1:{sys.argv[1]}"
with bentoml.SyncHTTPClient(address, server_ready_timeout=120) as client:
    empty = client.empty()
    print("an empty list, by the client:", empty)
    call = urllib.request.Request(f"{address}/unknown", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(call) as answer:
        text = answer.read().decode()
    print("a null list, over HTTP:      ", answer.status, text)
    try:
        print("a null list, by the client:  ", client.unknown())
    except TypeError as error:
        print("a null list, by the client:   TypeError:", error)
        sys.exit(0 if empty["reasons"] == [] and '"reasons":null' in text.replace(" ", "") else 1)
sys.exit(1)
PY
port=$("$place/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$place"
"$place/venv/bin/bentoml" serve service:Scores --host 127.0.0.1 --port "$port" > "$place/serve.log" 2>&1 &
server=$!
"$place/venv/bin/python" "$place/look.py" "$port"
