"""What is sent with a request is scored as the same events in the store would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import UsageError
from features.event_store import EventStore
from features.events.history import History
from features.events.schema import ATTRIBUTE
from features.ingestion.fast_path import fast_history
from features.ingestion.in_memory import history_of_events as sent_history
from features.ingestion.session.guards import IngestOptions
from features.ingestion.sources import Source
from features.storage.customer_ids import Customers
from features.timeline import Timeline, from_instant
from serving.lists.customer_view import predict_reply
from serving.schemas.requests import LiveCustomer, PredictRequest
from serving.scoring.batch import score_customers
from serving.scoring.live import _checked, beside_stored, history_of, predict
from serving.state.active_model import ActiveModel
from serving.state.scores.score_table import SCHEMA
from training.bundle.lifetime.score_columns import LIFETIME_COLUMNS
from training.bundle.model_bundle import Bundle

UTC = Timeline()
AS_OF = UTC.instant("2025-02-01")
EVENT = {"occurred_at": "2025-01-05T10:00:00Z", "kind": "purchase"}
MOMENTS = ("2024-11-02T10:00:00Z", "2025-01-05T10:00:00Z", "2025-01-05T19:00:00+09:00", "2025-01-20")

events = st.fixed_dictionaries(
    {"occurred_at": st.sampled_from(MOMENTS), "kind": st.sampled_from(["purchase", "refund", "visit"])},
    optional={
        "value": st.sampled_from([None, 0.0, -0.0, -5.0, -7.5]),
        "channel": st.sampled_from([None, "", "web"]),
        "place": st.sampled_from([None, "", "s1", "s2"]),
        "detail": st.sampled_from([None, "", "toys", "food", "books"]),
        "recorded_at": st.sampled_from([None, "2024-01-01", "2025-01-21", "2025-03-01"]),
        "event_id": st.sampled_from([None, "", "a", "b", "B", "é"]),
    },
)
customers = st.lists(
    st.fixed_dictionaries(
        {
            "customer_id": st.sampled_from(["ann", "bob", "cid"]),
            "events": st.lists(events, max_size=6),
            "attributes": st.fixed_dictionaries(
                {}, optional={"plan": st.sampled_from(["gold", "basic", "", 3.0])}
            ),
        }
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def bundle(scored_shop: Path) -> Bundle:
    return Bundle.load(scored_shop / "bundle")


def request(*sent: dict[str, Any], **more: Any) -> PredictRequest:
    return PredictRequest.model_validate({"customers": list(sent), "as_of": "2025-02-01", **more})


def ingested(folder: Path, sent: list[dict[str, Any]], now: int) -> EventStore:
    """A store that ingested what was sent, in the order in which it was sent."""
    rows = []
    for customer in sent:
        rows += [{"customer_id": customer["customer_id"], **event} for event in customer["events"]]
        for name, value in customer["attributes"].items():
            known = {"occurred_at": from_instant(AS_OF - 1).isoformat(), "kind": ATTRIBUTE + name}
            said = {"detail" if isinstance(value, str) else "value": value}
            rows.append({"customer_id": customer["customer_id"], **known, **said})
    store = EventStore(folder, buckets=1)
    names = ("customer_id", "occurred_at", "kind", "value", "channel", "place", "detail", "recorded_at")
    table = pa.table({name: [row.get(name) for row in rows] for name in (*names, "event_id")})
    receipt = store.add(table, source="crm", timeline=UTC, now=now)
    assert receipt.quarantined == 0
    return store


def said(history: History, name: str) -> dict[str, list[Any]]:
    """A customer's events in their order, with every text as text."""
    place = {"ann": 0, "bob": 1, "cid": 2}[name]
    rows = range(history.offsets[place], history.offsets[place + 1])
    texts = {
        column: [
            (*getattr(history, f"{column}_names"), None)[getattr(history, f"{column}s")[r]] for r in rows
        ]
        for column in ("kind", "channel", "place", "detail")
    }
    recorded = history.recorded[rows.start : rows.stop].tolist() if len(history.recorded) else []
    return texts | {
        "instant": history.instants[rows.start : rows.stop].tolist(),
        "value": [value.hex() for value in history.values[rows.start : rows.stop].tolist()],
        "recorded": recorded,
        "event_id": history.event_ids[rows.start : rows.stop].tolist(),
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=customers, reach=st.just("2025-04-01"))
def test_whatever_is_sent_gets_the_row_of_the_same_events_in_the_store(
    bundle: Bundle, tmp_path_factory: pytest.TempPathFactory, sent: list[dict[str, Any]], reach: str
) -> None:
    everyone = [{"customer_id": name, "events": [EVENT], "attributes": {}} for name in ("ann", "bob", "cid")]
    sent = [*everyone, *sent]
    now = UTC.instant(reach)
    store = ingested(tmp_path_factory.mktemp("store"), sent, now)
    asked = [LiveCustomer.model_validate(one) for one in sent]
    kept = next(iter(store.histories(event_ids=True)))
    theirs = score_customers(bundle, kept, AS_OF, threads=1)
    people = Customers()
    people.assign(pa.array([one["customer_id"] for one in sent]))
    ways = [sent_history(_checked(asked, UTC, AS_OF, now), people), history_of(asked, UTC, AS_OF, now)]
    for live in ways:
        for name in ("ann", "bob", "cid"):
            assert said(live, name) == said(kept, name) | ({} if len(live.event_ids) else {"event_id": []})
        mine = score_customers(bundle, live, AS_OF, threads=1)
        for name in SCHEMA.names:
            assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes(), name
        for name in LIFETIME_COLUMNS:
            assert getattr(mine.lifetime, name).tobytes() == getattr(theirs.lifetime, name).tobytes(), name


