"""Who may be contacted now: over which channels, and since when not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from features.event_store import EventStore
from features.events.consent import ALL_CHANNELS, ConsentEntry, ConsentRules
from features.timeline import DAY, Timeline
from serving.actions.contact_state import NEVER, ContactRegister, cooling_down

UTC = Timeline("UTC")
NOW = UTC.instant("2025-01-01")


def add(store: EventStore, *rows: tuple[str, str, str, str | None]) -> None:
    table = pa.Table.from_pylist(
        [
            {"customer_id": who, "occurred_at": at, "kind": kind, "detail": says}
            for who, at, kind, says in rows
        ]
    )
    store.add(table, source="table", timeline=UTC, now=NOW)


def test_the_last_contact_of_each_touch_and_channels_that_are_refused(tmp_path: Path) -> None:
    store = EventStore(tmp_path)
    add(
        store,
        ("ann", "2024-10-01", "attribute.quiet", "yes"),
        ("ann", "2024-10-02", "call_made", None),
        ("ann", "2024-10-05", "email_sent", None),
        ("bob", "2024-10-01", "attribute.quiet", "yes"),
        ("bob", "2024-11-01", "attribute.quiet", "no"),
        ("bob", "2024-11-01", "attribute.mail_ok", "no"),
    )
    entries = (
        ConsentEntry(attribute="quiet", says="must_not_contact"),
        ConsentEntry(attribute="mail_ok", says="may_contact", channels=("e-mail",)),
    )
    register = ContactRegister(ConsentRules(entries), (("call_made",), ("email_sent", "push_sent"), ()))
    state = register.state(store, NOW)
    keys = store.customers.keys(pa.array(["ann", "bob", "who"], pa.large_string()))
    masks = state.masks(keys)
    mail, other = state.bits.bit("メール"), state.bits.bit("phone")
    assert masks.tolist() == [ALL_CHANNELS, mail, ALL_CHANNELS]
    assert (int(masks[1]) & mail != 0, int(masks[1]) & other != 0) == (True, False)
    last = [state.nearest_contacts(keys, touch).tolist() for touch in range(3)]
    day = [UTC.instant(f"2024-10-0{n}") for n in (2, 5)]
    assert last == [[day[0], NEVER, NEVER], [day[1], NEVER, NEVER], [NEVER] * 3]


def test_a_contact_ahead_is_the_nearest_one_until_it_is_over(tmp_path: Path) -> None:
    store, hour = EventStore(tmp_path), 3_600_000_000
    add(store, ("ann", "2024-10-01", "call_made", None), ("ann", "2024-10-11", "call_made", None))
    register = ContactRegister(ConsentRules(), (("call_made",),))
    first, second = UTC.instant("2024-10-01"), UTC.instant("2024-10-11")
    for now, nearest in (
        ("2024-09-01", first),
        ("2024-10-03", first),
        ("2024-10-09", second),
        ("2024-12-01", second),
        ("2024-10-02", first),  # a simulated clock may go back
    ):
        state = register.state(store, UTC.instant(now) + hour)
        keys = store.customers.keys(pa.array(["ann"], pa.large_string()))
        assert state.nearest_contacts(keys, 0).tolist() == [nearest], now
    late = cooling_down(np.array([first, NEVER]), 10, first + 9 * DAY)
    assert late.tolist() == [True, False]
    assert not cooling_down(np.array([first]), 10, first + 10 * DAY).any()
    assert not cooling_down(np.array([first]), 10, first - 10 * DAY).any()


def test_only_buckets_whose_files_changed_are_read_again(tmp_path: Path) -> None:
    store = EventStore(tmp_path)
    add(store, *((f"c{n}", "2024-10-01", "visit", None) for n in range(40)))
    register = ContactRegister(ConsentRules.of((), "do_not_contact"), ())
    before = register.state(store, NOW)
    parts = {bucket: part for bucket, (_, part) in register._buckets.items()}
    add(store, ("c7", "2024-10-02", "attribute.do_not_contact", "1"))
    after = register.state(store, NOW)
    changed = {bucket for bucket, (_, part) in register._buckets.items() if part is not parts[bucket]}
    key = store.customers.keys(pa.array(["c7"], pa.large_string()))
    assert changed == {int(key[0]) % len(store.buckets)}
    assert (before.masks(key).tolist(), after.masks(key).tolist()) == ([0], [ALL_CHANNELS])
    assert np.count_nonzero(after.mask) == 1
