"""Profile attributes: their value as text, yes/no flags, numbers, birthdays, and which names are reserved.

An attribute is what is known about a customer besides events: an event of kind `attribute.NAME` that carries
a text (`detail`) or a number (`value`). List, plan, loyalty, report and features read it here, so that `1`,
`1.0`, `yes` and `ＹＥＳ` mean the same everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.events.history import Flags, History
from features.events.schema import ATTRIBUTE

MOST_SEGMENT_VALUES = 100
"""An attribute with more values than this makes no segments, in the list and in the report. Japan's 47
prefectures and a chain's shops are segments that people read; a name or a postcode is none."""

YES = frozenset(
    {
        "yes", "true", "y", "t", "on", "○", "◯", "〇", "✓", "✔", "☑", "はい", "あり", "有り", "有", "する",
        "要", "必要",
    }
)  # fmt: skip
NO = frozenset({"no", "false", "n", "f", "off", "×", "✕", "☐", "いいえ", "なし", "無し", "無", "しない"})

REFUSAL_NAMES = (
    "do_not_contact", "dnc", "do_not_email", "do_not_call", "no_contact", "opt_out", "optout", "opted_out",
    "email_opt_out", "unsubscribed", "unsubscribe", "配信停止", "メール配信停止", "連絡不可", "配信拒否",
    "連絡拒否", "連絡停止", "配信不可", "受信拒否", "配信停止希望", "メール停止", "メール拒否", "メール不可",
    "メール配信不可", "メール配信拒否", "メール受信拒否", "メール配信停止希望", "メルマガ停止",
    "メルマガ配信停止", "メルマガ拒否", "メルマガ解除", "do_not_mail", "email_opted_out",
    "email_unsubscribed", "has_opted_out_of_email", "hasoptedoutofemail", "marketing_opt_out",
)  # fmt: skip
"""Names of attributes whose yes means that the customer must not be contacted."""
PERMISSION_NAMES = (
    "opt_in", "optin", "opted_in", "consent", "may_contact", "email_opt_in", "email_consent",
    "marketing_consent", "marketing_opt_in", "accepts_marketing",
    "メール配信可否", "メルマガ可否", "メール配信許可", "メール配信希望", "配信可否", "配信許可", "連絡可否",
    "メール受信可否", "メルマガ希望", "メルマガ購読",
)  # fmt: skip
"""Names of attributes whose yes means that contact is allowed, the opposite of `do_not_contact`."""
RESERVED_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "consent": (*REFUSAL_NAMES, *PERMISSION_NAMES),
    "birthday": (
        "birthday", "birth_day", "birthdate", "birth_date", "date_of_birth", "dob", "誕生日", "生年月日",
    ),
    "contact data": (
        "email", "e_mail", "mail", "email_address", "mail_address", "phone", "phone_number", "telephone",
        "tel", "mobile", "mobile_phone", "fax", "address", "street", "street_address", "postal_address",
        "メール", "メールアドレス", "電話", "電話番号", "携帯電話", "携帯番号", "住所",
    ),
    "names": (
        "name", "full_name", "first_name", "last_name", "given_name", "family_name", "surname",
        "customer_name", "名前", "氏名", "姓", "名", "お名前", "顧客名", "フリガナ", "ふりがな",
    ),
}  # fmt: skip
"""Attributes that are never features, reasons or segments: they say how, when and whether to contact
somebody, not what somebody does. Case, full-width forms, blanks and hyphens in a name are ignored."""
NOTED_REFUSAL = "contact_refusal"
"""The attribute of a refusal of contact that a person noted; of one channel it is `contact_refusal.CHANNEL`.
No source writes it, so that no later row of a source lifts what a person noted."""
CONTACT_NOTE = "contact_note"
"""The attribute that holds what a person noted about a contact, as free text."""

