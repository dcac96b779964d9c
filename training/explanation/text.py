"""Reasons as sentences that a marketer reads, in English and in Japanese."""

from __future__ import annotations

import re
from dataclasses import replace

from features.catalog.aggregates import AGGREGATES
from features.catalog.definitions import Catalog, Derived, Feature
from features.catalog.display_names import in_language, is_japanese
from training.explanation.feature_reasons import FeatureChange, FeatureReason
from training.explanation.project_words import NO_WORDS, ProjectWords
from training.explanation.quantities import (
    length_of_time,
    multiple,
    number,
    percentage,
    plural,
    with_currency,
)
from training.explanation.rhythm_text import rhythm_sentence

_TIERS = {
    "dormant": "休眠",
    "cooling": "低調",
    "casual": "ライト",
    "engaged": "アクティブ",
    "devoted": "ファン",
}


def tier_words(tier: str, language: str) -> str:
    """A tier as people call it; names of one's own stay as they are."""
    return in_language(language, tier, _TIERS.get(tier, tier))


def sentence(catalog: Catalog, reason: FeatureReason, language: str, project: ProjectWords = NO_WORDS) -> str:
    """The reason in one sentence, `en` or `ja`, with the value, the typical value and the direction."""
    raises = reason.direction == "raises"
    if is_japanese(language):
        risk = "高めて" if raises else "抑えて"
        return f"{_Japanese(catalog, reason, project).fact()}離反リスクを{risk}います。"
    fact = _English(catalog, reason, project).fact()
    return f"{fact[0].upper()}{fact[1:]}, which {'raises' if raises else 'lowers'} the risk."


def change_sentence(
    catalog: Catalog, change: FeatureChange, language: str, project: ProjectWords = NO_WORDS
) -> str:
    """The change in one sentence, `en` or `ja`: what it was, what it is, which way the risk went."""
    old, new = (_quantity(catalog, reason, language, project) for reason in (change.before, change.after))
    subject = (_Japanese if is_japanese(language) else _English)(catalog, change.after, project).subject()
    if is_japanese(language):
        risk = "高まりました" if change.shift >= 0 else "下がりました"
        return f"{subject}が{old}から{new}に変わり、離反リスクが{risk}。"
    risk = "raised" if change.shift >= 0 else "lowered"
    return f"The {subject} went from {old} to {new}, which {risk} the risk."


def _quantity(catalog: Catalog, reason: FeatureReason, language: str, project: ProjectWords) -> str:
    """The reason's value with its unit: "41 days", "3回"."""
    if reason.value is None or (catalog.unit(reason.feature) == "detail" and not reason.value_text):
        return in_language(language, "none", "なし")
    return (_Japanese if is_japanese(language) else _English)(catalog, reason, project).amount(reason.value)


class _Sentence:
    """What both languages share: the feature's record and the words of its stream."""

    def __init__(self, catalog: Catalog, reason: FeatureReason, project: ProjectWords) -> None:
        self.catalog, self.reason, self.currency = catalog, reason, project.currency
        self.project = project
        self.feature = catalog.feature_of[reason.feature]
        self.unit = catalog.unit(reason.feature)
        root: Feature | Derived = self.feature
        while isinstance(root, Derived):
            root = catalog.feature_of[root.first]
        self.root: Feature = root
        stream = catalog.stream_of[root.stream]
        self.taken_back = stream.taken_back
        self.indicator = stream.indicator
        self.profile = stream.indicator == "profile"
        words = stream.display_words
        self.attribute = words.one if self.profile else ""
        self.words = (
            replace(
                words,
                one=project.attribute(self.attribute, "en"),
                ja=project.attribute(self.attribute, "ja"),
            )
            if self.profile
            else words
        )

    @property
    def aggregate(self) -> str:
        return self.feature.operation if isinstance(self.feature, Derived) else self.feature.aggregate

    @property
    def days(self) -> int | None:
        """The window whose emptiness leaves this feature without a value; None: whole history."""
        feature = self.feature
        while isinstance(feature, Derived):
            feature = self.catalog.feature_of[feature.second]
        return feature.days if AGGREGATES[feature.aggregate].span == "any" else None

    def percentage(self, value: float) -> tuple[str, str]:
        """A share or a ratio in whole percent, in English and in Japanese."""
        return percentage(value, chance=self.aggregate in {"silence", "alive"}, share=self.unit == "share")

    def name_of_value(self, value: float, language: str) -> str:
        """What people call a value of an attribute, or the detail that a feature has for its value."""
        text = self.reason.value_text
        if not self.profile:
            return self.project.detail(text, language)
        name = self.project.value(self.attribute, text or f"{value:g}", language)
        return name if text or name != f"{value:g}" else number(value)

    def meaning(self, of: str, language: str) -> str:
        """The words for the feature itself, or for the `first` or the `second` input of a derived one.

        A length of time is shown in minutes, hours or days, so that the words name no unit of their own.
        """
        meaning = self.catalog.meaning(getattr(self.feature, of, self.reason.feature), language)
        if self.unit != "minutes":
            return meaning
        return in_language(language, meaning.replace("minutes", "time"), meaning.replace("（分）", ""))


