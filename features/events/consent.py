"""Consent to be contacted: which attributes say it, for which channels, and whom it forbids to contact.

An attribute is named by `[[consent]]` in kizuna.toml or by a playbook, or it is known by its name
(`RESERVED_ATTRIBUTES`). `consent_verdicts` reads one attribute of a history; `ChannelBits` puts the verdicts
of several together, the strictest winning. Lists, plans, exports and webhooks all ask these two.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from features.events.attributes import (
    alike,
    attribute_rows,
    attribute_text,
    is_noted_refusal,
    names_permission,
    names_refusal,
    plain,
    read_flag,
)
from features.events.history import History
from features.events.schema import ATTRIBUTE

Says = Literal["may_contact", "must_not_contact"]

MUST_NOT_CONTACT = frozenset(
    {
        "不可", "連絡不可", "配信不可", "送信不可", "受信不可", "不許可", "配信停止", "停止", "停止中",
        "解除", "希望しない", "希望しません", "希望せず", "拒否", "受信拒否", "配信拒否", "不要",
        "受信しない", "配信しない", "受け取らない", "受取らない", "許可しない", "同意しない", "同意なし",
        "オプトアウト", "否", "希望なし", "希望無し", "拒否する", "送付不可", "送付しない", "送らない",
        "連絡しない", "承諾しない", "停止済", "停止済み", "配信停止中", "解除済み", "不承諾", "未承諾",
        "不同意", "未同意", "購読しない", "未購読", "非購読", "停止希望", "配信停止希望", "unsubscribed",
        "unsubscribe", "opted out", "opt out", "optout", "do not contact", "must not contact",
        "do not email", "do not call", "no contact", "stop", "denied", "declined", "refused", "revoked",
        "withdrawn", "not allowed", "not permitted", "forbidden", "ng", "not subscribed",
        "never subscribed", "cleaned", "blocked", "deny", "rejected",
    }
)  # fmt: skip
MAY_CONTACT = frozenset(
    {
        "可", "可能", "連絡可", "配信可", "送信可", "受信可", "許可", "許可する", "希望", "希望する",
        "希望します", "受信する", "配信する", "受け取る", "同意", "同意する", "同意あり", "同意済み",
        "オプトイン", "希望あり", "希望有り", "配信希望", "送付可", "送付する", "受取る", "承諾",
        "承諾する", "承諾済み", "許諾", "購読", "購読する", "購読中", "配信中", "ok",
        "subscribed", "subscribe", "opted in", "opt in", "optin", "may contact", "granted", "allowed",
        "permitted", "consented", "agreed", "allow",
    }
)  # fmt: skip
"""Words that say by themselves whether a customer may be contacted, whatever the attribute is called."""
_WISH_TO_STOP = re.compile(r"(停止|中止|拒否|解除|不要|除外|断り).*希望")
_WISHES = {
    **dict.fromkeys(("希望", "希望する", "希望します", "希望あり", "希望有り"), True),
    **dict.fromkeys(("希望しない", "希望しません", "希望せず", "希望なし", "希望無し"), False),
}
"""What is wished for under a name such as 配信停止希望: to be left alone, not to be contacted."""

ALL_CHANNELS = -1
"""The mask of a customer whom no channel may be used for."""
ALL_BY_NAME = ("all",)
"""The same, as the names of channels."""
OTHER_CHANNELS = 1 << 62
"""The bit of every channel that no entry names."""
SPELLINGS = {
    "email": (
        "mail",
        "e_mail",
        "e_mails",
        "emails",
        "メール",
        "eメール",
        "電子メール",
        "メルマガ",
        "newsletter",
    ),
    "phone": ("telephone", "tel", "call", "calls", "電話", "架電"),
    "app": ("push", "push_notification", "アプリ", "プッシュ", "プッシュ通知"),
    "sms": ("text", "ショートメール", "ショートメッセージ"),
    "post": ("letter", "dm", "direct_mail", "ダイレクトメール", "郵便", "郵送", "はがき", "ハガキ"),
    "line": ("ライン",),
}
"""Other spellings of usual channels."""
_CHANNELS = {alike(other): name for name, others in SPELLINGS.items() for other in others}

NOTHING_SAID, MAY, MUST_NOT = -1, 0, 1
"""What an attribute says of a customer; an unclear word or a contradiction is `MUST_NOT`."""


class ConsentEntry(BaseModel):
    """`[[consent]]`: an attribute that says who may, or must not, be contacted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attribute: str = Field(min_length=1, description="the name of the attribute")
    says: Says = Field(
        description="what a yes means; without a value nobody is contacted under `may_contact`, and contact "
        "is allowed under `must_not_contact`"
    )
    channels: tuple[str, ...] = Field(
        default=(), description='which channels it is about, such as `["email"]`; all when left out'
    )