_DATE = re.compile(
    r"(?:(?:(?P<year>\d{4})|(?:明治|大正|昭和|平成|令和|[MTSHR])\s*(?:\d{1,2}|元))(?P<sep>[-/.年])\s*|--)?"
    r"(?P<month>\d{1,2})(?(sep)[-/.月]|[-/月])\s*(?P<day>\d{1,2})日?(?:[T ].*)?"
)
_DIGITS = re.compile(r"(?P<year>\d{4})?(?P<month>\d{2})(?P<day>\d{2})(?:(?<=\d{8})\d{6})?")


def is_reserved(name: str, consent: Collection[str] = ()) -> bool:
    """Whether an attribute is one of `RESERVED_ATTRIBUTES`, or one that a project names as `consent`."""
    return alike(name) in _RESERVED or name in consent or name == CONTACT_NOTE or is_noted_refusal(name)


def is_reserved_kind(kind: str, consent: Collection[str] = ()) -> bool:
    """Whether a kind of event says the value of a reserved attribute."""
    return kind.startswith(ATTRIBUTE) and is_reserved(kind.removeprefix(ATTRIBUTE), consent)


def is_noted_refusal(name: str) -> bool:
    """Whether an attribute is a refusal of contact that a person noted."""
    return name.partition(".")[0] == NOTED_REFUSAL


def is_birthday(name: str) -> bool:
    """Whether an attribute is called as those are that say a birthday."""
    return alike(name) in RESERVED_ATTRIBUTES["birthday"]


def names_refusal(name: str) -> bool:
    """Whether an attribute is called as those are whose yes forbids contact."""
    return alike(name) in REFUSAL_NAMES


def names_permission(name: str) -> bool:
    """Whether an attribute is called as those are whose yes allows contact."""
    return alike(name) in PERMISSION_NAMES


def attribute_text(detail: str | None, value: float) -> str:
    """An attribute's value as text: the detail, else the number (`1`, not `1.0`), else nothing; no blanks."""
    if detail and not detail.isspace():
        return detail
    return "" if np.isnan(value) else f"{value:.15g}"


def read_flag(text: str) -> bool | None:
    """A yes or a no: yes, true, 1, y, t, on, ○, はい and their opposites; None where it is neither.

    Case, surrounding blanks and full-width forms are ignored, and numbers may be written as `1.0`.
    """
    word = plain(text)
    if word in YES or word in NO:
        return word in YES
    try:
        return {1.0: True, 0.0: False}.get(float(word))
    except ValueError:
        return None


def read_number(text: str) -> float | None:
    """A number such as 1200, 1,200, １２００ or 1200.0; None where it is none."""
    word = plain(text)
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", word):
        word = word.replace(",", "")
    return float(word) if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", word) else None


def same_value(text: str, expected: str) -> bool:
    """Whether two values of an attribute are the same: as flags, else as numbers, else as words."""
    for read in (read_flag, read_number):
        one, other = read(text), read(expected)
        if one is not None and other is not None:
            return one == other
    return plain(text) == plain(expected)


def read_month_day(text: str) -> str | None:
    """`MM-DD` of a birthday, None where it is unclear.

    Read are 1990-04-01, 1990/4/1, 4/1, 19900401, 0401, 1990年4月1日, 昭和55年4月1日, S55.4.1, and moments, of
    which the time of day is left out.
    """
    word = plain(text).upper()
    match = _DATE.fullmatch(word) or _DIGITS.fullmatch(word.zfill(4) if len(word) == 3 else word)
    if match is None:
        return None
    year, month, day = match["year"], match["month"], match["day"]
    try:
        return date(int(year or 2000), int(month), int(day)).isoformat()[5:]
    except ValueError:
        return None


@dataclass(frozen=True, eq=False)
class AttributeRows:
    """The events of one attribute of a history, by customer and instant."""

    owners: NDArray[np.int64]
    """int64[r]: the customer of each, as a place in `history.keys`."""
    instants: NDArray[np.int64]
    codes: NDArray[np.int64]
    """int64[r]: places in `texts`, -1 without a value."""
    texts: tuple[str, ...]


