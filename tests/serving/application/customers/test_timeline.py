"""One timeline of all channels: order, pages, what is told as one, what it is narrowed by, and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from features.errors import UnknownCustomer, UsageError
from serving.application.customers.record_contact import record_contact
from serving.application.customers.timeline import customer_timeline
from serving.application.permissions import COMMAND_LINE, person
from serving.application.workspace import Workspace
from serving.lists.customers.timeline_rows import TimelineFilter
from serving.schemas.customer_responses import TimelineEntry, TimelinePage

Row = Mapping[str, str | float | None]


def add(shop: Workspace, *rows: Row, customer: str = "new one") -> None:
    """Ingest events of a customer; ids are their places."""
    events = [{"customer_id": customer, "event_id": f"e{place:05d}", **row} for place, row in enumerate(rows)]
    table = pa.Table.from_pylist(events)
    shop.store.add(table, source="crm", timeline=shop.project.timeline, now=shop.clock())


def event(when: str, kind: str = "visit", **other: str | float) -> Row:
    """An event of February 2025."""
    row: dict[str, str | float | None] = {"occurred_at": f"2025-02-{when}Z", "kind": kind}
    names = ("value", "channel", "place", "detail", "contract_id", "currency")
    return row | {name: other.get(name) for name in names}


def page(shop: Workspace, customer: str = "new one", **how: object) -> TimelinePage:
    return customer_timeline(shop, COMMAND_LINE, customer, **how)  # type: ignore[arg-type]


def told(entries: Sequence[TimelineEntry]) -> list[tuple[str, str | None]]:
    return [(one.title, one.value) for one in entries]


def test_equal_events_of_a_day_are_told_as_one_and_others_are_not(shop: Workspace) -> None:
    add(
        shop,
        *(event(f"03T{hour:02d}:00:00", value=5, channel="web", detail=f"d{hour}") for hour in range(8, 14)),
        event("03T20:00:00", value=5, channel="app"),
        event("03T21:00:00", value=5, channel="app"),
        event("04T01:00:00", value=5, channel="web"),
    )
    entries = page(shop).entries
    assert told(entries) == [
        ("Visit", "5 minutes"),
        ("Visit", "5 minutes"),
        ("Visit", "5 minutes"),
        ("6 visits", "30 minutes"),
    ]
    folded = entries[-1]
    assert (folded.count, folded.details, folded.more_details) == (6, ("d13", "d12", "d11"), 3)
    assert [one.title for one in page(shop, language="ja").entries][-1] == "訪問 6回"


def test_pages_go_on_where_they_ended_whatever_comes_in_meanwhile(shop: Workspace) -> None:
    ties = [event("03T10:00:00", detail=f"d{n}", place=f"p{n}") for n in range(7)]
    add(shop, *ties, *(event(f"04T{hour:02d}:30:00", place=f"q{hour}") for hour in range(4)))
    whole = [one.event_id for one in page(shop, limit=200).entries]
    assert whole == sorted(whole, reverse=True)
    seen, cursor = [], None
    for _ in range(20):
        part = page(shop, limit=2, cursor=cursor)
        seen += [one.event_id for one in part.entries]
        cursor = part.next_cursor
        later = {"customer_id": "new one", "occurred_at": "2025-02-05T00:00:00Z", "kind": "login"}
        table = pa.Table.from_pylist([{**later, "event_id": f"late{len(seen)}"}])
        shop.store.add(table, source="crm", timeline=shop.project.timeline, now=shop.clock())
        if cursor is None:
            break
    assert seen == whole


def test_it_is_narrowed_by_indicator_kind_channel_and_period(shop: Workspace) -> None:
    add(
        shop,
        event("01T10:00:00", "purchase", value=10, channel="store"),
        event("02T10:00:00", "refund", value=-10, channel="store"),
        event("03T10:00:00", "nps", value=9),
        event("03T23:59:59", "dance", channel="store"),
        event("04T00:00:00", "attribute.plan", detail="gold"),
    )
    everything = page(shop)
    assert {one.name: one.events for one in everything.indicators} == {
        "purchase": 2,
        "survey": 1,
        "other": 1,
        "profile": 1,
    }
    for choice, kinds in (
        (TimelineFilter(indicator="purchase"), ["refund", "purchase"]),
        (TimelineFilter(indicator="profile"), ["attribute.plan"]),
        (TimelineFilter(kind="nps"), ["nps"]),
        (TimelineFilter(channel="store", since="2025-02-02"), ["dance", "refund"]),
        (TimelineFilter(since="2025-02-03", until="2025-02-03"), ["dance", "nps"]),
        (TimelineFilter(indicator="nothing"), []),
        (TimelineFilter(channel="<b>"), []),
    ):
        part = page(shop, choice=choice)
        assert [one.kind for one in part.entries] == kinds, choice
        assert (part.events, part.all_events) == (len(kinds), 5)


def test_values_are_said_as_what_they_are(shop: Workspace) -> None:
    add(
        shop,
        event("01T01:00:00", "purchase", value=1234, currency="EUR"),
        event("01T02:00:00", "refund", value=-10),
        event("01T03:00:00", "ticket_opened", value=120),
        event("01T04:00:00", "csat", value=4),
        event("01T05:00:00", "like", value=1500),
        event("01T06:00:00", "coupon_sent", value=300),
        event("01T07:00:00", "attribute.plan", detail="basic"),
        event("02T07:00:00", "attribute.plan", detail="gold"),
    )
    entries = page(shop).entries
    assert told(entries)[2:] == [
        ("Coupon sent", "cost 300.00"),
        ("Like", "reach 1,500"),
        ("Satisfaction answer", "score 4"),
        ("Ticket", "answered after 2 hours"),
        ("Refund", "-10.00"),
        ("Purchase", "€1,234"),
    ]
    assert [one.details for one in entries[:2]] == [("basic → gold",), ("basic",)]
    assert [one.kind for one in entries if one.taken_back] == ["refund"]
    assert [one.kind for one in entries if one.by_company] == ["coupon_sent"]


def test_who_may_contact_nobody_sees_no_contact_data(shop: Workspace) -> None:
    add(shop, event("01T01:00:00", "attribute.email", detail="ann@example.com"), event("01T02:00:00"))
    for actor, shown in ((person("v", "viewer"), "••••"), (person("m", "marketer"), "ann@example.com")):
        entries = customer_timeline(shop, actor, "new one").entries
        assert [one.details for one in entries if one.kind == "attribute.email"] == [(shown,)]


def test_who_may_not_read_what_was_written_sees_a_contact_without_its_note(shop: Workspace) -> None:
    marketer = person("m", "marketer")
    record_contact(
        shop, marketer, "c0006", kind="call_made", at="2025-02-05", token="word-of-the-form", text="is ill"
    )
    for role, shown in (("viewer", ""), ("marketer", "is ill"), ("analyst", "is ill")):
        entries = customer_timeline(shop, person("v", role), "c0006").entries
        assert [(one.kind, one.note) for one in entries if one.noted] == [("call_made", shown)]


def test_what_is_no_cursor_no_date_and_nobody_is_refused(shop: Workspace) -> None:
    for wrong in ("x", "-5.a", "9" * 40 + ".a"):
        with pytest.raises(UsageError, match="cannot go on from this cursor"):
            page(shop, "c0006", cursor=wrong)
    with pytest.raises(UsageError):
        page(shop, "c0006", choice=TimelineFilter(since="soon"))
    with pytest.raises(UsageError):
        page(shop, "c0006", limit=0)
    with pytest.raises(UnknownCustomer) as nobody:
        page(shop, "C0006 ")
    assert nobody.value.similar == ("c0006",)


def test_a_customer_of_twenty_thousand_events_has_the_same_pages(shop: Workspace) -> None:
    rows = [
        event(f"{1 + n // 5000:02d}T{n % 24:02d}:{n % 60:02d}:00", place=f"p{n % 900}") for n in range(20_000)
    ]
    add(shop, *rows)
    part = page(shop)
    assert part.all_events == 20_000
    assert part.entries[0].occurred_at >= part.entries[-1].occurred_at
    assert part.next_cursor is not None
    assert page(shop, cursor=part.next_cursor).entries[0].event_id != part.entries[-1].event_id
