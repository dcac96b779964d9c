"""Runs of the schedule: what `kizuna run` did each night, and what became of each step."""

from __future__ import annotations

from dataclasses import dataclass

from features.catalog.display_names import in_language
from serving.console.visit import Page, Visit
from serving.jobs.run_list import one_run, recent_runs
from serving.presentation.messages.catalog import translated
from serving.project.schedule_settings import BY_NAME
from serving.state.run_index import StepRecord

PATH = "/runs"


@dataclass(frozen=True)
class ShownStep:
    """A step of a run in words."""

    words: str
    record: StepRecord
    error: str
    warnings: tuple[str, ...]


def show_runs(visit: Visit) -> Page:
    """One run, or the newest ones."""
    number = visit.query.get("id")
    if number is None:
        return Page("runs.html", {"runs": recent_runs(visit.shared, visit.actor)})
    run = one_run(visit.shared, visit.actor, int(number) if number.isdecimal() and len(number) < 9 else 0)
    return Page("run.html", {"run": run, "steps": [_shown(visit, step) for step in run.steps]})


def _shown(visit: Visit, step: StepRecord) -> ShownStep:
    words = BY_NAME[step.step].words if step.step in BY_NAME else (step.step, step.step)
    language = visit.language
    return ShownStep(
        in_language(language, *words),
        step,
        translated(step.error, language),
        tuple(translated(one, language) for one in step.warnings),
    )
