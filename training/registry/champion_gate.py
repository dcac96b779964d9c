"""The gate against the champion: what a candidate is held to, and what it lacks that the champion has."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from training.registry.bilingual_message import BilingualMessage

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.champion_comparison import ChampionComparison


def beats_champion(champion: ChampionComparison) -> Iterator[BilingualMessage]:
    """What the candidate is worse at than the champion's settings."""
    if champion.not_comparable is not None:
        return
    ours, theirs = champion.candidate, champion.figures
    worse = ours["log_loss"] - theirs["log_loss"]
    if worse > 0:
        low, high = (ours.get(f"log_loss_difference_{end}") for end in ("low", "high"))
        there = low is not None and high is not None
        interval = f" (95% interval {low:+.4f} to {high:+.4f})" if there else ""
        ja = f"（95%信頼区間{low:+.4f}〜{high:+.4f}）" if there else ""
        yield BilingualMessage(
            f"champion: log loss {ours['log_loss']:.4f} against {theirs['log_loss']:.4f} of version "
            f"{champion.version} on the same {ours['rows']:,.0f} rows, worse by {worse:.4f}{interval}",
            f"本番モデル：同じ{ours['rows']:,.0f}行での対数損失{ours['log_loss']:.4f}。"
            f"バージョン{champion.version}の{theirs['log_loss']:.4f}より{worse:.4f}悪い{ja}。",
        )
    error, noise = ours["expected_calibration_error"], ours["expected_calibration_error_noise"]
    rival = theirs["expected_calibration_error"]
    if error > max(rival, noise):
        yield BilingualMessage(
            f"calibration: error {error:.4f} against {rival:.4f} of version {champion.version} "
            f"on the same rows, worse by {error - rival:.4f}, and chance explains {noise:.4f}",
            f"確率の正しさ：同じ行でのキャリブレーション誤差{error:.4f}。バージョン{champion.version}の"
            f"{rival:.4f}より{error - rival:.4f}悪く、偶然で説明できるのは{noise:.4f}まで。",
        )


def how_compared(champion: ChampionComparison) -> BilingualMessage:
    """What the comparison with the champion is made of."""
    number, why = champion.version, champion.not_comparable
    if why is not None:
        return BilingualMessage(
            f"Not compared with version {number}, which {why.english}.",
            f"バージョン{number}とは同じ条件で比較できない（{why.japanese}）。",
        )
    if champion.basis == "same_settings":
        return BilingualMessage(
            f"The settings are those of version {number}: only what was learned from is newer.",
            f"設定はバージョン{number}と同じで、学習データだけが新しい。",
        )
    if champion.basis == "as_tested":
        return BilingualMessage(
            f"Compared with version {number} as both were tested: fitted on the same dates, and judged on "
            "the same later ones.",
            f"バージョン{number}と、それぞれの検証結果で比較した（学習と検証の日付は同じ）。",
        )
    return BilingualMessage(
        f"Compared with the settings of version {number}, refitted on the dates that this model's test was "
        f"fitted on and judged on the same later ones ({_loss_difference(champion, 'en')}).",
        f"バージョン{number}の設定を同じ日付で学習し直し、同じ検証日で比較した"
        f"（{_loss_difference(champion, 'ja')}）。",
    )


def _loss_difference(champion: ChampionComparison, language: Literal["en", "ja"]) -> str:
    """The difference in log loss (candidate − champion) with its interval."""
    ours = champion.candidate
    difference = ours["log_loss"] - champion.figures["log_loss"]
    low, high = ours["log_loss_difference_low"], ours["log_loss_difference_high"]
    english, japanese = (
        f"log loss {difference:+.4f}, 95% interval {low:+.4f} to {high:+.4f}",
        f"対数損失の差{difference:+.4f}、95%信頼区間{low:+.4f}〜{high:+.4f}",
    )
    return {"en": english, "ja": japanese}[language]


def missing_features(bundle: Bundle, champion: ChampionComparison) -> list[str]:
    """The champion's features that the candidate lacks, but for those that its settings leave out.

    A changed `[features]` drops what it names, and other windows or additions change the features of
    indicators that are still there; an indicator without any feature is a source that is gone.
    """
    settings = bundle.settings.get("features", {})
    dropped = tuple(settings.get("drop", ()))
    lost = [
        name
        for name in champion.columns
        if name not in bundle.catalog.columns and not any(fnmatchcase(name, one) for one in dropped)
    ]
    if not champion.features or champion.features == settings:
        return lost
    added, kept = (
        {entry["name"] for entry in given.get("add", ())} for given in (champion.features, settings)
    )
    lost = [name for name in lost if name not in added - kept]
    there = {bundle.catalog.indicator_of(column) for column in bundle.catalog.columns}
    return [name for name in lost if _indicator(name, there) is None]


def _indicator(column: str, indicators: Collection[str]) -> str | None:
    """The indicator whose name a column begins with."""
    return next((one for one in indicators if one and column.startswith(f"{one}_")), None)
