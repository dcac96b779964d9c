"""Words and numbers of a campaign's report, in both languages."""

from __future__ import annotations

from collections.abc import Callable

from features.catalog.display_names import in_language
from serving.presentation.i18n import money
from serving.reports.measure_view import format_change, format_figure
from serving.schemas.campaign_responses import (
    AmountWithInterval,
    CampaignReport,
    GroupEffect,
    OutcomeEffect,
    ReachedCustomersEffect,
    ReviewResult,
    SequenceLook,
)
from serving.schemas.terms import SEGMENT, months_words
from training.explanation.project_words import ProjectWords
from training.explanation.text import tier_words

OUTCOME_NAMES = {
    "retained": ("Retained", "継続"),
    "churned_value": ("Churned value per customer", "1人あたり離反価値"),
    "spend": ("Spend per customer", "1人あたり購買額"),
    "active_days": ("Active days", "利用日数"),
    "tier": ("Engagement tier (1 = lowest)", "エンゲージメント階層（1が最低）"),
    "nps": ("NPS of those who answered", "NPS（回答者）"),
    "response": ("Responded", "反応"),
}
SHORT_NAMES = {
    "churned_value": ("Churned value", "離反価値"),
    "spend": ("Spend", "購買額"),
    "tier": ("Tier", "階層"),
    "nps": ("NPS", "NPS"),
}
FALLING_IS_GOOD = frozenset({"churned_value"})
GROUPINGS = {
    "tier": ("Tier at the start", "開始時の階層"),
    "risk_decile": ("Risk decile (10 = highest)", "リスク十分位（10が最高）"),
    "touch": ("Touch model", "タッチモデル"),
}
ARM_COUNTS = (
    "assigned", "erased", "merged", "counted", "reached", "contacts", "service_contacts", "other_contacts",
    "withdrawn",
)  # fmt: skip
"""The counts of an `ArmSummary`, each a word below."""
ARM_NAMES = {"treatment": ("Treatment", "施策群"), "control": ("Control", "対照群")}
METHODS = {
    "regression": ("adjusted by regression", "回帰で調整"),
    "difference": ("not adjusted", "調整なし"),
    "newcombe": ("few events: Newcombe", "件数が少ないためNewcombe法"),
}
WORDS = {
    "title": ("Campaign report", "施策の効果レポート"),
    "started": ("started", "開始"),
    "hold_ends": ("control group held back until", "対照群の保留期限"),
    "as_of": ("data until", "データの期限"),
    "computed": ("computed", "算出"),
    "model": ("model version", "モデル版"),
    "outcome": ("Outcome", "成果"),
    "treatment": ("Treatment", "施策群"),
    "control": ("Control", "対照群"),
    "difference": ("Difference", "差"),
    "interval": ("95% interval", "95%区間"),
    "ratio": ("Ratio", "比"),
    "plain": ("Unadjusted", "調整前の差"),
    "plain_short": ("Plain", "調整前"),
    "group": ("Group", "区分"),
    "customers": ("Customers", "顧客数"),
    "kept": ("Customers kept", "引き止めた顧客数"),
    "gained": ("Money gained", "増えた購買額"),
    "cost": ("Cost", "費用"),
    "net": ("Gained less cost", "差引"),
    "return": ("Gained per cost", "費用あたりの購買額"),
    "unpriced": ("contacts without a cost", "費用不明の接触"),
    "arms": ("Arms", "群"),
    "assigned": ("Assigned", "割り付け"),
    "erased": ("Erased", "消去"),
    "merged": ("Merged", "統合"),
    "counted": ("Counted", "集計対象"),
    "reached": ("Reached", "接触済み"),
    "contacts": ("Contacts", "接触数"),
    "service_contacts": ("Service contacts", "サービス対応の接触数"),
    "other_contacts": ("Other contacts", "他の接触数"),
    "withdrawn": ("May not be contacted now", "現在連絡不可"),
    "sample_ratio": ("Sample ratio", "群の比率"),
    "declared": ("declared", "宣言"),
    "found": ("found", "実際"),
    "contaminated": (
        "Control customers contacted, or in both arms",
        "接触された、または両群にいた対照群の顧客",
    ),
    "pending": ("Not reached yet", "未到達の評価日"),
    "sequence": ("Between review dates: confidence sequence", "評価日の間：信頼系列"),
    "sequence_note": (
        "Valid at all looks together, however often one looks, and therefore wider than at review dates.",
        "何度見ても全時点で同時に有効な区間で、そのぶん評価日の区間より広くなります。",
    ),
    "reached_effect": ("Effect on those who were reached", "実際に接触した顧客への効果"),
    "reached_note": (
        "The assignment is the instrument: the difference of the arms divided by the share that was reached "
        "because of it.",
        "割り付けを操作変数とした推定：群の差を、割り付けによって接触した割合で割ったものです。",
    ),
    "weak": ("too few were reached to say", "接触が少なすぎて判断できません"),
    "groups": ("By group", "区分別"),
    "groups_note": (
        "Groups as of the day of assignment; each interval is of its group alone, so of twenty groups "
        "without effect one excludes zero. The p-value asks whether the groups differ at all.",
        "区分は割り付け日時点です。区間は区分ごとで、効果のない20区分のうち1つは0を含みません。"
        "p値は区分間に差があるかどうかの検定です。",
    ),
    "exploratory": ("exploratory", "探索的"),
    "differ": ("groups differ: p", "区分間の差 p"),
    "method": ("How to read this", "読み方"),
    "method_note": (
        "Intention to treat: everybody counts in the arm they were assigned to, contacted or not. "
        "Differences are adjusted by what was known on the day of assignment. The intervals at the review "
        "dates hold for all declared dates together. Grey: the interval includes zero.",
        "割り付けどおりの群で全員を集計しています（ITT）。差は割り付け日時点の情報で調整しています。評価日の区間は"
        "宣言した全評価日で同時に有効です。灰色は区間が0を含むものです。",
    ),
    "chart_note": (
        "Points: review dates with their intervals. Band: the confidence sequence of the monthly looks.",
        "点と縦線は評価日の差と区間、帯は月ごとの信頼系列です。",
    ),
    "months_note": ("Months after the start.", "横軸は開始からの月数です。"),
    "no_effects": ("No review date is reached yet.", "到達した評価日はまだありません。"),
    "adjusted_by": ("adjusted by", "調整に使った情報"),
}  # fmt: skip
COVARIATE_NAMES = {
    "churn_probability": ("churn probability", "離反確率"),
    "expected_value": ("expected value", "期待購買額"),
    "past_spend": ("past spend", "過去の購買額"),
    "tenure_days": ("tenure", "利用期間"),
    "tier": ("tier", "階層"),
}

