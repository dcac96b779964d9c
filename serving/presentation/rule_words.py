"""The conditions of a playbook's rules, and where the places of touch models went, in both languages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.catalog.definitions import Indicator, indicator_words
from features.catalog.display_names import in_language
from serving.actions.playbook import Playbook, PlaybookRule
from serving.actions.rules.conditions import NumberCondition
from serving.presentation.filter_words import GIVEN_WORDS, reason_words
from serving.presentation.i18n import money
from serving.schemas.plan_responses import TouchUse
from serving.schemas.terms import (
    ATTITUDE_WORDS,
    BAND_WORDS,
    INQUIRY_WORDS,
    MOVEMENT_WORDS,
    NONE,
    STAGE_WORDS,
    channel_words,
)
from training.explanation.text import tier_words

LABELS = {
    "probability": ("Churn probability", "離反確率"),
    "value": ("Expected spend", "期待購買額"),
    "lifetime_value": ("Lifetime value", "顧客生涯価値（LTV）"),
    "uplift": ("Effect of contact", "接触の効果"),
    "incremental_value": ("Gain by contact", "接触による増加額"),
    "tier": ("Engagement tier", "エンゲージメント階層"),
    "movement": ("Expected movement", "今後の変化"),
    "attitude": ("NPS", "NPS（推奨度）"),
    "stage": ("Stage", "ステージ"),
    "loyalty": ("Loyalty level", "会員ランク"),
    "reason": ("Main reason", "主な理由"),
    "channel": ("Own channel", "よく使うチャネル"),
    "inquiry": ("Last inquiry", "直近の問い合わせ"),
}
"""The conditions in the order in which they are said."""
SHARES = ("probability", "uplift")
NONE_WORDS = {
    "loyalty": ("no level", "ランクなし"),
    "reason": ("none", "なし"),
    "channel": ("not known", "不明"),
}
_LEFT_WORDS = {
    "control_group": ("in the control group of a campaign", "施策の対照群"),
    "do_not_contact": ("not to be contacted any more", "連絡不可になった顧客"),
    "cool_down": ("contacted meanwhile", "接触済みになった顧客"),
}
"""Why a customer who had a place has lost it since."""


@dataclass(frozen=True)
class ConditionWords:
    """One condition of a rule: what it is about, and what must hold."""

    label: str
    words: str


@dataclass(frozen=True)
class RuleWords:
    """Writes conditions for one project in one language."""

    language: str
    currency: str | None
    indicators: Mapping[str, Indicator]

    def conditions(self, rule: PlaybookRule, playbook: Playbook) -> tuple[ConditionWords, ...]:
        """What must hold for a rule; empty for one that takes everybody who is left."""
        found = []
        for name, label in LABELS.items():
            wanted = getattr(rule.when, name)
            if isinstance(wanted, NumberCondition):
                words = self._number(name, wanted)
            elif wanted is not None:
                words = in_language(self.language, " or ", "・").join(
                    self._word(name, word, playbook) for word in wanted
                )
            else:
                continue
            found.append(ConditionWords(in_language(self.language, *label), words))
        return tuple(found)

    def _number(self, name: str, wanted: NumberCondition) -> str:
        if wanted.rank_high != math.inf:
            return self._say(f"highest {_share(wanted.rank_high)}", f"上位{_share(wanted.rank_high)}")
        if wanted.by_rank:
            share = _share(1 - wanted.rank_low)
            return self._say(f"lowest {share}", f"下位{share}")
        low, high = (
            _share(limit) if name in SHARES else money(limit, self.currency, self.language)
            for limit in (wanted.low, wanted.high)
        )
        if wanted.high == math.inf:
            return self._say(f"at least {low}", f"{low}以上")
        if wanted.low == -math.inf:
            return self._say(f"below {high}", f"{high}未満")
        return self._say(f"{low} to below {high}", f"{low}以上{high}未満")

    def _word(self, name: str, word: str, playbook: Playbook) -> str:
        tables: Mapping[str, Mapping[str, Sequence[str]]] = {
            "tier": BAND_WORDS,
            "movement": MOVEMENT_WORDS,
            "attitude": ATTITUDE_WORDS,
            "stage": STAGE_WORDS,
            "inquiry": INQUIRY_WORDS,
        }
        if word in (found := tables.get(name, {})):
            english, japanese = found[word]
            return in_language(self.language, english, japanese)
        if word == NONE and name in NONE_WORDS:
            return in_language(self.language, *NONE_WORDS[name])
        if name == "tier":
            return tier_words(word, self.language)
        if name == "loyalty":
            levels = (level for programme in playbook.loyalty for level in programme.levels)
            return next((level.say(self.language) for level in levels if level.name == word), word)
        if name == "channel":
            return channel_words(word, self.language)
        if name == "reason":
            return self._subject(word)
        return word

    def _subject(self, name: str) -> str:
        if name not in self.indicators:
            return reason_words(name, self.language) if name in GIVEN_WORDS else name
        words = indicator_words(self.indicators[name])
        return in_language(self.language, words.many, words.ja)

    def _say(self, english: str, japanese: str) -> str:
        return in_language(self.language, english, japanese)


def capacity_lines(uses: Sequence[TouchUse], language: str) -> list[str]:
    """A line for each touch model that somebody found no place in, or where places are free by now."""
    lines = (capacity_line(use, language) for use in uses)
    return [line for line in lines if line is not None]


def capacity_line(use: TouchUse, language: str) -> str | None:
    """Where the places of a touch model went; None without a limit, and where it is not reached."""
    gone = sum(use.left_since.values())
    if use.capacity is None or not (use.no_room or (gone and use.given >= use.capacity)):
        return None
    why = in_language(language, ", ", "、").join(
        in_language(language, f"{count:,} {_LEFT_WORDS[name][0]}", f"{_LEFT_WORDS[name][1]}{count:,}名")
        for name, count in use.left_since.items()
    )
    english = [
        f"{use.touch_words}: room for {use.capacity:,} customers. "
        + (f"All {use.given:,} places" if use.given == use.capacity else f"{use.given:,} places")
        + " were given when the plan was made"
        + (f"; for {use.no_room:,} more there is no room." if use.no_room else ".")
    ]
    japanese = [
        f"{use.touch_words}：上限{use.capacity:,}名。プランの作成時に"
        + (f"{use.given:,}名分すべて" if use.given == use.capacity else f"{use.given:,}名分")
        + "を割り当てました"
        + (f"（ほかに{use.no_room:,}名が枠不足）。" if use.no_room else "。")
    ]
    if gone:
        english.append(f"Since then {gone:,} of them were left out ({why}), so {use.planned:,} are planned.")
        japanese.append(f"その後{gone:,}名が対象から外れたため（{why}）、実施予定は{use.planned:,}名です。")
        if use.no_room:
            english.append("The next plan gives the free places to others.")
            japanese.append("空いた枠は、次のプランで枠不足の顧客に割り当てられます。")
    if use.joined_since:
        english.append(f"{use.joined_since:,} came back from a control group that has ended.")
        japanese.append(f"対照群の期間を終えた{use.joined_since:,}名が加わっています。")
    return in_language(language, " ".join(english), "".join(japanese))


def _share(share: float) -> str:
    return f"{round(share * 100, 6):g}%"
