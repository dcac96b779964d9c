"""Columns that say whether a customer may be contacted, told by their names: for which channel, and how."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from features.events.attributes import names_permission, names_refusal
from features.events.consent import forbids_contact
from serving.project.proposal.value_patterns import MOMENT, mostly

_CONTACT = (
    r"配信|メール|メルマガ|dm|電話|連絡|案内|送付|受信|購読|line|sms|mail|contact|phone|call|marketing|"
    r"newsletter|consent|subscri"
)
MUST_NOT = re.compile(
    r"停止|拒否|(?<!可)(?<!可[/・])不可|不要|オプトアウト|opt(ed)?.?out|unsub|do.?not|dnc|suppress|"
    r"(?<![a-z])no.?(contact|e?.?mail|sms|call|phone|newsletter|marketing)|"
    # What is said of other things too counts where the name is about contact.
    rf"({_CONTACT}).*(中止|解除|除外|禁止|断り|しない|らない|(?<![a-z])ng(?![a-z])|block|revoke|withdr|refus|"
    r"declin|exclu)|"
    r"[未非]購読|[不未](許可|同意|承諾)",
    re.IGNORECASE,
)
MAY = re.compile(
    r"可否|許可|承諾|許諾|同意|(?<!定期)購読(?!プラン|コース|料|期間|開始|回|数|商品)|メルマガ|オプトイン|"
    r"可[/・]?不可|(配信|受信|連絡|案内|メール|dm|電話).*希望$|"
    r"(メール|dm|電話)(受信|配信|送付|連絡|案内)(?!日)|opt(ed)?.?in|consent|subscribed|accepts?.?marketing|"
    r"newsletter|may.?contact",
    re.IGNORECASE,
)
CHANNEL_ALONE = re.compile(
    r"^(ご?案内|お知らせ)?(メール|dm|ダイレクトメール|電話|カタログ|はがき|ハガキ|sms|line)"
    r"(送付|発送|配信|受信|受取|連絡|有無|可|フラグ|fl[ga]+g?)*$",
    re.IGNORECASE,
)
"""Names of a channel alone: whether it may be used, where all values are a yes or a no."""
CHANNELS = {
    "email": re.compile(r"(?<!ショート)(?<!ダイレクト)メール|メルマガ|mail|newsletter", re.IGNORECASE),
    "phone": re.compile(r"電話|phone|(?<![a-z])tel(?![a-z])|call", re.IGNORECASE),
    "post": re.compile(
        r"(?<![a-z])dm(?![a-z])|ダイレクトメール|郵便|郵送|はがき|ハガキ|カタログ|post|(?<!news)letter",
        re.IGNORECASE,
    ),
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
    dated: bool = False
    """Whether it holds the day on which a customer refused, and nothing for others."""


def consent_column(column: str, values: list[str]) -> ConsentColumn | None:
    """What a column says of contact, or None where its name or its values are of something else.

    Names of both, such as メール配信不可フラグ, are of a refusal.
    """
    name = unicodedata.normalize("NFKC", column)
    refuses = MUST_NOT.search(name) is not None or names_refusal(column)
    allows = MAY.search(name) is not None or names_permission(column)
    if not (refuses or allows) and CHANNEL_ALONE.match(name):
        allows = all(forbids_contact(value, "may_contact") is not None for value in values)
    dated = mostly(MOMENT, values)
    if not (refuses or allows) or not values or (dated and not refuses):
        return None
    if not dated and len(set(values)) > MOST_WORDS:
        return None
    channels = tuple(channel for channel, words in CHANNELS.items() if words.search(name))
    return ConsentColumn(column, "must_not_contact" if refuses else "may_contact", channels, dated)