Translate = Callable[[str], str]


def translator(language: str) -> Translate:
    """From a name in `WORDS` to the words of a language."""
    return lambda name: in_language(language, *WORDS[name])


def outcome_name(outcome: str, language: str, *, short: bool = False) -> str:
    """What an outcome is called; `short` where there is little room."""
    names = SHORT_NAMES.get(outcome, OUTCOME_NAMES[outcome]) if short else OUTCOME_NAMES[outcome]
    return in_language(language, *names)


def covariate_name(name: str, language: str) -> str:
    """What a covariate is called; a covariate that says where another is missing keeps that."""
    first, _, rest = name.partition(" is missing")
    words = in_language(language, *COVARIATE_NAMES.get(first, (first, first)))
    return words if first == name else in_language(language, f"{words} is missing{rest}", f"{words}の欠損")


def grouping_name(by: str, language: str, project: ProjectWords) -> str:
    """What a way of grouping is called; a segment by its attribute."""
    if by in GROUPINGS:
        return in_language(language, *GROUPINGS[by])
    return project.attribute(by.removeprefix(SEGMENT), language)


def group_name(group: GroupEffect, language: str, project: ProjectWords) -> str:
    """What a group is called; the values of an attribute by the project's names."""
    if group.by.startswith(SEGMENT):
        return project.value(group.by.removeprefix(SEGMENT), group.group, language)
    return tier_words(group.group, language) if group.by == "tier" else group.group


