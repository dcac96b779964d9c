"""Models: the champion's card and curves, every decision, promoting another version and going back."""

from __future__ import annotations

from dataclasses import dataclass

from features.catalog.display_names import in_language, is_japanese
from serving.application.models.history import ModelDecision, model_history
from serving.console.charts import svg
from serving.console.visit import Page, Visit
from serving.jobs.runner import jobs
from serving.presentation.charts.model_charts import gains_chart, reliability_chart

FIGURES = ("auc", "log_loss", "expected_calibration_error")


@dataclass(frozen=True)
class DecisionLine:
    """A decision with its reasons in the visitor's language."""

    decision: ModelDecision
    reasons: tuple[str, ...]


def models(visit: Visit) -> Page:
    """The models, with the card of one of them."""
    found = model_history(visit.shared, visit.actor, visit.query.get("version"))
    card, language = found.card, visit.language
    running = [
        one
        for kind in ("promote", "roll_back", "score")
        for one in jobs(visit.shared, visit.actor, kind=kind, limit=1)
        if not one.is_finished
    ]
    return Page(
        "models.html",
        {
            "found": found,
            "card": card,
            "sections": () if card is None else card.sections[in_language(language, "en", "ja")],
            "reliability": None
            if card is None or not card.reliability
            else svg(reliability_chart(card.reliability, language)),
            "gains": None if card is None or not card.gains else svg(gains_chart(card, language)),
            "decisions": [DecisionLine(one, _reasons(one, language)) for one in found.decisions],
            "figures": FIGURES,
            "running": running[0] if running else None,
        },
    )


def confirm_model(visit: Visit) -> Page:
    """Asks before another version is put in the champion's place."""
    found = model_history(visit.shared, visit.actor)
    version = visit.query.get("version", "")
    return Page("model_confirm.html", {"found": found, "version": version, "is_back": not version})


def _reasons(decision: ModelDecision, language: str) -> tuple[str, ...]:
    english = (*decision.refusals, *decision.warnings)
    return decision.japanese if is_japanese(language) and decision.japanese else english
