"""Campaigns in words and as the JSON of the command line: arms, balance, and what could be seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.catalog.display_names import in_language
from features.timeline import Timeline
from serving.experiments.balance import CovariateBalance
from serving.lists.campaign_preview import CampaignPreview
from serving.presentation.i18n import money
from serving.presentation.messages.catalog import translated
from serving.schemas.shares import share_text
from serving.schemas.terms import months_words
from serving.state.campaigns.campaign_index import CampaignRecord

STATES = {
    "draft": ("drafted", "下書き"),
    "running": ("running", "実施中"),
    "stopped": ("stopped", "停止済み"),
    "loaded": ("run elsewhere", "外部で実施"),
}
LEFT_OUT = {
    "erased": ("erased", "消去済み"),
    "do_not_contact": (
        "not to be contacted (refused, or not known)",
        "連絡不可（申し出あり、または可否不明）",
    ),
    "global_control": ("standing control group", "常設の対照群"),
    "control_elsewhere": ("control group of another campaign", "別の施策の対照群"),
    "in_another_campaign": ("in another campaign", "別の施策に割り付け済み"),
}
"""Why customers of the list were not drawn."""
NOT_EXPORTED = LEFT_OUT | {
    "control_group": ("control group", "対照群"),
    "without_score": ("no score", "スコアなし"),
}
"""Why customers of the treatment arm are not handed out."""
CONTACT_ROWS = {
    "unknown_customer": ("unknown customer: not stored", "不明な顧客（登録しません）"),
    "before_start": ("before the start: not stored", "開始前（登録しません）"),
    "in_future": ("in the future: not stored", "未来の日時（登録しません）"),
    "other_campaign": ("of another campaign: not stored", "別の施策（登録しません）"),
    "not_assigned": ("of customers in neither arm", "割り付けのない顧客"),
}
"""What became of contacts that were read, beside those that are new or known already."""
UNEVEN = ("  uneven by chance: the report adjusts for it", "  偶然の偏りあり（効果の集計で調整します）")
COVARIATES = {
    "risk": ("churn probability", "離反確率"),
    "value": ("expected value", "期待購買額"),
    "tier": ("engagement tier", "エンゲージメント階層"),
    "tenure": ("tenure (days)", "継続日数"),
}


@dataclass(frozen=True)
class SmallestEffect:
    """What could be seen at a review date, with 80 % power and a 95 % interval."""

    months: int
    date: str
    churned: float
    retention: float | None
    money: float | None


@dataclass(frozen=True)
class CampaignReply:
    """A campaign as `kizuna --json campaign` prints it."""

    campaign: str
    state: str
    source: str
    filters: Mapping[str, object]
    control_share: float
    arms: Mapping[str, int]
    review_months: Sequence[int]
    touch_models: Sequence[str]
    segments: Sequence[str]
    created_at: str | None
    started_at: str | None
    hold_until: str | None
    stopped_at: str | None
    who: str
    seed: str
    as_of: str | None
    model_version: str
    data_version: str
    score_file: str
    channel: str | None
    """The channel that its customers are contacted over; null where none was given."""


@dataclass(frozen=True)
class DrawnReply(CampaignReply):
    """A campaign that was drawn now."""

    left_out: Mapping[str, int]
    balance: Sequence[CovariateBalance]
    smallest_effects: Sequence[SmallestEffect]
    too_few: Sequence[str]
    hard_to_reach: Sequence[str]
    warnings: Sequence[str]
    dry_run: bool


def campaign_reply(record: CampaignRecord, timeline: Timeline) -> CampaignReply:
    """The record of a campaign as data."""

    def day(instant: int | None) -> str | None:
        return None if instant is None else timeline.local(instant).isoformat(timespec="seconds")

    return CampaignReply(
        campaign=record.name,
        state=record.state,
        source=record.source,
        filters=json.loads(record.filters),
        control_share=record.control_share,
        arms={"treatment": record.treatment, "control": record.control},
        review_months=record.review_months,
        touch_models=record.touch_models,
        segments=record.segments,
        created_at=day(record.created_at),
        started_at=day(record.started_at),
        hold_until=day(record.hold_until),
        stopped_at=day(record.stopped_at),
        who=record.who,
        seed=record.seed,
        as_of=None if record.as_of is None else timeline.name(record.as_of),
        model_version=record.model_version,
        data_version=record.data_version,
        score_file=record.score_file,
        channel=record.channel or None,
    )


def drawn_reply(preview: CampaignPreview, timeline: Timeline, *, dry_run: bool) -> DrawnReply:
    """A drawn campaign as data."""
    effects = [
        SmallestEffect(one.months, timeline.name(one.date), one.churned, one.retention, one.money)
        for one in preview.effects
    ]
    return DrawnReply(
        **vars(campaign_reply(preview.record, timeline)),
        left_out=preview.left_out,
        balance=preview.balance,
        smallest_effects=effects,
        too_few=preview.too_few,
        hard_to_reach=preview.hard_to_reach,
        warnings=preview.warnings,
        dry_run=dry_run,
    )


def drawn_lines(reply: DrawnReply, language: str) -> list[str]:
    """A drawn campaign as people read it."""

    def say(english: str, japanese: str) -> str:
        return in_language(language, english, japanese)

    treatment, control = reply.arms["treatment"], reply.arms["control"]
    state = (
        say("would be drawn like this; nothing was kept", "の割り付け案（保存していません）")
        if reply.dry_run
        else say("was started", "を開始しました")
        if reply.state == "running"
        else say("is drafted; nobody is assigned yet", "を下書きにしました（まだ誰も割り付けていません）")
    )
    lines = [
        say(f"Campaign '{reply.campaign}' {state}.", f"施策「{reply.campaign}」{state}。"),
        say(
            f"  treatment {treatment:,} · control group {control:,} ({share_text(reply.control_share)})",
            f"  施策群 {treatment:,}名 · 対照群 {control:,}名（{share_text(reply.control_share)}）",
        ),
    ]
    left_out = [f"{say(*LEFT_OUT[one])} {count:,}" for one, count in reply.left_out.items() if count]
    if left_out:
        lines.append(say("  not drawn: ", "  対象外：") + " · ".join(left_out))
    if reply.hold_until is not None:
        lines.append(
            say(
                f"  the control group is held back until {reply.hold_until}",
                f"  対照群への連絡は {reply.hold_until} まで控えます",
            )
        )
    lines.append(
        say(
            "  balance (standardised differences; below 0.1 is good):",
            "  両群の差（標準化差、0.1未満が目安）：",
        )
    )
    lines += [f"    {_balance_line(one, language)}" for one in reply.balance]
    lines.append(say("  the smallest effects that could be seen:", "  検出できる最小の効果："))
    for one in reply.smallest_effects:
        kept = say("retention", "継続率")
        seen = (
            "–"
            if one.retention is None
            else say(f"±{one.retention * 100:.1f} points", f"±{one.retention * 100:.1f}ポイント")
        )
        spend = (
            ""
            if one.money is None
            else say(
                f", spend ±{money(one.money)} a customer",
                f"、1人あたり金額 ±{money(one.money)}",
            )
        )
        lines.append(
            say(
                f"    after {months_words(one.months, language)} ({one.date[:10]}): {kept} {seen}{spend}",
                f"    {months_words(one.months, language)}後（{one.date[:10]}）：{kept} {seen}{spend}",
            )
        )
    reach = [translated(one, language) for one in reply.hard_to_reach]
    lines += [say(f"  hard to reach: {one}", f"  届きにくい効果：{one}") for one in reach]
    few = [translated(one, language) for one in reply.too_few]
    lines += [say(f"  too few customers: {one}", f"  人数不足：{one}") for one in few]
    warnings = [translated(one, language) for one in reply.warnings]
    lines += [say(f"  warning: {one}", f"  注意：{one}") for one in warnings]
    return lines


def list_lines(replies: Sequence[CampaignReply], language: str) -> list[str]:
    """The campaigns, a line each."""
    if not replies:
        return [in_language(language, "There are no campaigns yet.", "施策はまだありません。")]
    lines = []
    for one in replies:
        state = in_language(language, *STATES[one.state])
        lines.append(f"{one.campaign}  [{state}]  {_arms(one, language)}  {_dates(one, language)}")
    return lines


def _dates(one: CampaignReply, language: str) -> str:
    if one.started_at:
        until = one.stopped_at or one.hold_until
        return in_language(
            language,
            f"started {one.started_at}, held back until {until}",
            f"開始 {one.started_at}、対照群の保留 {until} まで",
        )
    if one.state == "loaded":
        return in_language(language, f"loaded {one.created_at}", f"読込 {one.created_at}")
    return in_language(language, f"drafted {one.created_at}", f"作成 {one.created_at}")


def _arms(one: CampaignReply, language: str) -> str:
    treatment, control = f"{one.arms['treatment']:,}", f"{one.arms['control']:,}"
    return in_language(
        language,
        f"treatment {treatment}, control group {control}",
        f"施策群 {treatment}名、対照群 {control}名",
    )


def _balance_line(one: CovariateBalance, language: str) -> str:
    name = in_language(language, *COVARIATES[one.covariate])
    if one.treatment is None or one.control is None:
        return f"{name}: " + in_language(language, "not known", "不明")
    difference = "–" if one.standardised_difference is None else f"{one.standardised_difference:+.3f}"
    uneven = in_language(language, *UNEVEN) if one.is_uneven else ""
    return f"{name}: {_figure(one, one.treatment)} / {_figure(one, one.control)}  {difference}{uneven}"


def _figure(one: CovariateBalance, value: float) -> str:
    return f"{value:.1%}" if one.covariate == "risk" else f"{value:,.4g}"


def export_lines(
    file: str | None, exported: int, left_out: Mapping[str, int], contacted_lately: int, language: str
) -> list[str]:
    """What was handed out, as people read it."""
    lines = [
        in_language(
            language,
            f"{exported:,} customers of the treatment arm wait for the webhooks. Run `kizuna notify`.",
            f"施策群の{exported:,}名をWebhookの送信待ちにしました。`kizuna notify` を実行してください。",
        )
        if file is None
        else in_language(
            language,
            f"Wrote {exported:,} customers of the treatment arm to {file}.",
            f"施策群の{exported:,}名を {file} に書き出しました。",
        )
    ]
    for reason, count in left_out.items():
        if count:
            why = in_language(language, *NOT_EXPORTED[reason])
            lines.append(
                in_language(
                    language,
                    f"  left out, but still in the arm: {why} {count:,}",
                    f"  除外（群には残ります）：{why} {count:,}名",
                )
            )
    if contacted_lately:
        lines.append(
            in_language(
                language,
                f"  of these, {contacted_lately:,} were contacted only lately by the plan and have no action "
                "in it: whom you leave a pause stays in the arm and counts all the same",
                f"  うち{contacted_lately:,}名はプランでは直近に接触済みで、アクションがありません。"
                "間隔をあけて連絡しない場合も、群に残り集計されます",
            )
        )
    return lines


def contact_lines(recorded: Mapping[str, int], language: str) -> list[str]:
    """What became of a file of contacts, as people read it."""
    known = recorded["already_there"]
    lines = [
        in_language(
            language,
            f"Read {recorded['read']:,} contacts: {recorded['stored']:,} new"
            + (f", {known:,} known already" if known else "")
            + f". {recorded['treated_reached']:,} customers of the treatment arm were reached.",
            f"連絡{recorded['read']:,}件を読み込みました（新規{recorded['stored']:,}件"
            + (f"、登録済み{known:,}件" if known else "")
            + f"）。施策群で連絡できた顧客は{recorded['treated_reached']:,}名です。",
        )
    ]
    lines += [
        f"  {in_language(language, *words)}: {recorded[name]:,}"
        for name, words in CONTACT_ROWS.items()
        if recorded[name]
    ]
    if recorded["controls_contacted"]:
        count = recorded["controls_contacted"]
        lines.append(
            in_language(
                language,
                f"  contamination: {count:,} customers of the control group were contacted all the same",
                f"  対照群への接触：対照群の{count:,}名にも連絡がありました",
            )
        )
    return lines
