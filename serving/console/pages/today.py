"""Today: how fresh the scores are and what needs attention."""

from __future__ import annotations

from serving.console.visit import Page, Visit


def today(visit: Visit) -> Page:
    """The first page."""
    reader = visit.shared.scores.current()
    return Page("today.html", {"provenance": reader.provenance})
