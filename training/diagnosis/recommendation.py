"""Which meaning of churn to choose, why, in words of both languages, and the `[churn]` block that says it.

A meaning is sound when three roles of as-of dates fit the record, enough customers leave and stay, and not
nearly everyone is called gone. Of the sound ones: contracts before inactivity, then the shortest horizon
after which most of those called gone stay gone; where none is such, the one whose gone come back least.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from features.profiling.checks import indicator_words
from features.profiling.profile import DataProfile
from training.bundle.list_policy import large_list_warning
from training.diagnosis.candidate_measure import ChurnCandidate
from training.diagnosis.candidates import Diagnosis
from training.labels.settings import Churn

ENOUGH = 30
"""Customers who leave, and who stay, on an average as-of date."""
MOST_LEAVING = 0.7
"""A base rate above this calls nearly everyone gone."""
MOST_BACK = 0.5
USUAL_ACTIVE_DAYS = 90


@dataclass(frozen=True)
class ChurnRecommendation:
    """What to write in `[churn]`, and why; nothing where the record allows none."""

    candidate: ChurnCandidate | None
    block: str | None
    """TOML, ready to be pasted."""
    english: tuple[str, ...]
    japanese: tuple[str, ...]


def recommend(
    diagnosis: Diagnosis, inventory: DataProfile, contacts: int | None = None
) -> ChurnRecommendation:
    """Choose among the candidates; say where a list of `contacts` customers is too large for the cohort."""
    chosen = choose(diagnosis.candidates)
    if chosen is None:
        return _impossible(diagnosis, inventory)
    english, japanese = [_meaning(chosen)], [_meaning_ja(chosen)]
    for pair in (
        _came_back(chosen),
        _foresight(chosen),
        _evidence(chosen),
        _shorter(chosen, diagnosis.candidates),
        _present(chosen, diagnosis),
        _capacity(chosen, contacts),
    ):
        if pair is not None:
            english.append(pair[0])
            japanese.append(pair[1])
    return ChurnRecommendation(chosen, block(chosen.churn), tuple(english), tuple(japanese))


def choose(candidates: Sequence[ChurnCandidate]) -> ChurnCandidate | None:
    """The candidate to recommend; a sound one if there is any."""
    for kind in ("contract", "inactivity"):
        mine = [one for one in candidates if one.churn.type == kind]
        sound = [one for one in mine if is_sound(one)]
        lasting = [one for one in sound if one.came_back is not None and one.came_back <= MOST_BACK]
        if lasting:
            return min(lasting, key=lambda one: (one.days, not one.configured))
        if sound:
            return min(sound, key=_loss)
    possible = [one for one in candidates if one.churned >= 1]
    return min(possible, key=lambda one: (-min(one.churned, ENOUGH), _loss(one)), default=None)


def _capacity(chosen: ChurnCandidate, contacts: int | None) -> tuple[str, str] | None:
    found = None if contacts is None else large_list_warning(contacts, chosen.cohort)
    return found and (f"{found[0][0].upper()}{found[0][1:]}.", found[1])


def is_sound(one: ChurnCandidate) -> bool:
    """Whether a model of it can be fitted, calibrated and tested on different days."""
    return (
        not one.calendar.cross_fitted
        and one.churned >= ENOUGH
        and one.cohort - one.churned >= ENOUGH
        and one.base_rate <= MOST_LEAVING
    )


def _loss(one: ChurnCandidate) -> tuple[float, int]:
    return (1.0 if one.came_back is None else one.came_back, one.days)


def block(churn: Churn) -> str:
    """The `[churn]` part of `kizuna.toml` that means this."""
    lines = ["[churn]", f'type = "{churn.type}"']
    names = ("started_by", "ended_by", "completed_by") if churn.type == "contract" else ("indicators",)
    lines += [f"{name} = {json.dumps(list(getattr(churn, name)), ensure_ascii=False)}" for name in names]
    if churn.type == "inactivity" or churn.active_days != USUAL_ACTIVE_DAYS:
        lines.append(f"active_days = {churn.active_days}")
    lines.append(f"horizon_days = {churn.horizon.days}")
    if churn.horizon.lead_days:
        lines.append(f"lead_days = {churn.horizon.lead_days}")
    return "\n".join(lines) + "\n"


def _doing(churn: Churn) -> tuple[str, str]:
    words = [indicator_words(name) for name in churn.indicators]
    return " or ".join(word for word, _ in words), "・".join(word for _, word in words)


def _meaning(one: ChurnCandidate) -> str:
    churn, many = one.churn, _doing(one.churn)[0]
    figures = f"of {one.cohort:,.0f} such customers {one.churned:,.0f} ({one.base_rate:.1%}) leave"
    lead = f", from {churn.horizon.lead_days} days on" if churn.horizon.lead_days else ""
    if churn.type == "contract":
        ends = " or ".join(churn.ended_by)
        return (
            f"Ask who ends a running contract ({ends}) within {one.days} days{lead}: "
            f"on an average day {figures}."
        )
    return (
        f"Call a customer gone after {one.days} days without {many}{lead}, among those with some in the "
        f"{churn.active_days} days before: on an average day {figures}."
    )


def _meaning_ja(one: ChurnCandidate) -> str:
    churn, many = one.churn, _doing(one.churn)[1]
    figures = (
        f"平均的な基準日では対象{one.cohort:,.0f}名のうち{one.churned:,.0f}名"
        f"（{one.base_rate:.1%}）が離反します。"
    )
    lead = f"{churn.horizon.lead_days}日後からの" if churn.horizon.lead_days else ""
    if churn.type == "contract":
        ends = "・".join(churn.ended_by)
        return (
            f"契約中の顧客が{lead}{one.days}日以内に契約を終える（{ends}）ことを"
            f"離反とみなすのがよいでしょう。{figures}"
        )
    return (
        f"直近{churn.active_days}日に{many}があった顧客について、{lead}{one.days}日間{many}がなければ"
        f"離反とみなすのがよいでしょう。{figures}"
    )


def _came_back(one: ChurnCandidate) -> tuple[str, str] | None:
    if one.came_back is None:
        return (
            "Whether they come back cannot be said: too little of the record follows.",
            "離反後に戻ってくるかどうかは、後続の期間が足りず分かりません。",
        )
    share, days = f"{one.came_back:.0%}", one.watched_days
    if one.came_back <= MOST_BACK:
        return (
            f"Of those called gone, {share} came back within the next {days} days: most stay gone.",
            f"離反とみなした顧客のうち、その後{days}日以内に戻ったのは{share}で、多くは戻りません。",
        )
    return (
        f"But {share} of those called gone came back within the next {days} days: it is more of a pause than "
        "a loss, and the list says who pauses.",
        f"ただし離反とみなした顧客の{share}がその後{days}日以内に戻っています。離脱というより休止に近く、"
        "リストは休止しそうな顧客を示すことになります。",
    )


def _foresight(one: ChurnCandidate) -> tuple[str, str] | None:
    if not one.foresight:
        if one.churn.type == "contract":
            return (
                "There are only contract events, so little can warn of an end: add what customers do.",
                "契約イベントしかないため、解約の予兆をつかみにくい状態です。顧客の行動データを加えてください。",
            )
        return None
    first, *later = one.foresight
    english = f"The time since they were last heard of ranks them with an AUC of {first.auc:.2f}"
    japanese = f"最後の行動からの日数だけによるAUCは{first.auc:.2f}"
    if later:
        english += ", " + " and ".join(f"{f.auc:.2f} when asked {f.lead_days} days earlier" for f in later)
        japanese += "、" + "、".join(f"{f.lead_days}日前の時点では{f.auc:.2f}" for f in later)
    if first.auc < 0.55:
        return english + ": silence alone tells little.", japanese + "で、日数だけではほとんど分かりません。"
    return english + "; a model has to beat that.", japanese + "です。モデルはこれを上回る必要があります。"


def _evidence(one: ChurnCandidate) -> tuple[str, str]:
    dates = one.calendar
    if dates.cross_fitted:
        return (
            f"The evidence will be low: only {len(dates.labelled)} dates have a label, too few to fit, "
            "calibrate and test on different days. More history would help.",
            f"ラベルを付けられる基準日が{len(dates.labelled)}日しかなく、学習・較正・検証を"
            "別の日に分けられないため、根拠は限定的です。履歴を増やすと改善します。",
        )
    roles = (len(dates.fit), len(dates.calibrate), len(dates.test))
    return (
        "{} as-of dates would fit, {} calibrate and {} test.".format(*roles),
        "学習に{}、較正に{}、検証に{}の基準日を使えます。".format(*roles),
    )


def _shorter(one: ChurnCandidate, candidates: Sequence[ChurnCandidate]) -> tuple[str, str] | None:
    """Why not sooner: the next shorter horizon and what is wrong with it."""
    shorter = [c for c in candidates if c.churn.type == one.churn.type and c.days < one.days]
    if not shorter or one.came_back is None:
        return None
    near = max(shorter, key=lambda c: c.days)
    if near.came_back is None or near.came_back <= one.came_back:
        return None
    return (
        f"After {near.days} days, {near.came_back:.0%} of those called gone still came back.",
        f"{near.days}日では、離反とみなした顧客の{near.came_back:.0%}が戻っています。",
    )


def _present(one: ChurnCandidate, diagnosis: Diagnosis) -> tuple[str, str] | None:
    """What `[churn]` says now, where that is something else."""
    if one.configured:
        return ("That is what [churn] says already.", "現在の [churn] の設定どおりです。")
    if any(unfit.configured for unfit in diagnosis.unfit):
        return (
            "What [churn] says now needs more history than there is.",
            "現在の [churn] の設定には履歴が足りません。",
        )
    now = next((c for c in diagnosis.candidates if c.configured), None)
    if now is None:
        return (
            "What [churn] says now cannot be decided by the events there are.",
            "現在の [churn] の設定は、いまあるイベントでは判定できません。",
        )
    back, back_ja = "", ""
    if now.came_back is not None and now.churn.type == one.churn.type:
        back, back_ja = f", of whom {now.came_back:.0%} came back", f"、うち{now.came_back:.0%}が復帰"
    what, what_ja = (
        ("contracts ending", "契約終了") if now.churn.type == "contract" else ("inactivity", "不活動")
    )
    english = f"[churn] says {what} within {now.days} days now ({now.base_rate:.1%} leave{back})"
    japanese = f"現在の [churn] は{now.days}日間の{what_ja}です（離反率{now.base_rate:.1%}{back_ja}）。"
    if now.churn.type == one.churn.type and is_sound(now) and now.days < one.days:
        english += "; that works too if you must act sooner"
        japanese += "早めに動く必要があるなら、そのままでも使えます。"
    return english + ".", japanese


def _impossible(diagnosis: Diagnosis, inventory: DataProfile) -> ChurnRecommendation:
    needed = min((unfit.needed_days for unfit in diagnosis.unfit), default=None)
    have = int(inventory.span)
    if diagnosis.candidates:
        english = "Nobody left in any horizon tried: there is nothing to learn from yet."
        japanese = "どの期間で見ても離反した顧客がおらず、まだ学習できません。"
    elif needed is None:
        english = (
            "There is nothing by which a customer could be called active: no events of the customers' own "
            "doing, and no contracts that start and end. Ingest some, or name their kinds in "
            "[indicators.NAME]."
        )
        japanese = (
            "顧客自身の行動や契約の開始・終了を示すイベントがないため、離反を判定できません。取り込むか、"
            "`[indicators.NAME]` で種別を指定してください。"
        )
    else:
        english = (
            f"There is not enough history yet: the shortest horizon needs {needed} days of events, and there "
            f"are {have}."
        )
        japanese = (
            f"履歴が足りません。最短の期間でも{needed}日分のイベントが必要ですが、{have}日分しかありません。"
        )
    return ChurnRecommendation(None, None, (english,), (japanese,))