def attribute_rows(history: History, name: str) -> AttributeRows:
    """Every value of an attribute that a history holds."""
    rows = _rows(history, name)
    codes, texts = _texts(history, rows)
    return AttributeRows(_owners(history, rows), history.instants[rows], codes, texts)


@dataclass(frozen=True, eq=False)
class AttributeValues:
    """What one attribute says of each customer of a history."""

    codes: NDArray[np.int64]
    """int64[customers]: places in `texts`, -1 where nothing is known."""
    texts: tuple[str, ...]

    @cached_property
    def by_customer(self) -> list[str | None]:
        """The value of each customer as text, None where nothing is known."""
        return [self.texts[code] if code >= 0 else None for code in self.codes.tolist()]


def attributes_of(history: History) -> tuple[str, ...]:
    """The names of the attributes that a history may hold, in the order of its kinds."""
    return tuple(kind.removeprefix(ATTRIBUTE) for kind in history.kind_names if kind.startswith(ATTRIBUTE))


def last_values(
    history: History, name: str, known: Flags | None = None, *, skip_empty: bool = False
) -> AttributeValues:
    """The last value of an attribute for each customer, of the events that are `known` (bool[n]; all).

    A later row without a value means that nothing is known any more, unless `skip_empty` leaves it out.
    """
    rows = _rows(history, name)
    if known is not None:
        rows = rows[known[rows]]
    codes, texts = _texts(history, rows)
    if skip_empty:
        rows, codes = rows[codes >= 0], codes[codes >= 0]
    last = np.full(history.customers, -1, dtype=np.int64)
    last[_owners(history, rows)] = codes  # rows ascend: the last one of a customer stays
    return AttributeValues(last, texts)


def had_several_values(history: History, name: str) -> Flags:
    """bool[customers]: for whom an attribute had different values."""
    rows = _rows(history, name)
    codes, texts = _texts(history, rows)
    pairs = np.unique(_owners(history, rows) * (len(texts) + 1) + codes + 1)
    return np.bincount(pairs // (len(texts) + 1), minlength=history.customers) > 1


def _rows(history: History, name: str) -> NDArray[np.int64]:
    kind = ATTRIBUTE + name
    if kind not in history.kind_names:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(history.kinds == history.kind_names.index(kind))


def _owners(history: History, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The customers of a few events, as positions in `history.keys`."""
    return np.asarray(np.searchsorted(history.offsets, rows, side="right") - 1)


def _texts(history: History, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The values of these events as codes, -1 for none, and the texts that the codes stand for."""
    details = history.details[rows] if len(history.details) else np.full(len(rows), -1, dtype=np.int32)
    values = history.values[rows] if len(history.values) else np.full(len(rows), np.nan)
    numbers, number = np.unique(np.where(details >= 0, np.nan, values), return_inverse=True)
    known = len(history.detail_names)
    whole = np.where(details >= 0, details, np.where(np.isnan(values), -1, known + number))
    used, codes = np.unique(whole[whole >= 0], return_inverse=True)
    texts = [
        attribute_text(history.detail_names[code], np.nan)
        if code < known
        else attribute_text(None, float(numbers[code - known]))
        for code in used.tolist()
    ]
    places = {
        text: place for place, text in enumerate(dict.fromkeys(filter(None, texts)))
    }  # 1 and "1" are one
    found = np.full(len(rows), -1, dtype=np.int64)
    found[whole >= 0] = np.array([places.get(text, -1) for text in texts], dtype=np.int64)[codes]
    return found, tuple(places)


def plain(text: str) -> str:
    """A text without full-width forms, case and blanks around it."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def alike(name: str) -> str:
    """A name without case, full-width forms, blanks and hyphens, by which spellings are compared."""
    return re.sub(r"[\s-]+", "_", plain(name))


_RESERVED = frozenset(name for names in RESERVED_ATTRIBUTES.values() for name in names)
