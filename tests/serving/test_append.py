"""Events sent to be kept: the answer is the batch's, and sending them again keeps nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.errors import UsageError
from features.event_store import EventStore
from features.events.history import History
from serving.cli.context import CliContext
from serving.lists.customer_view import predict_reply
from serving.schemas.requests import PredictRequest
from serving.scoring.batch import score, score_customers
from serving.scoring.live import append, beside_stored
from serving.state.active_model import ActiveModel
from serving.state.api_keys import add_key
from serving.state.audit_log import newest_accesses
from serving.state.scores.score_table import SCHEMA
from tests.serving.running import serving
from tests.serving.shapes import as_json
from training.bundle.model_bundle import Bundle

AS_OF = "2025-02-10"
EVENTS: list[dict[str, Any]] = [
    {
        "occurred_at": "2025-02-03T10:00:00Z",
        "kind": "purchase",
        "value": 12.5,
        "place": "s1",
        "detail": "toys",
    },
    {
        "occurred_at": "2025-02-03T10:00:00Z",
        "kind": "purchase",
        "value": 12.5,
        "place": "s1",
        "detail": "toys",
    },
    {"occurred_at": "2025-02-05", "kind": "purchase", "value": 3, "event_id": "x1"},
    {"occurred_at": "2025-02-06T09:00:00+09:00", "kind": "dance"},
]
SENT = {
    "customers": [
        {"customer_id": "c0006", "events": EVENTS},
        {"customer_id": "brand-new", "events": [{**EVENTS[2], "event_id": "x2"}]},
        {"customer_id": "n0", "events": []},
        {"customer_id": "never-seen", "events": []},
    ],
    "as_of": AS_OF,
    "append": True,
}


def test_what_is_appended_gets_the_answer_of_the_batch_bit_for_bit(own_shop: Path) -> None:
    call = CliContext(own_shop)
    champion = ActiveModel("1", Bundle.load(own_shop / "bundle"))
    request, store = PredictRequest.model_validate(SENT), call.store
    before = store.events
    said = as_json(predict_reply(append(champion, request, call.now, store), "en"))
    assert said["appended"] == {"new": 5, "already_there": 0, "corrected": 0, "erased": 0}
    assert said["ignored_kinds"] == {"dance": 1}
    assert said["data_version"] == call.store.version
    as_of = call.project.timeline.instant(AS_OF)
    batch, _ = score(call.store, champion, as_of, call.now)
    for sent, live in zip(request.customers, said["customers"], strict=True):
        key = (
            int(store.customers.vocabulary.texts.to_pylist().index(sent.customer_id)) if live["tier"] else -1
        )
        if key < 0:
            assert live["status"] == "unknown"
            continue
        row = int(np.flatnonzero(batch.key == key)[0])
        probability = batch.churn_probability[row]
        assert live["churn_probability"] == (None if np.isnan(probability) else probability)
        alone = score_customers(champion.bundle, store.history_of([key]), as_of, threads=1)
        for name in SCHEMA.names:
            assert getattr(alone, name)[0].tobytes() == getattr(batch, name)[row].tobytes(), name
    again = as_json(predict_reply(append(champion, request, call.now, store), "en"))
    assert again["appended"] == {"new": 0, "already_there": 5, "corrected": 0, "erased": 0}
    assert {**again, "appended": None} == {**said, "appended": None}
    assert call.store.events == before + 5


def test_the_data_version_of_an_appended_answer_is_that_of_the_events_it_used(own_shop: Path) -> None:
    versions: list[str] = []

    class BusyStore(EventStore):
        """A store that another process writes to right after its events were read."""

        def history_of(self, keys: Sequence[int], **options: Any) -> History:
            history = super().history_of(keys, **options)
            versions.append(CliContext(own_shop).store.version)
            append(champion, other, call.now, CliContext(own_shop).store)
            return history

    call = CliContext(own_shop)
    champion = ActiveModel("1", Bundle.load(own_shop / "bundle"))
    request = PredictRequest.model_validate(SENT)
    event = {"occurred_at": "2025-02-03", "kind": "purchase", "value": 4, "event_id": "other"}
    other = PredictRequest.model_validate(
        {**SENT, "customers": [{"customer_id": "somebody-else", "events": [event]}]}
    )
    scores = append(champion, request, call.now, BusyStore(call.project.state))
    assert [scores.data_version] == versions
    assert call.store.version != scores.data_version


def test_beside_what_is_stored_the_answer_is_that_of_appending_and_nothing_is_kept(own_shop: Path) -> None:
    call = CliContext(own_shop)
    champion = ActiveModel("1", Bundle.load(own_shop / "bundle"))
    stored = call.store.history_of([int(call.store.customers.keys(pa.array(["c0006"]))[0])], event_ids=True)
    corrected = {
        "occurred_at": "2025-01-20",
        "kind": stored.kind_names[stored.kinds[-1]],
        "value": 99,
        "event_id": str(stored.event_ids[-1]),
    }
    customers = [{"customer_id": "c0006", "events": [*EVENTS, corrected]}, *SENT["customers"][1:]]
    body = {**SENT, "customers": customers}
    before = call.store.version
    beside, kept = (
        PredictRequest.model_validate({**body, "append": False, "stored": True}),
        PredictRequest.model_validate(body),
    )
    said = as_json(predict_reply(beside_stored(champion, beside, call.now, call.store), "en"))
    assert (call.store.version, said["data_version"], said["appended"]) == (before, before, None)
    after = as_json(predict_reply(append(champion, kept, call.now, call.store), "en"))
    assert after["appended"] == {"new": 5, "already_there": 0, "corrected": 1, "erased": 0}
    assert said["customers"] == after["customers"]
    assert said["customers"][0]["churn_probability"] is not None
    assert call.store.version != before


def test_a_request_with_one_bad_event_keeps_nothing(own_shop: Path) -> None:
    call = CliContext(own_shop)
    champion = ActiveModel("1", Bundle.load(own_shop / "bundle"))
    late = {**EVENTS[0], "occurred_at": "2025-02-11"}
    bad = PredictRequest.model_validate(
        {**SENT, "customers": [{"customer_id": "c0006", "events": [*EVENTS, late]}]}
    )
    before = call.store.events
    with pytest.raises(UsageError) as refused:
        append(champion, bad, call.now, call.store)
    assert refused.value.field == "customers[0].events[4].occurred_at"
    known = PredictRequest.model_validate(
        {**SENT, "customers": [{"customer_id": "a", "events": [], "attributes": {"plan": "gold"}}]}
    )
    with pytest.raises(UsageError) as refused:
        append(champion, known, call.now, call.store)
    assert refused.value.message == (
        "cannot append attributes of customer 'a': only events are kept. "
        "Leave the attributes out; those that are stored are used."
    )
    assert call.store.events == before


def test_keeping_events_needs_the_scope_write_and_is_written_down(own_shop: Path) -> None:
    with CliContext(own_shop).records() as records:
        score_only = {"authorization": "Bearer " + add_key(records, "scorer", ("score",), 0, who="test")}
        writer = {"authorization": "Bearer " + add_key(records, "crm", ("score", "write"), 0, who="test")}
    with serving(own_shop, "--host", "0.0.0.0") as running:
        status, said = running.post("/v1/predict", SENT, score_only)
        assert (status, said["error"]["code"]) == (403, "wrong_scope")
        assert said["error"]["message"] == (
            "cannot let 'scorer' do this: it takes the permission 'append_events', which a key with the "
            "scope 'write' has. Ask an administrator for it."
        )
        first, again = (running.post("/v1/predict", SENT, writer) for _ in range(2))
        assert (first[0], first[1]["appended"]["new"]) == (200, 5)
        assert (again[0], again[1]["appended"]["new"]) == (200, 0)
        assert first[1]["customers"] == again[1]["customers"]
    with CliContext(own_shop).records() as records:
        key = int(CliContext(own_shop).store.customers.vocabulary.texts.to_pylist().index("brand-new"))
        assert [(one.who, one.action) for one in newest_accesses(records, customer=key)] == [
            ("crm", "append")
        ] * 2


def test_events_of_an_erased_customer_are_left_out_and_counted(own_shop: Path) -> None:
    call = CliContext(own_shop)
    champion = ActiveModel("1", Bundle.load(own_shop / "bundle"))
    call.store.erase("c0006")
    request = PredictRequest.model_validate({**SENT, "customers": [SENT["customers"][0]]})
    before = call.store.events
    said = as_json(predict_reply(append(champion, request, call.now, call.store), "en"))
    assert said["appended"] == {"new": 0, "already_there": 0, "corrected": 0, "erased": 4}
    assert said["customers"][0]["status"] == "unknown"
    assert call.store.events == before