@pytest.mark.parametrize(
    ("event", "field", "sentence"),
    [
        (
            {"kind": "refund", "value": 5},
            "customers[0].events[1].value",
            "cannot use customers[0].events[1] of customer 'ann' (refund of 2025-01-05T10:00:00Z): "
            "a refund has a positive value: write the amount negative. Correct it, or leave it out.",
        ),
        (
            {"value": -1e101},
            "customers[0].events[1].value",
            "cannot use customers[0].events[1] of customer 'ann' (purchase of 2025-01-05T10:00:00Z): "
            "value is beyond 1e100. Correct it, or leave it out.",
        ),
        (
            {"kind": " "},
            "customers[0].events[1].kind",
            "cannot use customers[0].events[1] of customer 'ann' (  of 2025-01-05T10:00:00Z): "
            "kind is empty. Correct it, or leave it out.",
        ),
        (
            {"recorded_at": "2999-01-01"},
            "customers[0].events[1].recorded_at",
            "cannot use customers[0].events[1] of customer 'ann' (purchase of 2025-01-05T10:00:00Z): "
            "recorded_at is in the future. Correct it, or leave it out.",
        ),
        (
            {"occurred_at": "1969-12-31T00:00:00Z"},
            "customers[0].events[1].occurred_at",
            "cannot use customers[0].events[1] of customer 'ann' (purchase of 1969-12-31T00:00:00Z): "
            "occurred_at is before 1970. Correct it, or leave it out.",
        ),
        (
            {"occurred_at": "2025-02-01T00:00:00Z"},
            "customers[0].events[1].occurred_at",
            "cannot use customers[0].events[1] of customer 'ann' (purchase of 2025-02-01T00:00:00Z): "
            "it is not before the as-of date 2025-02-01. Leave it out, or give a later as_of.",
        ),
        (
            {"occurred_at": "0001-01-01T00:00:00+10:00"},
            "customers[0].events[1].occurred_at",
            "cannot use customers[0].events[1] of customer 'ann' (purchase of 0001-01-01T00:00:00+10:00): "
            "cannot use the moment 0001-01-01T00:00:00+10:00: its year is not between 2 and 9998. "
            "Check the year.",
        ),
    ],
)
def test_a_row_that_is_no_event_is_refused_with_customer_position_and_reason(
    bundle: Bundle, event: dict[str, Any], field: str, sentence: str
) -> None:
    sent = request({"customer_id": "ann", "events": [EVENT, {**EVENT, **event}]})
    with pytest.raises(UsageError) as refused:
        predict(ActiveModel("1", bundle), sent, UTC.instant("2025-04-01"))
    assert (refused.value.message, refused.value.field) == (sentence, field)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("as_of", "sentence"),
    [
        (
            "0001-01-01T00:00:00+10:00",
            "cannot use the moment 0001-01-01T00:00:00+10:00: its year is not between 2 and 9998. "
            "Check the year.",
        ),
        (
            "9999-12-31T23:59:59-05:00",
            "cannot use the moment 9999-12-31T23:59:59-05:00: its year is not between 2 and 9998. "
            "Check the year.",
        ),
        ("1970-01-01", "cannot predict as of 1970-01-01: no event is before 1970. Give a later date."),
    ],
)
def test_an_as_of_date_that_cannot_be_is_refused(bundle: Bundle, as_of: str, sentence: str) -> None:
    sent = request({"customer_id": "ann", "events": [], "attributes": {"plan": "gold"}}, as_of=as_of)
    with pytest.raises(UsageError) as refused:
        predict(ActiveModel("1", bundle), sent, UTC.instant("2025-04-01"))
    assert (refused.value.message, refused.value.field) == (sentence, "as_of")


