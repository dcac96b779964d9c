"""Consent to be contacted: how many customers allow or refuse it, and which values cannot be read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from features.event_store import EventStore
from features.events.attributes import last_values, names_permission, names_refusal, read_flag
from features.events.consent import ConsentEntry, ConsentRules, consent_verdicts, forbids_contact
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
    """Other attributes of the store whose names suggest that a yes forbids contact."""
    permissions: tuple[str, ...] = ()
    """Attributes of the store whose names suggest that a yes allows contact, the opposite."""
    flags: int = 0
    """Customers of whom the attribute says a plain yes or no, which means what its name says."""
    further: tuple[ConsentWords, ...] = ()
    """The other attributes that decide about contact, with their unclear words."""
    contradictions: int = 0
    """Customers of whom it says both at one instant."""
    missing: tuple[str, ...] = ()
    """Attributes that `[[consent]]` names and nobody has."""


@dataclass(frozen=True)
class ConsentWords:
    """Unclear words of an attribute, and for how many customers it says both at one instant."""

    attribute: str
    unclear: tuple[tuple[str, int], ...]
    contradictions: int


def profile_consent(
    store: EventStore,
    attribute: str,
    kinds: Collection[str],
    until: int | None,
    entries: Sequence[ConsentEntry] = (),
) -> ConsentProfile:
    """Count the last value of an attribute by customer; `kinds` are those that the store holds.

    `entries` are those of `[[consent]]`. The unclear words of all attributes that decide are gathered.
    """
    names = sorted(kind.removeprefix(ATTRIBUTE) for kind in kinds if kind.startswith(ATTRIBUTE))
    named = {entry.attribute for entry in entries}
    deciding = ConsentRules.of(entries, attribute).for_attributes(names)
    present = tuple(entry for entry in deciding if entry.attribute in names)
    gathered = _ValueCounts(attribute, present)
    if present or attribute in names:
        new, columns = partial(_ValueCounts, attribute, present), frozenset({"value", "detail"})
        gathered = map_partitions(store, new, until=until, columns=columns)
    counts = gathered.counts
    further = [
        ConsentWords(name, _most_first(gathered.unclear[name]), gathered.contradictions[name])
        for name in dict.fromkeys(entry.attribute for entry in present)
        if name != attribute
    ]
    unclear = {value: count for value, count in counts.items() if forbids_contact(value) is None}
    return ConsentProfile(
        attribute=attribute,
        known=counts.total(),
        opted_out=sum(count for value, count in counts.items() if forbids_contact(value)),
        unclear=_most_first(unclear),
        others=tuple(name for name in names if name not in {attribute, *named} and names_refusal(name)),
        permissions=tuple(name for name in names if name not in named and names_permission(name)),
        flags=0
        if attribute in named
        else sum(count for value, count in counts.items() if read_flag(value) is not None),
        further=tuple(further),
        contradictions=gathered.contradictions[attribute],
        missing=tuple(sorted(named - set(names))),
    )


def _most_first(words: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(words.items(), key=lambda pair: (-pair[1], pair[0])))


@dataclass
class _ValueCounts:
    """Customers by the last value of an attribute, and by the unclear words of all that decide."""

    attribute: str
    entries: tuple[ConsentEntry, ...]
    counts: Counter[str] = field(default_factory=Counter)
    unclear: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    contradictions: Counter[str] = field(default_factory=Counter)

    def add(self, history: History) -> None:
        values = last_values(history, self.attribute, skip_empty=True).by_customer
        self.counts.update(value for value in values if value is not None)
        for name, says in dict.fromkeys((entry.attribute, entry.says) for entry in self.entries):
            found = consent_verdicts(history, name, says)
            self.unclear[name].update(found.unclear)
            self.contradictions[name] += found.contradictions

    def merge(self, other: _ValueCounts) -> None:
        self.counts.update(other.counts)
        self.contradictions.update(other.contradictions)
        for name, words in other.unclear.items():
            self.unclear[name].update(words)


def consent_findings(consent: ConsentProfile) -> Iterator[CheckFinding]:
    """Values that cannot be read, an attribute that nobody has, and one that means the opposite."""
    name = consent.attribute
    if consent.unclear:
        yield _unclear(name, consent.unclear)
    for words in consent.further:
        if words.unclear:
            yield _unclear(words.attribute, words.unclear)
    both = {words.attribute: words.contradictions for words in consent.further}
    both[name] = consent.contradictions
    for attribute, customers in both.items():
        if customers:
            yield CheckFinding(
                "contradicting_consent",
                f"`{attribute}` of {customers:,} customers says yes and no at the same instant. They are not "
                "contacted until it says one thing: give the rows their own times in its query.",
                f"`{attribute}` が同じ時刻に「はい」と「いいえ」の両方を示す顧客が{customers:,}人います。"
                "どちらかに定まるまで連絡対象から外します。属性のクエリで時刻を分けてください。",
                {"attribute": attribute, "customers": customers},
            )
    for attribute in consent.missing:
        yield CheckFinding(
            "no_consent",
            f"`[[consent]]` names `{attribute}`, which no customer has: `kizuna plan` refuses it. Correct "
            "the name, or ingest the attribute with [[attributes]].",
            f"`[[consent]]` が指す `{attribute}` を持つ顧客がいないため、"
            "`kizuna plan` は実行できません。名前を直すか、[[attributes]] で取り込んでください。",
            {"attribute": attribute, "others": [], "permissions": []},
        )
    if not name:
        yield CheckFinding(
            "no_consent",
            "`do_not_contact` of the playbook is empty: everybody is contacted, whatever they asked for. "
            "Remove the line, or name the attribute that says who must not be contacted."
            f"{_advice(consent)[0]}",
            "プレイブックの `do_not_contact` が空なので、連絡を断った顧客にも連絡します。"
            f"この行を消すか、連絡不可を表す属性名を書いてください。{_advice(consent)[1]}",
            _figures(consent),
        )
    elif names_permission(name) and consent.flags:
        opposite, opposite_ja = _opposite(name)
        yield CheckFinding(
            "inverted_consent",
            f"The playbook names `{name}` as `do_not_contact`, and {consent.flags:,} customers have a plain "
            f"yes or no there: who said no would be contacted.{opposite}",
            f"プレイブックの `do_not_contact` が `{name}` を指し、"
            f"{consent.flags:,}人の値が「はい」か「いいえ」です。"
            f"「いいえ」の顧客に連絡してしまいます。{opposite_ja}",
            {"attribute": name, "customers": consent.flags},
        )
    elif not consent.known and (consent.others or consent.permissions or name != "do_not_contact"):
        yield CheckFinding(
            "no_consent",
            f"No customer has the attribute `{name}`, by which the playbook learns who must not be contacted."
            f"{_advice(consent)[0]}",
            f"プレイブックが連絡不可の判断に使う属性 `{name}` を持つ顧客がいません。{_advice(consent)[1]}",
            _figures(consent),
        )


def _unclear(name: str, unclear: Sequence[tuple[str, int]]) -> CheckFinding:
    """The unclear words of an attribute with their counts."""
    customers = sum(count for _, count in unclear)
    listed = ", ".join(f"'{value}' ({count:,})" for value, count in unclear[:SHOWN])
    listed_ja = "、".join(f"「{value}」（{count:,}人）" for value, count in unclear[:SHOWN])
    more = "" if len(unclear) <= SHOWN else f" … ({len(unclear) - SHOWN})"
    return CheckFinding(
        "unclear_consent",
        f"`{name}` of {customers:,} customers is neither a clear yes nor a clear no: {listed}{more}. "
        "They are not contacted until it is: write yes or no in the query of the attribute.",
        f"`{name}` の値が「はい」とも「いいえ」とも読めない顧客が{customers:,}人います："
        f"{listed_ja}{more}。"
        "明らかになるまで連絡対象から外します。属性のクエリで yes か no にしてください。",
        {"attribute": name, "customers": customers, "values": dict(unclear)},
    )


def _figures(consent: ConsentProfile) -> dict[str, object]:
    return {
        "attribute": consent.attribute,
        "others": list(consent.others),
        "permissions": list(consent.permissions),
    }


def _advice(consent: ConsentProfile) -> tuple[str, str]:
    """What to write where, in English and Japanese: only names that forbid contact fit the playbook."""
    if consent.others or not consent.permissions:
        names = f"`{'`, `'.join(consent.others)}`"
        near = f" {names} sounds like it:" if consent.others else ""
        near_ja = f"{names} がそれらしい属性です。" if consent.others else ""
        return (
            f"{near} name the right one as `do_not_contact` in the playbook.",
            f"{near_ja}プレイブックの `do_not_contact` に正しい属性名を書いてください。",
        )
    return _opposite(consent.permissions[0])


def _opposite(name: str) -> tuple[str, str]:
    """How to get `do_not_contact` from an attribute that says who may be contacted."""
    example = f"`case when {name} then 'no' else 'yes' end as value`"
    return (
        f" `{name}` says who may be contacted, which is the opposite. Do not name it in the playbook: write "
        f'[[consent]] attribute = "{name}", says = "may_contact" into kizuna.toml, or give customers '
        f"an attribute `do_not_contact`, written in the query as its opposite, such as {example}.",
        f"`{name}` は連絡してよい顧客を表し、意味が逆です。プレイブックには書かず、kizuna.toml に "
        f'[[consent]] attribute = "{name}", says = "may_contact" と書くか、クエリで逆の値にした属性 '
        f"`do_not_contact` を作ってください（例：{example}）。",
    )
