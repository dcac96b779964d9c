"""What a campaign's report comes to in a sentence, and what its contacts cost."""

from __future__ import annotations

from features.catalog.display_names import in_language
from serving.presentation.campaign_report.words import change_text, interval_text, sureness, translator
from serving.presentation.i18n import money
from serving.schemas.campaign_responses import CampaignGain, CampaignReport, OutcomeEffect, ReviewResult
from serving.schemas.terms import months_words


def verdict(report: CampaignReport, language: str) -> str:
    """Whether the newest review date shows an effect on retention, and if not, how many customers would.

    Empty before the first review date, and where the arms are not those that were drawn: a note says then
    that no figure can be trusted.
    """
    if report.sample_ratio.mismatch:
        return ""
    review = report.reviews[-1] if report.reviews else None
    effect = None if review is None else next((e for e in review.effects if e.outcome == "retained"), None)
    if review is None or effect is None:
        return ""
    write = change_text(effect.unit, report.currency, language)
    interval = interval_text(effect.low, effect.high, write)
    months = months_words(review.months, language)
    when = in_language(language, f"after {months}", f"{months}後")
    size = write(abs(effect.difference)).lstrip("+")
    sure = sureness(effect)
    if sure == "soft":
        shown = in_language(
            language,
            f"No effect on retention can be shown {when}: with 95% confidence it lies within {interval}.",
            f"{when}の継続率への効果は確認できませんでした（95%区間 {interval}）。",
        )
        return shown + _needed(review, effect, language)
    if sure == "good":
        return in_language(
            language,
            f"Contact kept customers: {when} retention is {size} higher than without it "
            f"(95% interval {interval}).",
            f"連絡によって顧客を引き止められました。{when}の継続率は、連絡しない場合より{size}高くなっています"
            f"（95%区間 {interval}）。",
        )
    return in_language(
        language,
        f"Contact drove customers away: {when} retention is {size} lower than without it "
        f"(95% interval {interval}).",
        f"連絡が逆効果になりました。{when}の継続率は、連絡しない場合より{size}低くなっています"
        f"（95%区間 {interval}）。",
    )


def _needed(review: ReviewResult, effect: OutcomeEffect, language: str) -> str:
    """How many customers would show an effect, or that there were enough."""
    needed = review.needed
    if needed is None:
        return ""
    points = f"{needed.rise * 100:.1f}"
    if needed.customers <= effect.customers:
        return in_language(
            language,
            f" These {effect.customers:,} customers were enough to see {points} points most of the time.",
            f"この{effect.customers:,}名は、{points}ポイントの差があればほぼ確認できる人数です。",
        )
    return in_language(
        language,
        f" To see {points} points about {needed.customers:,} customers are needed; there were "
        f"{effect.customers:,}.",
        f"{points}ポイントの差を確認するには約{needed.customers:,}名が必要です（今回は{effect.customers:,}名）。",
    )


def cost_note(gain: CampaignGain, currency: str | None, language: str) -> str:
    """Of how many contacts the cost is, what one costs, and how many have none; empty without contacts."""
    parts = []
    if gain.priced_contacts:
        each = money(gain.cost / gain.priced_contacts, currency, language)
        count = gain.priced_contacts
        parts.append(
            in_language(
                language,
                f"{count:,} {'contact' if count == 1 else 'contacts'}, {each} each on average",
                f"接触{count:,}件、1件あたり平均{each}",
            )
        )
    if gain.unpriced_contacts:
        parts.append(f"{gain.unpriced_contacts:,} {translator(language)('unpriced')}")
    return " · ".join(parts)