def test_freshness_is_the_newest_event_known_before_the_date(bundle: Bundle) -> None:
    late = {**EVENT, "occurred_at": "2025-01-20", "recorded_at": "2025-03-01"}
    sent = request({"customer_id": "ann", "events": [EVENT, late], "attributes": {"plan": "gold"}})
    now = UTC.instant("2025-04-01")
    assert (
        predict_reply(predict(ActiveModel("1", bundle), sent, now), "en").freshness
        == "2025-01-05T10:00:00+00:00"
    )
    alone = request({"customer_id": "ann", "events": [], "attributes": {"plan": "gold"}})
    assert predict_reply(predict(ActiveModel("1", bundle), alone, now), "en").freshness is None


@pytest.mark.parametrize("text", ["1510704000", " 1510704000.5 ", "-5", "1.5e9", "20171115"])
def test_a_bare_number_is_no_moment_even_as_text(bundle: Bundle, text: str) -> None:
    sent = request({"customer_id": "ann", "events": [{**EVENT, "occurred_at": text}]})
    with pytest.raises(UsageError) as refused:
        predict(ActiveModel("1", bundle), sent, UTC.instant("2025-04-01"))
    assert refused.value.message == (
        f"cannot use customers[0].events[0] of customer 'ann' (purchase of {text}): "
        f"'{text}' is no moment: write it like 2017-11-15T09:30:00+09:00"
    )
    assert refused.value.field == "customers[0].events[0].occurred_at"


def test_what_is_sent_without_oddities_goes_the_short_way() -> None:
    """Else the property above would hold the slow way against itself."""
    plain = [{**EVENT, "occurred_at": moment, "place": "s1"} for moment in MOMENTS for _ in range(2)]
    given = [{**EVENT, "event_id": "b"}, {**EVENT, "event_id": "a"}]
    for events in (plain, given):
        asked = LiveCustomer.model_validate({"customer_id": "ann", "events": events})
        assert fast_history([asked], UTC, AS_OF, UTC.instant("2025-04-01")) is not None


def test_what_was_retracted_counts_in_a_live_score_as_of_a_date_before(
    bundle: Bundle, tmp_path: Path
) -> None:
    query = """select 'o' || i as event_id, 'ann' as customer_id, timestamp '2024-10-01' + i * interval 1 day
               as occurred_at, 'purchase' as kind, 5.0 as value from range({}) t(i)"""
    known, model = EventStore(tmp_path / "state"), ActiveModel("1", bundle)
    never = EventStore(tmp_path / "other")

    def read(store: EventStore, rows: int, day: str) -> None:
        source = Source(name="orders", query=query.format(rows), complete=True)
        options = IngestOptions(accept_removal=frozenset(["orders"]))
        now = UTC.instant(day)
        store.ingest([source], (), folder=tmp_path, timeline=UTC, now=now, options=options)

    def score(store: EventStore, day: str) -> str:
        sent = PredictRequest.model_validate(
            {"customers": [{"customer_id": "ann", "events": []}], "as_of": day}
        )
        return str(beside_stored(model, sent, UTC.instant("2025-04-01"), store).table.churn_probability[0])

    read(known, 100, "2025-01-10")
    read(never, 40, "2025-01-10")
    before = score(known, "2025-01-15")
    read(known, 40, "2025-01-20")
    assert (score(known, "2025-01-15"), score(known, "2025-01-21")) == (before, score(never, "2025-01-21"))
    assert before != score(never, "2025-01-15")