@dataclass(frozen=True)
class ConsentRules:
    """Which attributes decide whether a customer may be contacted."""

    entries: tuple[ConsentEntry, ...] = ()
    """Those that a setting or a playbook names."""
    by_name: bool = True
    """Whether attributes that are known by their names count besides."""

    @staticmethod
    def of(configured: Iterable[ConsentEntry], playbook_attribute: str) -> ConsentRules:
        """The entries of kizuna.toml, and the attribute that a playbook names; none where that is empty."""
        entries = tuple(configured)
        if not playbook_attribute:
            return ConsentRules(entries, by_name=False)
        if playbook_attribute not in {entry.attribute for entry in entries}:
            says: Says = "may_contact" if names_permission(playbook_attribute) else "must_not_contact"
            entries += (ConsentEntry(attribute=playbook_attribute, says=says),)
        return ConsentRules(entries)

    @property
    def names(self) -> frozenset[str]:
        """The attributes that are named; they are reserved."""
        return frozenset(entry.attribute for entry in self.entries)

    def for_attributes(self, known: Collection[str]) -> tuple[ConsentEntry, ...]:
        """All entries where customers have these attributes: those named, then those known by their names.

        A refusal that a person noted counts under all rules, beside everything that sources say.
        """
        found = list(self.entries)
        for name in sorted(filter(is_noted_refusal, known)):
            channel = name.partition(".")[2]
            channels = (channel,) if channel else ()
            found.append(ConsentEntry(attribute=name, says="must_not_contact", channels=channels))
        for name in sorted(known) if self.by_name else ():
            if name in self.names or not (names_refusal(name) or names_permission(name)):
                continue
            says: Says = "must_not_contact" if names_refusal(name) else "may_contact"
            mail = any(word in alike(name) for word in ("mail", "メール", "メルマガ"))
            found.append(ConsentEntry(attribute=name, says=says, channels=("email",) if mail else ()))
        return tuple(found)


BY_NAME = ConsentRules()
"""No attribute is named: those that are known by their names decide."""


def forbids_contact(text: str, says: Says = "must_not_contact", name: str = "") -> bool | None:
    """Whether a value forbids contact, where a yes means what `says` says; None where it is unclear.

    Words with a meaning of their own (`配信停止`, `unsubscribed`, `可`, `subscribed`) keep it; any other is
    read as a flag. Under a `name` that wishes to be left alone, 希望する and 希望しない are flags.
    Whoever says something unclear must not be contacted.
    """
    word = re.sub(r"[\s_-]+", " ", plain(text))
    if word in _WISHES and _WISH_TO_STOP.search(plain(name)):
        return _WISHES[word] == (says == "must_not_contact")
    if word in MUST_NOT_CONTACT or word in MAY_CONTACT:
        return word in MUST_NOT_CONTACT
    flag = read_flag(text)
    return None if flag is None else flag == (says == "must_not_contact")


@dataclass(frozen=True, eq=False)
class ConsentVerdicts:
    """What one attribute says of each customer of a history."""

    verdict: NDArray[np.int8]
    """int8[customers]: `NOTHING_SAID`, `MAY` or `MUST_NOT`."""
    unclear: Counter[str]
    """Customers by the unclear word that they have now."""
    contradictions: int
    """Customers with a word for and one against contact at one instant."""


