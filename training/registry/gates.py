"""Promotion gates: whether a trained model may become the champion.

A candidate must beat the trivial baselines and the champion on the same dates, be no worse calibrated
than it, read features that are there, not hang on one feature that is too good to be true, and be
explained exactly. Without a champion the first candidate that beats the base rate and shows no leak takes the
place; what else is wrong goes with it as warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY, Timeline
from training.bundle.list_policy import large_list_warning
from training.bundle.shap_values import TOLERANCE
from training.data.coverage import DataCoverage
from training.data.coverage_findings import coverage_findings
from training.data.dataset import share_of_rows
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import ALL_DATES
from training.evaluation.leaks import TOO_GOOD, strongest_column
from training.registry.baseline_gate import no_better_than_rfm
from training.registry.bilingual_message import BilingualMessage
from training.registry.champion_gate import beats_champion, how_compared, missing_features

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.champion_comparison import ChampionComparison
    from training.evaluation.evaluate import Evaluation

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
TRIVIAL = ("base_rate", "recency", "overdue")
"""The baselines that a model must beat; the others are shown with their intervals."""
_TRIVIAL_JA = {"recency": "最終行動からの日数", "overdue": "普段の間隔に対する経過"}
AHEAD = 0.1
"""The share of a horizon by which the company's own doing may outlast what customers did."""


@dataclass(frozen=True)
class GateDecision:
    """Whether the candidate becomes the champion, and why not; every sentence names its gate."""

    promoted: bool
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    figures: Mapping[str, float]
    """What the gates looked at."""
    japanese: tuple[str, ...] = ()
    """The refusals, then the warnings, in Japanese."""
    accepted_leak: str = ""
    """Why somebody took the model although a leak is suspected."""
    compared: tuple[str, str] = ("", "")
    """How it was compared with the champion, in English and Japanese; empty where there was none."""


def decide_promotion(
    bundle: Bundle,
    evidence: Evaluation,
    champion: ChampionComparison | None,
    *,
    accept_leak: str = "",
) -> GateDecision:
    """Put the candidate through every gate.

    A leak refuses the first candidate too, unless `accept_leak` says why it is none.
    """
    leak, suspect = strongest_column(evidence.rows)
    gap = bundle.explainer.gap(evidence.sample, bundle.contributions(evidence.sample))
    figures = {
        name: evidence.figures[name]
        for name in ("auc", "log_loss", "expected_calibration_error", "base_rate", "drift")
        if name in evidence.figures
    }
    fast = bundle.explainer.fast_gap(evidence.sample)
    figures |= {"strongest_feature_auc": leak, "additivity_gap": gap, "fast_explanation_gap": fast}
    if champion is not None:
        figures |= {f"champion/{name}": value for name, value in champion.figures.items()}
        figures |= {f"champion/candidate/{name}": value for name, value in champion.candidate.items()}

    trivial = list(_beats_base_rate(evidence.figures))
    rest = [
        *_beats_baselines(evidence.figures),
        *_features_present(bundle, evidence.rows, champion),
        *_additive(gap),
        *([] if champion is None else beats_champion(champion)),
    ]
    leaks = [*_no_leak(leak, bundle.catalog.columns[suspect]), *_leaks(evidence)]
    first = champion is None
    refused, accepted = ([], _accepted(leaks, accept_leak)) if accept_leak else (_with_way_out(leaks), [])
    refusals = (*trivial, *refused, *(() if first else rest))
    noted = (*accepted, *(rest if first else ()), *_covered(bundle), *_dated(evidence))
    concerns = (*_concerns(evidence, champion), *no_better_than_rfm(evidence.figures))
    warnings = (*noted, *_slow(fast), *concerns, *_capacity(bundle, evidence))
    return GateDecision(
        not refusals,
        tuple(message.english for message in refusals),
        tuple(message.english for message in warnings),
        figures,
        tuple(message.japanese for message in (*refusals, *warnings)),
        accept_leak if leaks else "",
        ("", "") if champion is None else how_compared(champion),
    )


def _beats_base_rate(figures: Mapping[str, float]) -> Iterator[BilingualMessage]:
    mine, rival = figures["log_loss"], figures["baseline/base_rate/log_loss"]
    if not mine < rival:
        yield BilingualMessage(
            f"base rate: log loss {mine:.4f} against {rival:.4f} of giving everyone the same probability, "
            f"worse by {mine - rival:.4f}",
            f"ベースレート：対数損失{mine:.4f}。全員に同じ確率を与えた場合の{rival:.4f}より"
            f"{mine - rival:.4f}悪い。",
        )


