"""Columns that say whether a customer may be contacted, told by their names: for which channel, and how."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

MUST_NOT = re.compile(
    r"停止|拒否|不可$|不要|オプトアウト|opt.?out|unsubscri|do.?not|dnc|no.?contact|suppress", re.IGNORECASE
)
MAY = re.compile(
    r"可否|許可|承諾|同意|購読|メルマガ|オプトイン|(配信|受信|連絡|案内|メール|dm|電話).*希望$|"
    r"(メール|dm|電話)(受信|配信|送付|連絡|案内)(?!日)|opt.?in|consent|subscribed|accepts?.?marketing|newsletter|may.?contact",
    re.IGNORECASE,
)
CHANNELS = {
    "email": re.compile(r"メール|メルマガ|mail|newsletter", re.IGNORECASE),
    "phone": re.compile(r"電話|phone|(?<![a-z])tel(?![a-z])|call", re.IGNORECASE),
    "post": re.compile(r"(?<![a-z])dm(?![a-z])|郵便|郵送|はがき|ハガキ|カタログ|post|letter", re.IGNORECASE),
    "sms": re.compile(r"sms|ショートメール", re.IGNORECASE),
    "line": re.compile(r"(?<![a-z])line(?![a-z])|(?<!オン)ライン", re.IGNORECASE),
    "app": re.compile(r"アプリ|プッシュ|push", re.IGNORECASE),
}
MOST_WORDS = 6
"""A column of consent says few different things; a remark about wishes says many."""


@dataclass(frozen=True)
class ConsentColumn:
    """A column of consent: what a yes means, and the channels that it is about (none: all)."""

    column: str
    says: Literal["may_contact", "must_not_contact"]
    channels: tuple[str, ...]


def consent_column(column: str, values: list[str]) -> ConsentColumn | None:
    """What a column says of contact, or None where its name or its values are of something else."""
    name = unicodedata.normalize("NFKC", column)
    refuses, allows = MUST_NOT.search(name), MAY.search(name)
    if not (refuses or allows) or not values or len(set(values)) > MOST_WORDS:
        return None
    channels = tuple(channel for channel, words in CHANNELS.items() if words.search(name))
    return ConsentColumn(column, "must_not_contact" if refuses else "may_contact", channels)
