"""Runs of the schedule as rows of the database: for which day, and what became of each step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import RowMapping, func, insert, select, update

from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import RUN_STEPS, RUNS

WAITING, RUNNING, DONE, FAILED, BLOCKED, HELD = "waiting", "running", "done", "failed", "blocked", "held"
"""States of a step. `blocked`: a step that it needs is not done; `held`: it refused to work on such data."""
UNFINISHED = (WAITING, RUNNING)
LONGEST_ERROR = 2_000
StepResult = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True)
class StepRecord:
    """One step of a run."""

    step: str
    scheduled: int
    """The instant of the schedule for which it was due, or the one at which it was named by hand."""
    state: str = WAITING
    attempts: int = 0
    job: str = ""
    """Its last job."""
    seconds: float = 0.0
    """How long that took, by this machine's clock."""
    result: str = ""
    """What came of it, as JSON; empty until it is done."""
    error: str = ""
    """Why it failed, was blocked or held back."""

    @property
    def outcome(self) -> StepResult:
        """What came of it; empty until it is done."""
        found: StepResult = json.loads(self.result) if self.result else {}
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody should look at although it is done."""
        return tuple(line for line in str(self.outcome.get("warnings") or "").split("\n") if line)


@dataclass(frozen=True)
class RunRecord:
    """One run with its steps in their order. Instants in microseconds UTC, by the project's clock."""

    id: int
    day: str
    """The local day that it is for, `YYYY-MM-DD`."""
    as_of: int
    """The midnight at which that day began: nothing later than it is answered for."""
    began_at: int
    finished_at: int | None
    state: str
    """`running`, then `done`, `held` or `failed` by the worst of its steps."""
    who: str
    steps: tuple[StepRecord, ...]

    def step(self, name: str) -> StepRecord | None:
        """The step of this name, if the run has it."""
        return next((one for one in self.steps if one.step == name), None)


def begin_run(
    database: Database, day: str, as_of: int, now: int, who: str, scheduled: Mapping[str, int]
) -> RunRecord:
    """Write down a new run with its steps, in the order of `scheduled`, before anything is done."""
    with database.writing() as connection:
        values = {"day": day, "as_of": as_of, "began_at": now, "state": RUNNING, "who": who}
        number = int(connection.execute(insert(RUNS).values(values).returning(RUNS.c.id)).scalar_one())
        for step, instant in scheduled.items():
            row = {"run": number, "step": step, "scheduled": instant, "state": WAITING, "attempts": 0}
            connection.execute(insert(RUN_STEPS).values(row))
        record_action(connection, who, "run", now, details=f"run {number}: {', '.join(scheduled)}")
    steps = tuple(StepRecord(step, instant) for step, instant in scheduled.items())
    return RunRecord(number, day, as_of, now, None, RUNNING, who, steps)


def newest_runs(database: Database, limit: int) -> list[RunRecord]:
    """The newest runs, newest first."""
    with database.reading() as connection:
        newest = select(RUNS).order_by(RUNS.c.id.desc()).limit(limit)
        runs = list(connection.execute(newest).mappings())
        chosen = select(RUN_STEPS).where(RUN_STEPS.c.run.in_([run["id"] for run in runs]))
        steps = list(connection.execute(chosen.order_by(RUN_STEPS.c.id)).mappings())
    return [_run(run, [step for step in steps if step["run"] == run["id"]]) for run in runs]


def find_run(database: Database, number: int) -> RunRecord | None:
    """The run of this number, if there is one."""
    run = database.first(select(RUNS).where(RUNS.c.id == number))
    if run is None:
        return None
    chosen = select(RUN_STEPS).where(RUN_STEPS.c.run == number).order_by(RUN_STEPS.c.id)
    with database.reading() as connection:
        return _run(run, list(connection.execute(chosen).mappings()))


def last_scheduled(database: Database) -> dict[str, int]:
    """Of each step that was ever part of a run, the newest instant of the schedule that it was for."""
    newest = select(RUN_STEPS.c.step, func.max(RUN_STEPS.c.scheduled)).group_by(RUN_STEPS.c.step)
    with database.reading() as connection:
        return {step: int(instant) for step, instant in connection.execute(newest)}


def change_step(database: Database, number: int, step: str, **changes: str | int | float) -> None:
    """Write down what became of a step; an error is cut to `LONGEST_ERROR` characters."""
    if "error" in changes:
        changes["error"] = str(changes["error"])[:LONGEST_ERROR]
    this = (RUN_STEPS.c.run == number) & (RUN_STEPS.c.step == step)
    with database.writing() as connection:
        connection.execute(update(RUN_STEPS).where(this).values(**changes))


def change_run(database: Database, number: int, state: str, finished_at: int | None) -> None:
    """Write down that a run has ended, or that it goes on."""
    with database.writing() as connection:
        changes = update(RUNS).where(RUNS.c.id == number).values(state=state, finished_at=finished_at)
        connection.execute(changes)


def _run(run: RowMapping, steps: list[RowMapping]) -> RunRecord:
    columns = StepRecord.__dataclass_fields__
    records = tuple(StepRecord(**{name: step[name] for name in columns}) for step in steps)
    return RunRecord(
        **{name: run[name] for name in RunRecord.__dataclass_fields__ if name != "steps"}, steps=records
    )