def _beats_baselines(figures: Mapping[str, float]) -> Iterator[BilingualMessage]:
    for name in TRIVIAL[1:]:
        mine, rival = figures["log_loss"], figures.get(f"baseline/{name}/log_loss")
        if rival is not None and not mine < rival:
            yield BilingualMessage(
                f"baseline: log loss {mine:.4f} against {rival:.4f} of {name} alone, "
                f"worse by {mine - rival:.4f}",
                f"単純な基準：対数損失{mine:.4f}。{_TRIVIAL_JA[name]}だけによる予測の{rival:.4f}より"
                f"{mine - rival:.4f}悪い。",
            )


def _no_leak(auc: float, column: str) -> Iterator[BilingualMessage]:
    if auc > TOO_GOOD:
        yield BilingualMessage(
            f"leak: '{column}' alone reaches an AUC of {auc:.3f}, above {TOO_GOOD} by {auc - TOO_GOOD:.3f}; "
            "it seems to know the future. Check when its events are recorded.",
            f"リーク：「{column}」だけでAUCが{auc:.3f}に達し、上限{TOO_GOOD}を{auc - TOO_GOOD:.3f}上回る。"
            "未来の情報を含む疑いがある。イベントがいつ記録されたかを確認してください。",
        )


def _leaks(evidence: Evaluation) -> Iterator[BilingualMessage]:
    yield from (BilingualMessage(leak.english, leak.japanese) for leak in evidence.leaks)


def _with_way_out(leaks: Sequence[BilingualMessage]) -> list[BilingualMessage]:
    """The suspected leaks, the last with how to take the model all the same."""
    if not leaks:
        return []
    *others, (english, japanese) = leaks
    return [
        *others,
        BilingualMessage(
            f"{english} If it was known in time, say why: `kizuna train --accept-leak REASON`.",
            f"{japanese}その時点で分かっていた値なら、理由を付けて `kizuna train --accept-leak 理由` を"
            "実行してください。",
        ),
    ]


def _accepted(leaks: Sequence[BilingualMessage], reason: str) -> list[BilingualMessage]:
    return [
        BilingualMessage(f"{english} Accepted: {reason}", f"{japanese}承認の理由：{reason}")
        for english, japanese in leaks
    ]


def _dated(evidence: Evaluation) -> Iterator[BilingualMessage]:
    """Attributes whose dates cannot be right."""
    for finding in evidence.notes:
        yield BilingualMessage(f"attributes: {finding.english}", f"属性：{finding.japanese}")


def _features_present(
    bundle: Bundle, rows: LabelledRows, champion: ChampionComparison | None
) -> Iterator[BilingualMessage]:
    used = bundle.used
    silent = [
        name for at, name in enumerate(bundle.catalog.columns) if used[at] and np.isnan(rows.column(at)).all()
    ]
    if silent:
        yield BilingualMessage(
            f"features: {len(silent)} of the {int(used.sum())} that the model reads say nothing "
            f"on the test dates, such as '{silent[0]}'",
            f"特徴量：モデルが使う{int(used.sum())}個のうち{len(silent)}個（「{silent[0]}」など）が、"
            "検証日には値を持たない。",
        )
    gone = [] if champion is None else missing_features(bundle, champion)
    if champion is not None and gone:
        yield BilingualMessage(
            f"features: {len(gone)} that version {champion.version} has are missing, such as '{gone[0]}'; "
            "is a source gone?",
            f"特徴量：バージョン{champion.version}にある{len(gone)}個（「{gone[0]}」など）がない。"
            "データソースが失われていないか確認してください。",
        )


def _additive(gap: float) -> Iterator[BilingualMessage]:
    if not gap <= TOLERANCE:
        yield BilingualMessage(
            f"explanation: contributions miss the model's log-odds by {gap:.2g}, above {TOLERANCE:.0e} by "
            f"{gap - TOLERANCE:.2g}",
            f"説明：寄与度の合計とモデルの対数オッズの差が{gap:.2g}あり、許容差{TOLERANCE:.0e}を"
            f"{gap - TOLERANCE:.2g}上回る。",
        )


