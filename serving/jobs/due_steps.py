"""Which steps of the schedule are due: by cron words, the project's time zone and what was run before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
from cronsim import CronSim

from features.errors import UsageError
from features.timeline import Timeline, from_instant, to_instant
from serving.application.workspace import Workspace
from serving.project.schedule_settings import BY_NAME, STEPS
from serving.project.settings import Project
from serving.state.database import Database
from serving.state.run_index import (
    FAILED,
    RUNNING,
    RunRecord,
    last_scheduled,
    newest_runs,
)
from training.bundle.promotions import PROMOTIONS, promotion_log


@dataclass(frozen=True)
class DueSteps:
    """What a run would do now. Instants in microseconds UTC."""

    resumed: RunRecord | None
    """The run that was broken off, or that has a step to be tried again; it goes on first."""
    scheduled: Mapping[str, int]
    """The steps that are due besides, in their order, each with the instant of its schedule."""
    next: Mapping[str, int]
    """When each step with a schedule is due after now."""


def due_steps(workspace: Workspace, *, most_attempts: int | None = None) -> DueSteps:
    """What is due now; a failed step is tried again on its day, `most_attempts` times in all where given.

    A step is due where its schedule had an instant since the one that it last ran for: of several that were
    missed, once.
    """
    project, database, now = workspace.project, workspace.database, workspace.clock()
    schedule, timeline = project.settings.schedule, project.timeline
    last = last_scheduled(database) | _last_training(project, database)
    due, ahead = {}, {}
    for step in STEPS:
        words = schedule.words(step.name)
        if words is None:
            continue
        newest = instant_before(words, now, timeline)
        if newest is not None and newest > last.get(step.name, -1):
            due[step.name] = newest
        coming = instant_after(words, now, timeline)
        if coming is not None:
            ahead[step.name] = coming
    return DueSteps(_resumed(database, local_day(now, timeline)[0], most_attempts), due, ahead)


def named_steps(names: Sequence[str], now: int) -> dict[str, int]:
    """Steps that somebody names, in the order of the table; raises `UsageError` for one that is not in it."""
    for name in names:
        if name not in BY_NAME:
            raise UsageError(
                f"cannot run the step '{name}': there is none of that name. There are {', '.join(BY_NAME)}.",
                field="step",
            )
    return {step.name: now for step in STEPS if step.name in names}


def instant_before(words: str, now: int, timeline: Timeline) -> int | None:
    """The newest instant of cron words that is not after `now`.

    As in Debian's cron a time that daylight saving leaves out comes when the clock has moved on, and one that
    it repeats comes once.
    """
    later = (from_instant(now) + timedelta(seconds=1)).astimezone(ZoneInfo(timeline.timezone))
    for moment in CronSim(words, later.replace(microsecond=0), reverse=True):
        if to_instant(moment) <= now:
            return to_instant(moment)
    return None


def instant_after(words: str, now: int, timeline: Timeline) -> int | None:
    """The first instant of cron words after `now`."""
    local = from_instant(now).astimezone(ZoneInfo(timeline.timezone))
    for moment in CronSim(words, local.replace(microsecond=0)):
        if to_instant(moment) > now:
            return to_instant(moment)
    return None


def local_day(now: int, timeline: Timeline) -> tuple[str, int]:
    """The local day of an instant, `YYYY-MM-DD`, and the midnight at which it began."""
    place = int(np.searchsorted(timeline.midnights, now, side="right")) - 1
    return timeline.local(now).date().isoformat(), int(timeline.midnights[place])


def goes_on(run: RunRecord, day: str, most_attempts: int | None) -> bool:
    """Whether a run was broken off, or has a failed step that is to be tried again on its day."""
    if run.state == RUNNING:
        return True
    if run.day != day:
        return False
    return any(
        step.state == FAILED and (most_attempts is None or step.attempts < most_attempts)
        for step in run.steps
    )


def _resumed(database: Database, day: str, most_attempts: int | None) -> RunRecord | None:
    newest = next(iter(newest_runs(database, 1)), None)
    return newest if newest is not None and goes_on(newest, day, most_attempts) else None


def _last_training(project: Project, database: Database) -> dict[str, int]:
    """When a model was last trained, also by hand: `retrain` is due again by the calendar from then on."""
    trained = [
        project.timeline.instant(line["decided_at"])
        for line in promotion_log(project.state / PROMOTIONS)
        if line.get("action", "train") == "train"
    ]
    last = last_scheduled(database).get("retrain", -1)
    return {"retrain": max([last, *trained])} if trained else {}