def review_name(review: ReviewResult, language: str) -> str:
    """What a review is called: after the hold has ended, the effect of a contact some months earlier."""
    months = months_words(review.months, language)
    if review.after_hold:
        return in_language(language, f"Effect of contact {months} earlier", f"{months}前の接触の効果")
    return in_language(language, f"Effect after {months}", f"{months}後の効果")


def look_name(look: SequenceLook, language: str) -> str:
    """What a look between review dates is called."""
    if look.months is None:
        return in_language(language, f"until {look.date[:10]}", f"{look.date[:10]}まで")
    return in_language(language, f"{look.months} mo", f"{look.months}か月")


def figure_text(unit: str, currency: str | None, language: str) -> Callable[[float], str]:
    """The function that writes a figure of an arm."""
    if unit == "amount":
        return lambda value: money(value, currency, language)
    if unit == "tier":
        return lambda value: f"{value:.2f}"
    return format_figure(unit)


def change_text(unit: str, currency: str | None, language: str) -> Callable[[float], str]:
    """The function that writes a difference, with its sign."""
    if unit == "amount":
        return lambda value: f"{'-' if value < 0 else '+'}{money(abs(value), currency, language)}"
    if unit in ("tier", "days"):
        return lambda value: f"{value:+.2f}"
    return format_change(unit)


def interval_text(low: float | None, high: float | None, write: Callable[[float], str]) -> str:
    """Both ends of an interval; a dash where there is none."""
    if low is None or high is None:
        return "–"
    return f"{write(low).removesuffix(' pt')} … {write(high)}"


def ratio_text(effect: OutcomeEffect, *, with_interval: bool = True) -> str:
    """A ratio with its interval; a dash where it cannot be told."""
    if effect.ratio is None or effect.unit == "score":
        return "–"
    if effect.ratio_low is None or effect.ratio_high is None or not with_interval:
        return f"{effect.ratio:.3f}"
    return f"{effect.ratio:.3f} ({effect.ratio_low:.3f} … {effect.ratio_high:.3f})"


def customers_text(amount: AmountWithInterval) -> str:
    """A number of customers with its interval."""

    return f"{count_text(amount.value)} ({interval_text(amount.low, amount.high, count_text)})"


def count_text(value: float) -> str:
    """A number of customers with its sign; none has no sign."""
    return f"{value:+,.0f}" if round(value) else "0"


def money_text(amount: AmountWithInterval, report: CampaignReport, language: str) -> str:
    """An amount with its sign and interval."""
    write = change_text("amount", report.currency, language)
    return f"{write(amount.value)} ({interval_text(amount.low, amount.high, write)})"


def return_text(amount: AmountWithInterval) -> str:
    """Money gained per unit of cost, with its interval."""

    def write(value: float) -> str:
        return f"{value:+,.2f}"

    return f"{write(amount.value)} ({interval_text(amount.low, amount.high, write)})"


def proven_text(effect: OutcomeEffect, currency: str | None, language: str) -> str:
    """An effect in a few words: its interval, and whether it proves anything."""
    write = change_text(effect.unit, currency, language)
    interval = interval_text(effect.low, effect.high, write)
    if sureness(effect) == "soft":
        return in_language(
            language, f"no effect proven ({interval})", f"効果は確認できていません（{interval}）"
        )
    return in_language(
        language, f"{write(effect.difference)} ({interval})", f"{write(effect.difference)}（{interval}）"
    )


def reached_text(one: ReachedCustomersEffect, currency: str | None, language: str) -> str:
    """The effect on those who were reached with its interval, or that too few were."""
    if one.weak or one.difference is None:
        return in_language(language, *WORDS["weak"])
    write = change_text(one.unit, currency, language)
    return f"{write(one.difference)} ({interval_text(one.low, one.high, write)})"


def sureness(effect: OutcomeEffect) -> str:
    """`good` or `bad` where the interval excludes zero, else `soft`."""
    if effect.low is None or effect.high is None or effect.low <= 0 <= effect.high:
        return "soft"
    return "good" if (effect.low > 0) != (effect.outcome in FALLING_IS_GOOD) else "bad"
