"""Consent to be contacted: how many customers allow or refuse it, and which values cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial

from features.event_store import EventStore
from features.events.attributes import last_values, names_consent, opted_out
from features.events.history import History
from features.events.schema import ATTRIBUTE
from features.execution.local import map_partitions
from features.profiling.finding import CheckFinding

SHOWN = 5
"""Unclear values named one by one; the rest is counted."""


@dataclass(frozen=True)
class ConsentProfile:
    """Customers by what an attribute says of their wish not to be contacted."""

    attribute: str
    known: int
    """Customers of whom it says anything."""
    opted_out: int
    unclear: tuple[tuple[str, int], ...]
    """Values that are neither a clear yes nor a clear no, and how many customers have each, most first."""
    others: tuple[str, ...]
    """Other attributes of the store whose names suggest that they are about contact."""


def profile_consent(
    store: EventStore, attribute: str, kinds: Collection[str], until: int | None
) -> ConsentProfile:
    """Count the last value of an attribute by customer; `kinds` are those that the store holds."""
    counts: Counter[str] = Counter()
    if ATTRIBUTE + attribute in kinds:
        new, columns = partial(_ValueCounts, attribute), frozenset({"value", "detail"})
        counts = map_partitions(store, new, until=until, columns=columns).counts
    unclear = {value: count for value, count in counts.items() if opted_out(value) is None}
    return ConsentProfile(
        attribute=attribute,
        known=counts.total(),
        opted_out=sum(count for value, count in counts.items() if opted_out(value)),
        unclear=tuple(sorted(unclear.items(), key=lambda pair: (-pair[1], pair[0]))),
        others=tuple(
            name
            for name in sorted(kind.removeprefix(ATTRIBUTE) for kind in kinds if kind.startswith(ATTRIBUTE))
            if name != attribute and names_consent(name)
        ),
    )


@dataclass
class _ValueCounts:
    """Customers by the last value of an attribute."""

    attribute: str
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, history: History) -> None:
        values = last_values(history, self.attribute, skip_empty=True).by_customer
        self.counts.update(value for value in values if value is not None)

    def merge(self, other: _ValueCounts) -> None:
        self.counts.update(other.counts)


def consent_findings(consent: ConsentProfile) -> Iterator[CheckFinding]:
    """Values that cannot be read, and an attribute that nobody has."""
    name = consent.attribute
    if consent.unclear:
        customers = sum(count for _, count in consent.unclear)
        listed = ", ".join(f"'{value}' ({count:,})" for value, count in consent.unclear[:SHOWN])
        listed_ja = "、".join(f"「{value}」（{count:,}人）" for value, count in consent.unclear[:SHOWN])
        more = "" if len(consent.unclear) <= SHOWN else f" … ({len(consent.unclear) - SHOWN})"
        yield CheckFinding(
            "unclear_consent",
            f"`{name}` of {customers:,} customers is neither a clear yes nor a clear no: {listed}{more}. "
            "They are not contacted until it is: write yes or no in the query of the attribute.",
            f"`{name}` の値が「はい」とも「いいえ」とも読めない顧客が{customers:,}人います："
            f"{listed_ja}{more}。"
            "明らかになるまで連絡対象から外します。属性のクエリで yes か no にしてください。",
            {"attribute": name, "customers": customers, "values": dict(consent.unclear)},
        )
    if not consent.known and (consent.others or name != "do_not_contact"):
        near = f" `{'`, `'.join(consent.others)}` sounds like it:" if consent.others else ""
        near_ja = f"`{'`, `'.join(consent.others)}` がそれらしい属性です。" if consent.others else ""
        yield CheckFinding(
            "no_consent",
            f"No customer has the attribute `{name}`, by which the playbook learns who must not be contacted."
            f"{near} name the right one as `do_not_contact` in the playbook.",
            f"プレイブックが連絡不可の判断に使う属性 `{name}` を持つ顧客がいません。{near_ja}"
            "プレイブックの `do_not_contact` に正しい属性名を書いてください。",
            {"attribute": name, "others": list(consent.others)},
        )
