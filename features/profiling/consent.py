"""Consent to be contacted and birthdays: how many customers allow or refuse it, and what cannot be read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from features.event_store import EventStore
from features.events.attributes import (
    is_birthday,
    last_values,
    names_permission,
    names_refusal,
    read_flag,
    read_month_day,
)
from features.events.consent import ConsentEntry, ConsentRules, Says, consent_verdicts, forbids_contact
from features.events.history import History
from features.events.schema import ATTRIBUTE
from features.execution.local import map_partitions
from features.profiling.finding import CheckFinding

PLAYBOOK_ATTRIBUTE = "do_not_contact"
"""The attribute that a playbook names without a word."""
CORRECT_THE_NAME = "Correct the name, or ingest the attribute with [[attributes]]"
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
    entries: int = 0
    """How many entries of `[[consent]]` there are."""
    birthdays: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """Of each attribute of birthdays the values that are none, and how many customers have each."""


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
    born = tuple(name for name in names if is_birthday(name))
    gathered = _ValueCounts(attribute, present, born)
    if present or born or attribute in names:
        new, columns = partial(_ValueCounts, attribute, present, born), frozenset({"value", "detail"})
        gathered = map_partitions(store, new, until=until, columns=columns)
    counts = gathered.counts
    further = [
        ConsentWords(name, _most_first(gathered.unclear[name]), gathered.contradictions[name])
        for name in dict.fromkeys(entry.attribute for entry in present)
        if name != attribute
    ]
    says: Says = next((one.says for one in deciding if one.attribute == attribute), "must_not_contact")
    forbids = {value: forbids_contact(value, says, attribute) for value in counts}
    unclear = {value: count for value, count in counts.items() if forbids[value] is None}
    return ConsentProfile(
        attribute=attribute,
        known=counts.total(),
        opted_out=sum(count for value, count in counts.items() if forbids[value]),
        unclear=_most_first(unclear),
        others=tuple(name for name in names if name not in {attribute, *named} and names_refusal(name)),
        permissions=tuple(name for name in names if name not in named and names_permission(name)),
        flags=0
        if attribute in named
        else sum(count for value, count in counts.items() if read_flag(value) is not None),
        further=tuple(further),
        contradictions=gathered.contradictions[attribute],
        missing=tuple(sorted(named - set(names))),
        entries=len(entries),
        birthdays={name: _most_first(gathered.unread[name]) for name in born if gathered.unread[name]},
    )


def _most_first(words: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(words.items(), key=lambda pair: (-pair[1], pair[0])))


@dataclass
class _ValueCounts:
    """Customers by the last value of an attribute, and by the unclear words of all that decide."""

    attribute: str
    entries: tuple[ConsentEntry, ...]
    born: tuple[str, ...] = ()
    """The attributes of birthdays."""
    counts: Counter[str] = field(default_factory=Counter)
    unclear: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    contradictions: Counter[str] = field(default_factory=Counter)
    unread: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, history: History) -> None:
        values = last_values(history, self.attribute, skip_empty=True).by_customer
        self.counts.update(value for value in values if value is not None)
        for name, says in dict.fromkeys((entry.attribute, entry.says) for entry in self.entries):
            found = consent_verdicts(history, name, says)
            self.unclear[name].update(found.unclear)
            self.contradictions[name] += found.contradictions
        for name in self.born:
            days = last_values(history, name).by_customer
            self.unread[name].update(day for day in days if day and read_month_day(day) is None)

    def merge(self, other: _ValueCounts) -> None:
        self.counts.update(other.counts)
        self.contradictions.update(other.contradictions)
        for name, words in other.unclear.items():
            self.unclear[name].update(words)
        for name, words in other.unread.items():
            self.unread[name].update(words)


def consent_findings(consent: ConsentProfile) -> Iterator[CheckFinding]:
    """Values that cannot be read, an attribute that nobody has, and one that means the opposite."""
    name = consent.attribute
    for attribute, days in consent.birthdays.items():
        yield _unread_birthdays(attribute, days)
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
                f"`{attribute}` が同じ時刻に「はい」と「いいえ」の両方を示す顧客が{customers:,}名います。"
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
    if not name and not consent.entries:
        english, japanese = _deciding_by_name(consent)
        yield CheckFinding(
            "no_consent",
            "`do_not_contact` of the playbook is empty: everybody is contacted, whatever they asked for. "
            f"Remove the line{english or ', or name the attribute that says who must not be contacted'}.",
            "プレイブックの `do_not_contact` が空なので、連絡を断った顧客にも連絡します。"
            f"{japanese or 'この行を消すか、連絡不可を表す属性名を書いてください。'}",
            _figures(consent),
        )
    elif names_permission(name) and consent.flags:
        block = f'`[[consent]]\nattribute = "{name}"\nsays = "may_contact"`'
        yield CheckFinding(
            "inverted_consent",
            f"The playbook names `{name}` as `do_not_contact`, but the name says who may be contacted, the "
            f"opposite: `kizuna plan` refuses it. {consent.flags:,} customers have a plain yes or no there. "
            f"Remove the line, and write into kizuna.toml {block}.",
            f"プレイブックの `do_not_contact` が指す `{name}` は、連絡してよい顧客を表す名前で逆のため、"
            f"`kizuna plan` は実行できません。{consent.flags:,}名の値が「はい」か「いいえ」です。"
            f"この行を消し、kizuna.toml に {block} と書いてください。",
            {"attribute": name, "customers": consent.flags},
        )
    elif name and name != PLAYBOOK_ATTRIBUTE and not consent.known and name not in consent.missing:
        english, japanese = _deciding_by_name(consent)
        yield CheckFinding(
            "no_consent",
            f"The playbook names `{name}` as `do_not_contact`, which no customer has: `kizuna plan` refuses "
            f"it. {f'Remove the line{english}' if english else CORRECT_THE_NAME}.",
            f"プレイブックの `do_not_contact` が指す `{name}` を持つ顧客がいないため、`kizuna plan` は"
            f"実行できません。{japanese or '名前を直すか、[[attributes]] で取り込んでください。'}",
            _figures(consent),
        )


def _unread_birthdays(name: str, days: Sequence[tuple[str, int]]) -> CheckFinding:
    """The values of an attribute of birthdays that are no day of a year, with their counts."""
    customers, listed, listed_ja = _listed(days)
    return CheckFinding(
        "unclear_birthdays",
        f"`{name}` of {customers:,} customers is no birthday that can be read: {listed}. Nobody is greeted "
        "by it: write it as in 1990-04-01, 04-01 or 1990年4月1日 in its query, or leave it empty.",
        f"`{name}` の値を誕生日として読めない顧客が{customers:,}名います：{listed_ja}。誕生日の連絡には使われ"
        "ません。属性のクエリで 1990-04-01、04-01、1990年4月1日 のように書くか、空にしてください。",
        {"attribute": name, "customers": customers, "values": dict(days)},
    )


def _listed(words: Sequence[tuple[str, int]]) -> tuple[int, str, str]:
    """How many customers have any of these words, and the first of them in both languages."""
    more = "" if len(words) <= SHOWN else f" … ({len(words) - SHOWN})"
    listed = ", ".join(f"'{value}' ({count:,})" for value, count in words[:SHOWN])
    listed_ja = "、".join(f"「{value}」（{count:,}名）" for value, count in words[:SHOWN])
    return sum(count for _, count in words), listed + more, listed_ja + more


def _unclear(name: str, unclear: Sequence[tuple[str, int]]) -> CheckFinding:
    """The unclear words of an attribute with their counts."""
    customers, listed, listed_ja = _listed(unclear)
    return CheckFinding(
        "unclear_consent",
        f"`{name}` of {customers:,} customers is neither a clear yes nor a clear no: {listed}. "
        "They are not contacted until it is: write yes or no in the query of the attribute.",
        f"`{name}` の値が「はい」とも「いいえ」とも読めない顧客が{customers:,}名います："
        f"{listed_ja}。"
        "明らかになるまで連絡対象から外します。属性のクエリで yes か no にしてください。",
        {"attribute": name, "customers": customers, "values": dict(unclear)},
    )


def _figures(consent: ConsentProfile) -> dict[str, object]:
    return {
        "attribute": consent.attribute,
        "others": list(consent.others),
        "permissions": list(consent.permissions),
    }


def _deciding_by_name(consent: ConsentProfile) -> tuple[str, str]:
    """Which attributes decide once the playbook names none, in both languages; empty where none does."""
    names = [*consent.others, *consent.permissions]
    if not names:
        return "", ""
    listed = "`, `".join(names)
    return (
        f": `{listed}` {'decides by its name' if len(names) == 1 else 'decide by their names'}",
        f"この行を消すと、名前で判断できる属性 `{listed}` が使われます。",
    )
