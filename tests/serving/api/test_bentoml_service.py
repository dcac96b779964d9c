"""The service as a CRM system meets it: a real process, called over HTTP."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.timeline import from_instant
from serving.cli.context import CliContext
from serving.lists.filters import ListFilter
from serving.lists.score_reader import ScoreReader
from serving.presentation.csv import list_csv
from serving.state.api_keys import add_key, list_keys, revoke_keys
from tests.serving import shop
from tests.serving.running import COMMAND, Server, serving
from tests.serving.shapes import as_json

EVENT = {"occurred_at": "2025-01-05T10:00:00Z", "kind": "purchase"}


@pytest.fixture(scope="module")
def server(scored_shop: Path) -> Iterator[Server]:
    with serving(scored_shop) as running:
        yield running


@pytest.fixture(scope="module")
def batch(scored_shop: Path) -> ScoreReader:
    call = CliContext(scored_shop)
    with call.records() as records:
        return ScoreReader.current(records, call.project, call.store)


def events_of(folder: Path, customer_id: str) -> dict[str, Any]:
    """A customer as a CRM system would send them: all events and attributes that are kept."""
    call = CliContext(folder)
    key = call.store.customers.keys(pa.array([customer_id]))[0]
    until = call.project.timeline.instant(shop.DATES[-1])
    history = call.store.history_of([key], until=until, event_ids=True)
    events, attributes = [], {}
    for row in range(history.events):
        kind = history.kind_names[history.kinds[row]]
        detail = None if history.details[row] < 0 else history.detail_names[history.details[row]]
        if kind.startswith("attribute."):
            attributes[kind.removeprefix("attribute.")] = detail
            continue
        events.append(
            {
                "occurred_at": from_instant(history.instants[row]).isoformat(),
                "kind": kind,
                "value": None if np.isnan(history.values[row]) else history.values[row],
                "place": None if history.places[row] < 0 else history.place_names[history.places[row]],
                "detail": detail,
                "event_id": history.event_ids[row],
            }
        )
    return {"customer_id": customer_id, "events": events, "attributes": attributes}


def test_the_stored_score_is_the_row_of_the_batch_to_the_last_digit(
    server: Server, batch: ScoreReader
) -> None:
    listed = as_json(batch.at_risk(ListFilter(limit=50), "en").customers)
    status, said = server.post("/v1/score", {"customer_ids": [one["customer_id"] for one in listed]})
    assert status == 200
    assert [{**one, "status": None} for one in said["customers"]] == [
        {**{name: value for name, value in one.items() if name != "rank"}, "status": None} for one in listed
    ]


def test_a_customer_sent_live_gets_the_row_of_the_batch_to_the_last_digit(
    server: Server, batch: ScoreReader, scored_shop: Path
) -> None:
    listed = as_json(batch.at_risk(ListFilter(), "en").customers)
    chosen = listed[:: max(1, len(listed) // 25)]
    sent = [events_of(scored_shop, one["customer_id"]) for one in chosen]
    status, said = server.post("/v1/predict", {"customers": sent, "as_of": shop.DATES[-1]})
    assert status == 200
    for live, stored in zip(said["customers"], chosen, strict=True):
        for name in (
            "customer_id",
            "churn_probability",
            "tier",
            "predicted_tier",
            "expected_value",
            "value_at_risk",
        ):
            assert live[name] == stored[name]
        assert [reason["sentence"] for reason in live["reasons"]] == [
            reason["sentence"] for reason in stored["reasons"]
        ]
    alone = [server.post("/v1/predict", {"customers": [one], "as_of": shop.DATES[-1]})[1] for one in sent[:5]]
    assert [one["customers"][0] for one in alone] == said["customers"][:5]


def test_curl_gets_the_same_digits_as_the_command_line(server: Server, scored_shop: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "-C", str(scored_shop), "--json", "at-risk", "--limit", "1"],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    first = json.loads(done.stdout)["customers"][0]
    asked, address = json.dumps({"customer_ids": [first["customer_id"]]}), f"http://127.0.0.1:{server.port}"
    curl = subprocess.run(
        ["curl", "-s", "-H", "Content-Type: application/json", "-d", asked, f"{address}/v1/score"],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert f'"churn_probability":{first["churn_probability"]!r}' in curl.stdout


def test_the_list_of_the_service_is_the_list_of_the_command_line(server: Server, batch: ScoreReader) -> None:
    status, said = server.post("/v1/at_risk", {"limit": 10, "language": "ja"})
    assert said.pop("next_cursor")
    assert (status, said) == (200, as_json(batch.at_risk(ListFilter(limit=10), "ja")))
    _, everyone = server.post("/v1/at_risk", {})
    assert len(everyone["customers"]) == 20, "the capacity of kizuna.toml is the default"


def test_the_list_can_be_narrowed_and_ordered(server: Server) -> None:
    asked = {
        "limit": 100,
        "min_probability": 0.3,
        "tiers": ["dormant", "cooling"],
        "order_by": "churn_probability",
    }
    _, said = server.post("/v1/at_risk", asked)
    found = [one["churn_probability"] for one in said["customers"]]
    assert found
    assert min(found) >= 0.3
    assert found == sorted(found, reverse=True)
    assert {one["tier"] for one in said["customers"]} <= {"dormant", "cooling"}


def test_the_whole_list_comes_as_a_file(server: Server, batch: ScoreReader) -> None:
    status, content = server.send("GET", "/v1/at_risk.csv?language=ja")
    everyone = "".join(
        list_csv(batch.listed(ListFilter(), "ja"), "ja", with_plan=False, lifetime_months=(12, 24))
    )
    assert (status, content.decode("utf-8")) == (200, everyone)
    status, content = server.send("GET", "/v1/at_risk.csv?limit=3&tiers=casual&tiers=cooling")
    chosen = batch.listed(ListFilter(limit=3, tiers=("casual", "cooling")), "en")
    assert (status, content.decode("utf-8")) == (
        200,
        "".join(list_csv(chosen, "en", with_plan=False, lifetime_months=(12, 24))),
    )
    for query, field in (("limit=0", "limit"), ("tiers=zork", "tiers"), ("zork=1", "zork")):
        status, content = server.send("GET", f"/v1/at_risk.csv?{query}")
        assert (status, json.loads(content)["error"]["field"]) == (422, field)


def test_every_answer_says_where_it_came_from(server: Server, batch: ScoreReader) -> None:
    name = batch.at_risk(ListFilter(limit=1), "en").customers[0].customer_id
    calls = {
        "/v1/score": {"customer_ids": [name]},
        "/v1/at_risk": {},
        "/v1/explain": {"customer_id": name},
        "/v1/predict": {"customers": [{"customer_id": "x", "events": []}]},
    }
    for path, body in calls.items():
        _, said = server.post(path, body)
        assert said["model_version"] == "1"
        assert said["evidence"] == "normal"
        assert {"as_of", "data_version", "freshness"} <= said.keys()


def test_an_explanation_says_what_changed_since_the_scores_before(server: Server, batch: ScoreReader) -> None:
    name = batch.at_risk(ListFilter(limit=1), "en").customers[0].customer_id
    status, said = server.post("/v1/explain", {"customer_id": name, "language": "en"})
    assert status == 200
    assert said["previous"]["as_of"] == shop.DATES[0]
    assert said["customer"]["reasons"]
    assert all("went from" in change["sentence"] for change in said["changes"])


def test_unknown_customers_are_a_row_in_bulk_and_404_alone(server: Server) -> None:
    _, said = server.post("/v1/score", {"customer_ids": ["nobody"]})
    assert said["customers"][0]["status"] == "unknown"
    assert said["customers"][0]["churn_probability"] is None
    status, said = server.post("/v1/explain", {"customer_id": "nobody"})
    assert status == 404
    assert said["error"]["code"] == "unknown_customer"
    assert said["error"]["field"] == "customer_id"


def test_a_customer_outside_the_cohort_has_a_status_and_no_probability(server: Server) -> None:
    events = [{"occurred_at": "2024-01-05T10:00:00Z", "kind": "purchase", "value": 10}]
    visit = [{"occurred_at": "2024-01-05T10:00:00Z", "kind": "visit"}]
    sent = [
        {"customer_id": "gone", "events": events},
        {"customer_id": "fresh", "events": visit},
        {"customer_id": "nothing", "events": []},
    ]
    _, said = server.post("/v1/predict", {"customers": sent, "as_of": "2025-02-01"})
    assert [one["status"] for one in said["customers"]] == ["lapsed", "new", "unknown"]
    assert [one["churn_probability"] for one in said["customers"]] == [None, None, None]


def test_unknown_kinds_are_accepted_and_counted_and_misspelt_ones_get_a_suggestion(server: Server) -> None:
    events = [
        {"occurred_at": "2025-01-05T10:00:00Z", "kind": kind} for kind in ("purchase", "dance", "dance")
    ]
    status, said = server.post(
        "/v1/predict", {"customers": [{"customer_id": "x", "events": events}], "as_of": "2025-02-01"}
    )
    assert status == 200
    assert said["ignored_kinds"] == {"dance": 2}
    assert said["did_you_mean"] == {}
    kinds = ("purchses", "Purchase", "dance")
    events = [{"occurred_at": "2025-01-05T10:00:00Z", "kind": kind} for kind in kinds]
    _, body = server.post(
        "/v1/predict", {"customers": [{"customer_id": "x", "events": events}], "as_of": "2025-02-01"}
    )
    assert body["ignored_kinds"] == {"Purchase": 1, "dance": 1, "purchses": 1}
    assert body["did_you_mean"] == {"Purchase": "purchase", "purchses": "purchase"}


def live(**event: Any) -> dict[str, Any]:
    return {"customers": [{"customer_id": "x", "events": [{**EVENT, **event}]}], "as_of": "2025-02-01"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/score", {}, "customer_ids"),
        ("/v1/score", {"customer_ids": []}, "customer_ids"),
        ("/v1/score", {"customer_ids": [7]}, "customer_ids[0]"),
        ("/v1/score", {"customer_ids": ["a"], "zork": 1}, "zork"),
        ("/v1/score", {"customer_ids": ["a"] * 10_001}, "customer_ids"),
        ("/v1/at_risk", {"limit": 0}, "limit"),
        ("/v1/at_risk", {"limit": 10**30}, "limit"),
        ("/v1/at_risk", {"min_probability": 2}, "min_probability"),
        ("/v1/at_risk", {"tiers": ["zork"]}, "tiers"),
        ("/v1/at_risk", {"language": "fr"}, "language"),
        ("/v1/explain", {"customer_id": ""}, "customer_id"),
        ("/v1/predict", {"customers": []}, "customers"),
        ("/v1/predict", live(occurred_at="yesterday"), "customers[0].events[0].occurred_at"),
        ("/v1/predict", live(occurred_at=1700000000), "customers[0].events[0].occurred_at"),
        ("/v1/predict", live(occurred_at="1969-12-31"), "customers[0].events[0].occurred_at"),
        ("/v1/predict", live(occurred_at="2025-02-01"), "customers[0].events[0].occurred_at"),
        ("/v1/predict", live(value="much"), "customers[0].events[0].value"),
        ("/v1/predict", live(kind=""), "customers[0].events[0].kind"),
        ("/v1/predict", {**live(), "as_of": "soon"}, "as_of"),
        ("/v1/predict", {**live(), "as_of": "2999-01-01"}, "as_of"),
    ],
)
def test_bad_input_is_422_and_names_the_field(server: Server, path: str, body: Any, field: str) -> None:
    status, said = server.post(path, body)
    assert status == 422
    assert said["error"].keys() == {"code", "message", "field"}
    assert said["error"]["field"] == field
    assert said["error"]["message"].startswith("cannot ")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{bad",
        b"[1]",
        b'"text"',
        b'{"min_probability": NaN}',
        b'{"min_probability": Infinity}',
        b"\xff\xfe{}",
        b'{"language": "\\ud800"}',
        b'{"tiers": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_422(server: Server, body: bytes) -> None:
    status, said = server.post("/v1/at_risk", body)
    assert status == 422
    assert said["error"]["code"] == "bad_input"


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.bentoml+pickle",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    ],
)
def test_only_json_is_taken_and_never_a_pickle(server: Server, kind: str) -> None:
    status, said = server.post("/v1/at_risk", b"\x80\x04.", {"content-type": kind})
    assert (status, said["error"]["code"]) == (415, "not_json")
    assert said["error"]["message"] == (
        f"cannot read a body of type '{kind}': send JSON with `Content-Type: application/json`."
    )


def test_a_body_too_large_is_413(server: Server) -> None:
    status, said = server.post("/v1/at_risk", b" " * (33 * 1024 * 1024))
    assert status == 413
    assert said["error"]["code"] == "too_large"


def test_wrong_paths_and_methods_have_the_one_shape_too(server: Server) -> None:
    for method, path, status, code in (
        ("GET", "/v1/nowhere", 404, "no_such_path"),
        ("GET", "/v1/score", 405, "wrong_method"),
    ):
        found, body = server.send(method, path)
        assert found == status
        assert json.loads(body)["error"]["code"] == code


def test_health_readiness_metrics_and_openapi_are_there(server: Server) -> None:
    assert server.send("GET", "/healthz")[0] == 200
    status, body = server.send("GET", "/readyz")
    assert (status, json.loads(body)["model_version"]) == (200, "1")
    assert b"kizuna_requests_total" in server.send("GET", "/metrics")[1]
    paths = json.loads(server.send("GET", "/docs.json")[1])["paths"]
    assert {"/v1/score", "/v1/predict", "/v1/at_risk", "/v1/explain"} <= paths.keys()


def test_the_page_to_try_calls_asks_nobody_but_the_service(server: Server) -> None:
    status, page = server.send("GET", "/api")
    assert (status, b"<title>\xe7\xb5\x86 Kizuna</title>" in page) == (200, True)
    asked = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
    assert len(asked) == 5
    for address in asked:
        if not address.startswith("data:"):
            assert server.send("GET", address)[0] == 200
    assert b"//" not in page


def test_refused_input_leaves_no_customer_in_the_log(server: Server) -> None:
    server.post("/v1/score", {"customer_ids": ["secret-name"], "zork": 1})
    server.post("/v1/explain", {"customer_id": "secret-name"})
    assert "secret-name" not in "".join(server.log)
    assert "Traceback" not in "".join(server.log)


def test_the_service_loads_nothing_that_only_training_needs(server: Server, scored_shop: Path) -> None:
    """What the process has mapped: compiled parts of each library show in its memory map."""
    maps = Path(f"/proc/{server.process.pid}/maps")
    if not maps.exists():
        pytest.skip("no /proc on this system")
    for library in ("sklearn", "matplotlib", "shap"):
        assert f"/{library}/" not in maps.read_text(), library
    code = (
        "import sys, serving.api.server as s, serving.api.bentoml_service; s.application();"
        "s.service_state().current();"
        "print(*sorted({m.split('.')[0] for m in sys.modules if sys.modules[m]}"
        " & {'mlflow', 'optuna', 'shap', 'matplotlib', 'sklearn', 'pandas', 'woodelf'}))"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", code], env={"PATH": "", "KIZUNA_PROJECT": str(scored_shop)},
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == ""


def test_before_anything_is_scored_it_starts_and_says_503(scored_shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    shop.lay_out(folder)
    with serving(folder) as running:
        assert running.send("GET", "/healthz")[0] == 200
        status, body = running.send("GET", "/readyz")
        assert (status, json.loads(body)["error"]["code"]) == (503, "no_model")
        status, said = running.post("/v1/at_risk", {})
        assert status == 503
        assert said["error"]["message"] == (
            "cannot answer: nothing has been scored yet. Run `kizuna train` and `kizuna score` first."
        )
        status, said = running.post("/v1/predict", live())
        assert status == 503
        # New scores are noticed without a restart.
        shop.ingest(folder)
        shop.score_all(folder, scored_shop / "bundle")
        for _ in range(100):
            if running.post("/v1/at_risk", {"limit": 1})[0] == 200:
                break
            time.sleep(0.05)
        assert running.send("GET", "/readyz")[0] == 200


def test_who_stops_the_service_with_ctrl_c_reads_one_word(scored_shop: Path) -> None:
    with serving(scored_shop) as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(timeout=60) == 0
    assert running.log[-1] == "stopped\n"
    assert [line for line in running.log if "leaked" in line or "Traceback" in line] == []


def test_with_keys_a_call_needs_one_that_opens_it(own_shop: Path) -> None:
    with CliContext(own_shop).records() as records:
        read = add_key(records, "reader", ("read",), 0, who="test")
        old = add_key(records, "old", ("read", "score"), 0, who="test")
        revoke_keys(records, "old", 1, who="test")
    with serving(own_shop, "--host", "0.0.0.0") as running:
        for key in (None, "kz_wrong", old):
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            status, said = running.post("/v1/at_risk", {}, headers)
            assert (status, said["error"]["code"]) == (401, "no_key")
        bearer = {"authorization": f"Bearer {read}"}
        assert running.post("/v1/at_risk", {}, bearer)[0] == 200
        status, said = running.post("/v1/predict", live(), bearer)
        assert (status, said["error"]["code"]) == (403, "wrong_scope")
        assert running.send("GET", "/metrics")[0] == 401
        assert running.send("GET", "/healthz")[0] == 200
        assert running.send("GET", "/readyz")[0] == 200
    with CliContext(own_shop).records() as records:
        assert list_keys(records)[0].last_used_at is not None


def test_an_erased_customer_is_gone_from_a_running_service(own_shop: Path) -> None:
    with serving(own_shop) as running:
        name = running.post("/v1/at_risk", {"limit": 1})[1]["customers"][0]["customer_id"]
        subprocess.run([*COMMAND, "-C", str(own_shop), "erase", name], check=True, capture_output=True)
        time.sleep(1.1)
        assert running.post("/v1/score", {"customer_ids": [name]})[1]["customers"][0]["status"] == "unknown"
        assert running.post("/v1/explain", {"customer_id": name})[0] == 404


@pytest.mark.slow
def test_several_workers_answer_alike(scored_shop: Path) -> None:
    with serving(scored_shop, "--workers", "2") as running:
        said = {json.dumps(running.post("/v1/at_risk", {"limit": 3})) for _ in range(10)}
    assert len(said) == 1
