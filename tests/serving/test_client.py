"""BentoML's own Python client, with nothing of ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.serving.running import COMMAND, serving

CLIENT = """
import json, sys, bentoml
with bentoml.SyncHTTPClient(sys.argv[1]) as client:
    print(json.dumps(client.score({"customer_ids": ["c0003", "nobody"]})))
    one = {"customer_id": "x", "events": []}
    print(json.dumps(client.predict({"customers": [one], "as_of": "2025-02-01"})))
"""


def test_the_client_of_bentoml_asks_the_native_endpoints(scored_shop: Path) -> None:
    with serving(scored_shop) as running:
        address = f"http://127.0.0.1:{running.port}"
        done = subprocess.run(
            [COMMAND[0], "-c", CLIENT, address], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        score, predict = (json.loads(line) for line in done.stdout.splitlines())
        assert score == running.post("/v1/score", {"customer_ids": ["c0003", "nobody"]})[1]
        assert predict["customers"][0]["status"] == "unknown"