class _English(_Sentence):
    def amount(self, value: float) -> str:
        """A value of this feature with its unit."""
        if self.unit == "detail":
            return f"“{self.name_of_value(value, 'en')}”"
        if self.aggregate in {"trend", "ratio"} or self.unit == "share":
            return in_language("en", *self.percentage(value))
        if self.unit == "amount":
            return with_currency(number(abs(value) if self.taken_back else value), self.currency, "en")
        if self.aggregate == "active_days":
            return number(round(value))
        if self.unit == "days":
            return "less than a day" if 0 <= value < 1 else plural(value, "day", "days")
        if self.unit == "minutes":
            length, unit, _ = length_of_time(value)
            return plural(length, unit, f"{unit}s")
        if self.unit == "ratio":
            return multiple(value)[0]
        return self.name_of_value(value, "en") if self.profile else number(value)

    def subject(self) -> str:
        """What the feature measures, to be followed by a verb."""
        if self.profile:
            return self.words.one
        if self.aggregate in {"days_since_last", "days_since_first"}:
            return f"time since the {self.aggregate.removeprefix('days_since_')} {self.words.one}"
        return self.meaning("itself", "en").removesuffix(", in days")

    def fact(self) -> str:
        value, typical = self.reason.value, self.reason.typical
        if value is None or (self.unit == "detail" and not self.reason.value_text):
            return self.missing()
        if typical is None:
            return self.known(value)
        usual = self.amount(typical)
        if self.unit in {"count", "amount"} and number(typical) == "0":
            usual = "none"
        if self.aggregate == "active_days" and value == 0:
            usual = f"on {usual} of them"
        return f"{self.known(value)} (typical: {usual})"

    def known(self, value: float) -> str:
        one, many, window, shown = self.words.one, self.words.many, self.window(), self.amount(value)
        if self.profile and self.reason.of_its_level:
            often = "more" if self.reason.direction == "raises" else "less"
            return f"the {one} is {shown}, and customers of the same {one} leave {often} often than others"
        if self.profile:
            return f"the {self.words.one} is {shown}"
        if rhythm := rhythm_sentence(self.aggregate, self.words, self.root.days, shown, "en"):
            return rhythm
        match self.aggregate:
            case "count":
                return f"no {one}{window}" if value == 0 else plural(value, one, many) + window
            case "active_days":
                span = "" if self.root.days is None else f" of the last {self.root.days}"
                return (
                    f"no {one}{window}"
                    if value == 0
                    else f"{many} on {shown}{span or ' days'}{' days' if span else ''}"
                )
            case "sum" if self.unit == "amount":
                if self.taken_back or self.indicator != "purchase":
                    return f"{'' if self.taken_back else 'the amount of '}{many}{window} came to {shown}"
                return f"{'nothing' if number(value) == '0' else shown} was spent on {many}{window}"
            case "distinct_detail":
                kinds = plural(value, self.words.detail, self.words.details)
                return f"no {one}{window}" if value == 0 else f"{many}{window} covered {kinds}"
            case "distinct_channel" | "distinct_place":
                what = self.aggregate.removeprefix("distinct_")
                kinds = plural(value, what, f"{what}s")
                return f"no {one}{window}" if value == 0 else f"{many}{window} came from {kinds}"
            case "last_detail":
                within = "" if self.root.days is None else window
                return f"the {self.words.detail} of the last {one}{within} is {shown}"
            case "trend":
                first = self.meaning("first", "en")
                return f"the {first} runs at {shown} of the pace of the last {self.days} days"
            case "ratio" | "share":
                return f"the {self.meaning('first', 'en')} is {shown} of the {self.meaning('second', 'en')}"
            case _:
                return f"the {self.meaning('itself', 'en')} is {shown}"

    def missing(self) -> str:
        if self.profile:
            return f"the {self.words.one} is not known"
        if self.unit == "detail":
            return f"no {self.words.detail} is known for the {self.words.many}{self.window()}"
        if self.aggregate.startswith("gap_") or self.aggregate == "overdue":
            return f"there have been fewer than two {self.words.many} so far"
        days = self.days
        return f"no {self.words.one} " + ("so far" if days is None else f"in the last {days} days")

    def window(self) -> str:
        return " so far" if self.root.days is None else f" in the last {self.root.days} days"


