"""The columns of the list: headings in both languages, what each holds, and which output shows it.

To add one, add its `ListColumn` to `COLUMNS` and its name to the outputs that show it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from features.catalog.display_names import in_language
from serving.lists.customer_view import one_per_aspect
from serving.lists.uplift_reason import POINTS, UPLIFT, risk_reasons, uplift_figure
from serving.presentation.i18n import (
    lifetime_text,
    money,
    percent,
    rounded_amount,
    rounded_share,
    tier_or_empty,
)
from serving.schemas.lifetime_responses import LifetimeValue
from serving.schemas.lifetime_words import shows_value
from serving.schemas.plan_responses import PlannedAction
from serving.schemas.responses import ListedCustomer, PlanEntry, Reason, UpliftBasis
from serving.schemas.terms import OUTCOME_WORDS, channel_words

Cell = str | int | float | None


@dataclass(frozen=True)
class ListRow:
    """One customer of a list, and what the plan has in mind for them."""

    customer: ListedCustomer | PlanEntry
    plan: PlannedAction | None
    language: str
    currency: str | None = None
    uplift: UpliftBasis | None = None
    """What the customers' uplift is about."""

    @cached_property
    def reasons(self) -> list[Reason]:
        """The reasons to show: one for each matter."""
        return one_per_aspect(self.customer.reasons)

    def reason(self, place: int) -> str:
        """The sentence of the risk's reason at this place, empty where there are fewer."""
        reasons = risk_reasons(self.reasons)
        return reasons[place].sentence if place < len(reasons) else ""

    @property
    def uplift_sentence(self) -> str:
        """What contact did to customers like this in past campaigns; empty where nobody knows."""
        return "".join(reason.sentence for reason in self.reasons if reason.feature == UPLIFT)

    def hook(self, place: int) -> str:
        """The sentence of the hook at this place, empty where there are fewer."""
        hooks = () if self.plan is None else self.plan.hook_sentences
        return hooks[place] if place < len(hooks) else ""

    def lifetime(self, months: int | None = None) -> LifetimeValue | None:
        """The lifetime value over so many months, or over the fewest; None where there is none."""
        values = self.customer.lifetime_value
        return next((one for one in values if months in (None, one.months)), None)

    def tier(self, name: str | None) -> str:
        return tier_or_empty(name, self.language)


@dataclass(frozen=True)
class TerminalStyle:
    """How a column looks in the table on the terminal."""

    heading: tuple[str, str]
    """English, Japanese."""
    text: Callable[[ListRow], str]
    justify: Literal["left", "right"] = "left"
    style: str = ""
    wraps: bool = True
    optional: bool = False
    """Left out where no customer has a value."""


@dataclass(frozen=True)
class ListColumn:
    """One column: its name, which is the English heading in files, and its cell."""

    name: str
    japanese: str
    cell: Callable[[ListRow], Cell]
    terminal: TerminalStyle | None = None
    english: str = ""
    """What people read above it on a screen; made from the name where it is empty."""
    kind: Literal["text", "share", "amount", "number", "day", "as_on_terminal"] = "text"
    """What its cell is, by which a screen formats it."""

    def title(self, language: str) -> str:
        """What people read above it on a screen."""
        return in_language(language, self.english or self.name.replace("_", " ").capitalize(), self.japanese)

    def heading(self, language: str) -> str:
        return in_language(language, self.name, self.japanese)


def _of_plan(part: Callable[[PlannedAction], Cell]) -> Callable[[ListRow], Cell]:
    """The cell of a part of the plan; empty for a customer without one."""
    return lambda row: None if row.plan is None else part(row.plan)


def _loyalty(row: ListRow, part: str) -> Cell:
    """A number of the customer's loyalty programme."""
    loyalty = None if row.plan is None else row.plan.hooks.loyalty
    cell: Cell = None if loyalty is None else getattr(loyalty, part)
    return cell


def _tiers(row: ListRow) -> str:
    return " → ".join(row.tier(name) for name in (row.customer.tier, row.customer.predicted_tier))