def _slow(gap: float) -> Iterator[BilingualMessage]:
    if not gap <= TOLERANCE:
        yield BilingualMessage(
            f"explanation: that of large batches misses LightGBM's by {gap:.2g}, above {TOLERANCE:.0e}, so "
            "LightGBM explains them, which takes several times as long",
            f"説明：一括計算の寄与度がLightGBMのものと{gap:.2g}ずれ、許容差{TOLERANCE:.0e}を超える。"
            "LightGBMで説明するため、数倍の時間がかかる。",
        )


def _covered(bundle: Bundle) -> Iterator[BilingualMessage]:
    """What ended before the rest, and whatever else goes on where customers are not heard of."""
    known = bundle.settings.get("coverage")
    if known is not None:
        for finding in coverage_findings(DataCoverage.from_json(known)):
            yield BilingualMessage(f"coverage: {finding.english}", f"データの範囲：{finding.japanese}")
    timeline = Timeline(bundle.timezone)
    acted = timeline.instant(bundle.settings["customers_until"])
    ahead = (bundle.trained_until - acted) / DAY
    if ahead > AHEAD * bundle.churn.horizon.days:
        ends = timeline.local(acted).date(), timeline.local(bundle.trained_until).date()
        yield BilingualMessage(
            f"coverage: the customers' own events end on {ends[0]}, {ahead:.1f} days "
            f"before all others, which end on {ends[1]}, so no date is labelled whose horizon reaches beyond "
            f"{ends[0]}. Ingest what customers did since",
            f"データの範囲：顧客自身の行動は{ends[0]}までで、それ以外の記録（{ends[1]}まで）より{ahead:.1f}日早く"
            f"終わるため、{ends[0]}より先の期間ではラベルを作らない。その後の行動を取り込んでください。",
        )


def _capacity(bundle: Bundle, evidence: Evaluation) -> Iterator[BilingualMessage]:
    """A list that holds a large share of the customers of a test date, where its rows are all of them."""
    contacts, dates = bundle.settings.get("contacts"), len(np.unique(evidence.rows.as_of))
    every = ALL_DATES if evidence.roles is None else len(evidence.roles.splits.every)
    share = share_of_rows(len(bundle.catalog.columns), bundle.settings.get("customers", 0), every)
    sampled = "without_contact" in bundle.settings or share < 1.0
    cohort = len(evidence.rows.as_of) / max(dates, 1)
    found = None if sampled or not contacts else large_list_warning(contacts, cohort)
    if found:
        yield BilingualMessage(f"capacity: {found[0]}", f"リストの人数：{found[1]}")


def _concerns(evidence: Evaluation, champion: ChampionComparison | None) -> Iterator[BilingualMessage]:
    """What people should know but no gate refuses."""
    figures = evidence.figures
    if evidence.level == "low":
        yield BilingualMessage(
            "evidence: low, because there are too few dates, or too few customers who left or stayed, "
            "to test on later dates than those that taught",
            "根拠の強さ：低い。学習より後の日付で検証するには、基準日または離反・継続した顧客が少なすぎる。",
        )
    drift, rate = figures.get("drift", 0.0), figures.get("base_rate", 0.0)
    people = max(figures.get("test_customers", 1.0), 1.0)
    chance = 2.0 * float(np.sqrt(rate * (1.0 - rate) / people))
    if abs(drift) > chance:
        yield BilingualMessage(
            f"drift: {rate + drift:.1%} were expected to leave on the test dates and {rate:.1%} left, "
            f"{abs(drift) * 100:.1f} points {'fewer' if drift > 0 else 'more'}",
            f"ドリフト：検証日の離反率は予測{rate + drift:.1%}に対し実際{rate:.1%}で、"
            f"{abs(drift) * 100:.1f}ポイント{'低い' if drift > 0 else '高い'}。",
        )
    why = None if champion is None else champion.not_comparable
    if champion is not None and why is not None:
        yield BilingualMessage(
            f"champion: version {champion.version} {why.english}, so the two could not be "
            "compared; the newer one is taken if nothing else is wrong",
            f"本番モデル：バージョン{champion.version}とは同じ条件で比較できない（{why.japanese}）。"
            "ほかに問題がなければ新しいモデルを採用する。",
        )