class _Japanese(_Sentence):
    def amount(self, value: float) -> str:
        """A value of this feature with its unit."""
        if self.unit == "detail":
            return f"「{self.name_of_value(value, 'ja')}」"
        if self.aggregate in {"trend", "ratio"} or self.unit == "share":
            return in_language("ja", *self.percentage(value))
        if self.unit == "amount":
            return with_currency(number(abs(value) if self.taken_back else value), self.currency, "ja")
        if self.unit == "days":
            return "1日未満" if 0 < value < 1 else f"{number(round(value))}日"
        if self.unit == "minutes":
            length, _, unit = length_of_time(value)
            return f"{number(length)}{unit}"
        if self.aggregate == "count":
            return number(value) + ("回" if self.words.count.endswith("回数") else "件")
        if self.aggregate in {"distinct_detail", "distinct_channel"}:
            return f"{number(value)}種類"
        if self.aggregate == "distinct_place":
            return f"{number(value)}か所"
        if self.unit == "ratio":
            return multiple(value)[1]
        return self.name_of_value(value, "ja") if self.profile else number(value)

    def subject(self) -> str:
        """What the feature measures, to be followed by が."""
        if self.profile:
            return self.words.ja
        return re.sub(r"（日）|（[^（）]*の何倍か）$", "", self.meaning("itself", "ja"))

    def fact(self) -> str:
        value, typical = self.reason.value, self.reason.typical
        if value is None or (self.unit == "detail" and not self.reason.value_text):
            return self.missing() + "、"
        if self.profile and self.reason.of_its_level:
            often = "多い" if self.reason.direction == "raises" else "少ない"
            ja = self.words.ja
            return f"{ja}は{self.amount(value)}で、同じ{ja}の顧客は離反が{often}傾向にあり、"
        usual = "" if typical is None else f"（標準的な顧客は{self.amount(typical)}）"
        if value == 0 and self.aggregate in {"count", "distinct_detail"}:
            return f"{self.window()}{self.words.ja}がなく{usual}、"
        if value == 0 and self.aggregate == "active_days" and self.root.days is not None:
            return f"直近{self.root.days}日のうち{self.words.ja}があった日はなく{usual}、"
        if self.aggregate in {"days_since_last", "days_since_first"}:
            return f"{self.known(value)}{'で' if value < 1 else 'が経過しており'}{usual}、"
        return f"{self.known(value)}{usual}で、"

    def known(self, value: float) -> str:
        ja, window, shown = self.words.ja, self.window(), self.amount(value)
        if self.profile:
            return f"{ja}は{shown}"
        if rhythm := rhythm_sentence(self.aggregate, self.words, self.root.days, shown, "ja"):
            return rhythm
        match self.aggregate:
            case "count":
                return f"{window}{self.words.count}は{shown}"
            case "active_days":
                among = "これまでに" if self.root.days is None else f"直近{self.root.days}日のうち"
                return f"{among}{ja}があったのは{shown}"
            case "sum" if self.unit == "amount":
                return f"{window}{self.words.ja_value}は{shown}"
            case "distinct_detail":
                return f"{window}{ja}の{self.words.ja_details}は{shown}"
            case "distinct_channel":
                return f"{window}{ja}のチャネルは{shown}"
            case "distinct_place":
                return f"{window}{ja}の場所は{shown}"
            case "last_detail":
                return f"最後の{ja}の{self.words.ja_details}は{shown}"
            case "trend":
                return f"{self.meaning('first', 'ja')}のペースは直近{self.days}日の{shown}"
            case "ratio" | "share":
                return f"{self.meaning('first', 'ja')}は{self.meaning('second', 'ja')}の{shown}"
            case _:
                return f"{self.meaning('itself', 'ja')}は{shown}"

    def missing(self) -> str:
        ja = self.words.ja
        if self.profile:
            return f"{ja}が不明で"
        if self.unit == "detail":
            return f"{ja}の{self.words.ja_details}が不明で"
        if self.aggregate.startswith("gap_") or self.aggregate == "overdue":
            return f"{ja}がまだ2回に満たず"
        days = self.days
        return f"これまで{ja}がなく" if days is None else f"直近{days}日の{ja}がなく"

    def window(self) -> str:
        return "これまでの" if self.root.days is None else f"直近{self.root.days}日の"