def _uplift(row: ListRow) -> str:
    """The uplift with its sign and unit: +3.2 pt for a rate."""
    uplift = row.customer.uplift
    if uplift is None or row.uplift is None:
        return "–"
    figure = uplift_figure(abs(uplift), row.uplift.outcome, row.language, row.currency or "")
    unit = " pt" if row.uplift.outcome in POINTS else ""
    return f"{'−' if uplift < 0 else '+'}{figure}{unit}"


def _refused_channels(row: ListRow) -> str:
    names = [channel_words(name, row.language) for name in row.customer.refused_channels]
    return in_language(row.language, "; ", "、").join(names)


_COLUMNS = (
    ListColumn(
        "rank",
        "順位",
        lambda row: row.customer.rank,
        TerminalStyle(("#", "順位"), lambda row: str(row.customer.rank), justify="right", style="dim"),
        kind="number",
    ),
    ListColumn(
        "customer_id",
        "顧客ID",
        lambda row: row.customer.customer_id,
        TerminalStyle(("Customer", "顧客"), lambda row: row.customer.customer_id),
        "Customer",
    ),
    ListColumn(
        "churn_probability",
        "離反確率",
        lambda row: rounded_share(row.customer.churn_probability),
        TerminalStyle(
            ("Risk", "離反確率"),
            lambda row: percent(row.customer.churn_probability),
            justify="right",
            style="bold",
            wraps=False,
        ),
        "Risk",
        "share",
    ),
    ListColumn(
        "tier",
        "エンゲージメント",
        lambda row: row.tier(row.customer.tier),
        TerminalStyle(("Engagement → Next", "エンゲージメント → 次期予測"), _tiers),
        "Engagement",
    ),
    ListColumn(
        "predicted_tier", "次期予測", lambda row: row.tier(row.customer.predicted_tier), english="Next"
    ),
    ListColumn(
        "expected_value",
        "期待購買額",
        lambda row: rounded_amount(row.customer.expected_value),
        kind="amount",
    ),
    ListColumn(
        "value_at_risk",
        "リスク金額",
        lambda row: rounded_amount(row.customer.value_at_risk),
        TerminalStyle(
            ("At stake", "リスク金額"),
            lambda row: money(row.customer.value_at_risk, row.currency, row.language),
            justify="right",
            wraps=False,
            optional=True,
        ),
        "Value at risk",
        "amount",
    ),
    ListColumn(
        "uplift",
        "アップリフト",
        lambda row: rounded_share(row.customer.uplift),
        TerminalStyle(
            ("Uplift", "施策の効果"), lambda row: _uplift(row), justify="right", wraps=False, optional=True
        ),
        kind="as_on_terminal",
    ),
    ListColumn(
        "incremental_value",
        "増分金額",
        lambda row: rounded_amount(row.customer.incremental_value),
        kind="amount",
    ),
    ListColumn(
        "lifetime_value",
        "顧客生涯価値（LTV）",
        lambda row: (
            rounded_amount(found.value)
            if (found := row.lifetime()) is not None and shows_value(found.evidence)
            else None
        ),
        TerminalStyle(
            ("LTV", "LTV"),
            lambda row: lifetime_text(row.lifetime(), row.currency, row.language),
            justify="right",
            wraps=False,
            optional=True,
        ),
        "Lifetime value",
        "as_on_terminal",
    ),
    ListColumn("uplift_reason", "施策の効果の根拠", lambda row: row.uplift_sentence),
    ListColumn("reason_1", "理由1", lambda row: row.reason(0)),
    ListColumn("reason_2", "理由2", lambda row: row.reason(1)),
    ListColumn("reason_3", "理由3", lambda row: row.reason(2)),
    ListColumn("reason", "主な理由", lambda row: row.reason(0), english="Main reason"),
    ListColumn(
        "outcome",
        "実施区分",
        lambda row: (
            None
            if row.customer.outcome is None
            else in_language(row.language, row.customer.outcome, OUTCOME_WORDS[row.customer.outcome][1])
        ),
    ),
    ListColumn("stage", "ステージ", _of_plan(lambda plan: plan.stage_words)),
    ListColumn("attitude", "NPS（推奨度）", _of_plan(lambda plan: plan.attitude_words), english="NPS"),
    ListColumn("rule", "適用ルール", _of_plan(lambda plan: plan.rule_words)),
    ListColumn("touch", "タッチモデル", _of_plan(lambda plan: plan.touch_words)),
    ListColumn("action", "アクション", _of_plan(lambda plan: plan.action_words)),
    ListColumn(
        "action_channel", "チャネル", _of_plan(lambda plan: plan.action_channel_words), english="Channel"
    ),
    ListColumn("channel", "チャネル", _of_plan(lambda plan: plan.action_channel_words)),
    ListColumn("owner", "担当", _of_plan(lambda plan: plan.owner)),
    ListColumn("deadline", "期限", _of_plan(lambda plan: plan.deadline), kind="day"),
    ListColumn("left_out_because", "見送りの理由", lambda row: row.customer.left_out_because),
    ListColumn("refused_channels", "連絡不可のチャネル", _refused_channels),
    ListColumn(
        "hooks", "話題", _of_plan(lambda plan: "; ".join(plan.hook_sentences)), english="To talk about"
    ),
    ListColumn("hook_1", "話題1", lambda row: row.hook(0)),
    ListColumn("hook_2", "話題2", lambda row: row.hook(1)),
    ListColumn("hook_3", "話題3", lambda row: row.hook(2)),
    ListColumn("loyalty", "会員ランク", lambda row: _loyalty(row, "level_words")),
    ListColumn(
        "purchases_to_next",
        "次ランクまでの購買回数",
        lambda row: _loyalty(row, "purchases_to_next"),
        kind="number",
    ),
    ListColumn(
        "amount_to_next", "次ランクまでの金額", lambda row: _loyalty(row, "amount_to_next"), kind="amount"
    ),
    ListColumn("loyalty_lasts_until", "ランク維持期限", lambda row: _loyalty(row, "lasts_until"), kind="day"),
)
COLUMNS = {column.name: column for column in _COLUMNS}