def consent_verdicts(history: History, name: str, says: Says, now: int | None = None) -> ConsentVerdicts:
    """What an attribute says of each customer: its last words; of several at one instant the strictest.

    An empty value is passed over under `must_not_contact` and takes a permission away under `may_contact`.
    Words after `now` cannot lift anything yet, but forbid already.
    """
    rows = attribute_rows(history, name)
    forbids = [forbids_contact(text, says, name) for text in rows.texts]
    # The last place is for the code -1, no value.
    contact = np.array([*(word is False for word in forbids), False])[rows.codes]
    unclear = np.array([*(word is None for word in forbids), False])[rows.codes]
    counts = (rows.codes >= 0) | (says == "may_contact")
    due = np.ones(len(rows.codes), dtype=np.bool_) if now is None else rows.instants <= now
    last = np.full(history.customers, np.iinfo(np.int64).min)
    np.maximum.at(last, rows.owners[counts & due], rows.instants[counts & due])
    at_last = counts & due & (rows.instants == last[rows.owners])
    for_it, against = np.zeros((2, history.customers), dtype=np.bool_)
    for_it[rows.owners[at_last & contact]] = True
    against[rows.owners[at_last & ~contact]] = True
    contradicting = int((for_it & against).sum())
    against[rows.owners[counts & ~due & (rows.codes >= 0) & ~contact]] = True
    words: Counter[str] = Counter()
    for code in np.unique(rows.codes[at_last & unclear]).tolist():
        words[rows.texts[code]] = len(np.unique(rows.owners[at_last & (rows.codes == code)]))
    verdict = np.where(against, MUST_NOT, np.where(for_it, MAY, NOTHING_SAID)).astype(np.int8)
    return ConsentVerdicts(verdict, words, contradicting)


def refusals(
    kinds: pa.Array, details: pa.Array, values: pa.Array, among: NDArray[np.bool_], rules: ConsentRules
) -> NDArray[np.bool_]:
    """bool[rows]: which of some rows forbid contact, by the attributes that decide about consent."""
    found = np.zeros(len(among), dtype=np.bool_)
    at = np.flatnonzero(among)
    if not len(at):
        return found
    known: dict[tuple[str, str], bool] = {}
    rows = zip(*(column.take(pa.array(at)).to_pylist() for column in (kinds, details, values)), strict=True)
    for row, (kind, detail, value) in zip(at.tolist(), rows, strict=True):
        text = None if detail is None else str(detail)
        statement = kind or "", attribute_text(text, math.nan if value is None else float(value))
        if statement not in known:
            known[statement] = _forbids(*statement, rules)
        found[row] = known[statement]
    return found


def _forbids(kind: str, value: str, rules: ConsentRules) -> bool:
    """Whether an event forbids contact: it says no of consent, or something unclear."""
    if not value or not kind.startswith(ATTRIBUTE):
        return False
    name = kind.removeprefix(ATTRIBUTE)
    entries = [entry for entry in rules.for_attributes((name,)) if entry.attribute == name]
    return any(forbids_contact(value, entry.says, name) is not False for entry in entries)


class ChannelBits:
    """Masks of channels: a bit for each channel that entries name, one for all others."""

    def __init__(self, entries: Sequence[ConsentEntry]) -> None:
        self.names = tuple(sorted({channel_name(one) for entry in entries for one in entry.channels}))

    def mask(self, channels: Sequence[str]) -> int:
        """The mask of an entry's channels, `ALL_CHANNELS` where it names none."""
        if not channels:
            return ALL_CHANNELS
        return int(np.bitwise_or.reduce([1 << self.names.index(channel_name(one)) for one in channels]))

    def bit(self, channel: str | None) -> int:
        """The bit of a channel; all bits where it is not known which one will be used."""
        if not channel:
            return ALL_CHANNELS
        name = channel_name(channel)
        return 1 << self.names.index(name) if name in self.names else OTHER_CHANNELS

    def refused(self, mask: int) -> tuple[str, ...]:
        """The channels of a mask by name: `all` for all of them, `other` for those that no entry names."""
        if mask == ALL_CHANNELS:
            return ALL_BY_NAME
        named = tuple(name for number, name in enumerate(self.names) if mask >> number & 1)
        return (*named, "other") if mask & OTHER_CHANNELS else named

    def forbidden(self, entry: ConsentEntry, verdict: NDArray[np.int8]) -> NDArray[np.int64]:
        """int64[n]: the mask of the channels that an entry's verdicts forbid for each customer."""
        without = MUST_NOT if entry.says == "may_contact" else MAY
        decided = np.where(verdict == NOTHING_SAID, without, verdict)
        masks: NDArray[np.int64] = np.where(decided == MUST_NOT, self.mask(entry.channels), 0)
        return masks


def refuses_channel(refused: Collection[str], channel: str) -> bool:
    """Whether channels that a customer refuses, by name, forbid one; without one, whether they forbid all."""
    forbidding = {*ALL_BY_NAME, "other", channel_name(channel)} if channel else {*ALL_BY_NAME}
    return not forbidding.isdisjoint(refused)


def channel_name(channel: str) -> str:
    """A channel in its usual spelling: `メール` and `e-mail` are `email`."""
    name = alike(channel)
    return _CHANNELS.get(name, name)
