"""Data: sources with their last ingest, quarantine with masked samples, what the doctor found and advises."""

from __future__ import annotations

from serving.application.data.data_overview import data_overview
from serving.console.visit import Page, Visit
from serving.presentation.messages.catalog import translated


def data(visit: Visit) -> Page:
    """The state of the data as it was stored."""
    found = data_overview(visit.workspace, visit.actor)
    examination = found.examination
    return Page(
        "data.html",
        {
            "data": found,
            "last": found.ingests[0] if found.ingests else None,
            "examined": examination,
            "doctor": None if examination is None else examination.texts[visit.language],
            "is_newer": examination is not None and examination.data_version != found.data_version,
            "attribute": lambda name: visit.shared.project.words.attribute(name, visit.language),
            "said": lambda message: translated(message, visit.language),
        },
    )
