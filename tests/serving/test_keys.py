"""Keys: how fast they may ask, how they change without locking anybody out, and what they leave behind."""

from __future__ import annotations

import time
from pathlib import Path

from serving.api.rate_limit import RateLimiter
from serving.cli.context import CliContext
from serving.state.api_keys import add_key, revoke_keys, rotate_key
from tests.serving.running import serving


def test_a_key_has_two_seconds_of_burst_then_its_rate() -> None:
    now = [0.0]
    pace = RateLimiter(lambda: now[0])
    assert [pace.wait(1, 5.0) for _ in range(10)] == [0.0] * 10
    assert pace.wait(1, 5.0) == 0.2
    assert pace.wait(2, 5.0) == 0.0, "another key has its own"
    now[0] = 0.2
    assert (pace.wait(1, 5.0), pace.wait(1, 5.0)) == (0.0, 0.2)


def test_a_key_that_asks_too_fast_gets_429_and_may_ask_again(own_shop: Path) -> None:
    toml = own_shop / "kizuna.toml"
    toml.write_text(toml.read_text() + "\n[service]\nrequests_per_second = 3\n")
    with CliContext(own_shop).records() as records:
        bearer = {"authorization": "Bearer " + add_key(records, "crm", ("read",), 0, who="test")}
    with serving(own_shop, "--host", "0.0.0.0") as running:
        said = [running.post("/v1/score", {"customer_ids": ["c0003"]}, bearer) for _ in range(12)]
        statuses = [status for status, _ in said]
        assert statuses[:6] == [200] * 6
        assert 429 in statuses
        error = said[statuses.index(429)][1]["error"]
        assert (error["code"], error["message"]) == (
            "too_fast",
            "cannot take so many requests from the key 'crm': 3 a second are allowed. Send fewer.",
        )
        time.sleep(1)
        assert running.post("/v1/score", {"customer_ids": ["c0003"]}, bearer)[0] == 200


def test_a_key_is_changed_without_locking_anybody_out(own_shop: Path) -> None:
    call = CliContext(own_shop)
    with call.records() as records:
        old = add_key(records, "crm", ("read",), call.now, who="test")
    with call.records() as records, serving(own_shop, "--host", "0.0.0.0") as running:

        def opens(key: str) -> bool:
            asked = {"customer_ids": ["c0003"]}
            return running.post("/v1/score", asked, {"authorization": f"Bearer {key}"})[0] == 200

        assert opens(old)
        new = rotate_key(records, "crm", call.now, grace=4_000_000, who="test")
        running.wait_for(lambda: opens(new))
        assert opens(old), "the old one still opens"
        running.wait_for(lambda: not opens(old))
        assert opens(new)
        revoke_keys(records, "crm", call.now, who="test")
        running.wait_for(lambda: not opens(new))


def test_the_limit_of_a_body_is_the_projects(own_shop: Path) -> None:
    toml = own_shop / "kizuna.toml"
    toml.write_text(toml.read_text() + "\n[service]\nbody_mb = 1\n")
    with serving(own_shop) as running:
        status, said = running.post("/v1/score", b'{"customer_ids": ["' + b"x" * 2**20 + b'"]}')
        assert (status, said["error"]["message"]) == (
            413,
            "cannot take a body of more than 1 MB: send fewer customers at a time.",
        )


def test_metrics_name_tiers_models_and_ages_and_no_customer(own_shop: Path) -> None:
    with serving(own_shop, "--workers", "2") as running:
        for _ in range(6):
            assert running.post("/v1/score", {"customer_ids": ["c0003", "secret-name"]})[0] == 200
        text = running.send("GET", "/metrics")[1].decode()
        assert 'kizuna_requests_total{path="/v1/score",status="200"} 6.0' in text, "of both workers together"
        assert 'kizuna_scores_total{model="1",tier="none"} 6.0' in text
        assert "# TYPE kizuna_swaps_total counter" in text
        # Scores and champion, of both workers together; the second may still be starting.
        running.wait_for(lambda: b"kizuna_swaps_total 4.0\n" in running.send("GET", "/metrics")[1])
        assert "kizuna_refusals_total 0.0\n" in text
        assert 'kizuna_request_seconds_bucket{le="0.05",path="/v1/score"}' in text
        assert 'kizuna_model{model="1",' in text
        assert "kizuna_data_age_seconds " in text
        assert "kizuna_score_age_seconds " in text
        assert "c0003" not in text
        assert "secret-name" not in text
        assert "c0003" not in "".join(running.log)


def test_one_worker_goes_on_counting_after_bentoml_was_loaded_behind_it(scored_shop: Path) -> None:
    with serving(scored_shop) as running:
        assert running.send("GET", "/static_content/swagger-ui.css")[0] == 200, "answered by BentoML"
        for _ in range(3):
            assert running.post("/v1/score", {"customer_ids": ["c0003"]})[0] == 200
        text = running.send("GET", "/metrics")[1].decode()
        assert 'kizuna_requests_total{path="/v1/score",status="200"} 3.0' in text
        assert 'kizuna_requests_total{path="other",status="200"} 1.0' in text, "counted once"