TERMINAL = ("rank", "customer_id", "churn_probability", "tier", "value_at_risk", "lifetime_value", "uplift")
NARROW_TERMINAL = (*TERMINAL[:3], *TERMINAL[4:], "tier")
LIST_CSV = (
    "rank",
    "customer_id",
    "churn_probability",
    "tier",
    "predicted_tier",
    "expected_value",
    "value_at_risk",
    "reason_1",
    "reason_2",
    "reason_3",
)
UPLIFT_PART_OF_LIST_CSV = ("uplift", "incremental_value", "uplift_reason")
"""What follows where an uplift model was in use."""
LEFT_OUT_PART_OF_LIST_CSV = ("outcome", "left_out_because", "refused_channels")
"""What follows before a plan was made: who must not be contacted."""
PLAN_PART_OF_LIST_CSV = (
    "outcome",
    "stage",
    "touch",
    "action",
    "action_channel",
    "owner",
    "deadline",
    "left_out_because",
    "refused_channels",
    "hooks",
)
"""What follows in the list as CSV where `kizuna plan` has made a plan."""
PLAN_CSV = (
    "rank",
    "customer_id",
    "churn_probability",
    "value_at_risk",
    "tier",
    "stage",
    "attitude",
    "rule",
    "outcome",
    "touch",
    "action",
    "channel",
    "owner",
    "deadline",
    "left_out_because",
    "refused_channels",
    "reason",
    "hook_1",
    "hook_2",
    "hook_3",
    "loyalty",
    "purchases_to_next",
    "amount_to_next",
    "loyalty_lasts_until",
)
SCREEN = tuple(
    name
    for name in COLUMNS
    if name
    not in ("customer_id", "reason_1", "reason_2", "reason_3", "channel", "hook_1", "hook_2", "hook_3")
)
"""What a person can choose to see on the console's list, beside the customer; others say the same twice."""
SCREEN_AT_FIRST = ("churn_probability", "tier", "value_at_risk", "reason", "outcome", "action")
"""What the console's list shows until somebody chooses."""
