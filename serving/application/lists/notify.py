"""Telling the webhooks of kizuna.toml what changed between the last two scorings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from features.errors import DataError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.integrations.webhooks import RunReport, ScoringPair, enlist, enlist_run, send_due
from serving.project.integration_settings import Webhook
from serving.scoring.coverage import scored_beyond_data
from serving.scoring.score_changes import changes
from serving.state.active_model import load as load_model
from serving.state.outbox import Delivery, Outbox
from serving.state.scores.score_file import Scores, load
from serving.state.scores.score_index import ScoreFile, current_scores, scores_before

PAUSE = 0.2
"""Seconds between two looks at what is due."""


@dataclass(frozen=True)
class NotificationResult:
    """What became of the deliveries, those of earlier runs that still waited included."""

    changes: int
    """Changes that were enlisted now."""
    sent: int
    died: int
    """Deliveries that were given up now."""
    waiting: tuple[Delivery, ...]
    dead: tuple[Delivery, ...]


@use_case("contact")
def notify(
    workspace: Workspace, actor: Actor, *, wait: float = 0.0, revive_dead: bool = False
) -> NotificationResult:
    """Enlist the changes between the last two scorings, once, and send what is due.

    For `wait` seconds what was not taken is tried again. Raises `ConfigurationError` where a webhook names a
    variable that the environment does not have, `DataError` where the scores reach far beyond the data.
    """
    webhooks = {webhook.name: webhook for webhook in workspace.project.webhooks()}
    outbox = Outbox(workspace.database)
    enlisted = _enlist_changes(workspace, outbox, list(webhooks.values()))
    if revive_dead:
        outbox.revive(workspace.clock())
    return _send(workspace, outbox, webhooks, enlisted, wait)


@use_case("contact")
def report_run(
    workspace: Workspace, actor: Actor, report: RunReport, *, wait: float = 0.0
) -> NotificationResult:
    """Tell the webhooks that ask for it how a run of the schedule ended, and send what else is due.

    Each end of a run is told once. Raises `ConfigurationError` as `notify`.
    """
    webhooks = {webhook.name: webhook for webhook in workspace.project.webhooks()}
    wanting = [
        webhook
        for webhook in webhooks.values()
        if webhook.runs == "always" or (webhook.runs == "unwell" and report.run_state != "done")
    ]
    outbox, now = Outbox(workspace.database), workspace.clock()
    enlisted = sum(enlist_run(outbox, webhook, report, now) for webhook in wanting)
    if not enlisted:
        return NotificationResult(0, 0, 0, tuple(outbox.all("waiting")), tuple(outbox.all("dead")))
    return _send(workspace, outbox, webhooks, enlisted, wait)


def _send(
    workspace: Workspace, outbox: Outbox, webhooks: dict[str, Webhook], enlisted: int, wait: float
) -> NotificationResult:
    """Send what is due, and for `wait` seconds again what was not taken."""
    current, language = current_scores(workspace.database), workspace.language(None)
    outcomes = None if current is None else partial(workspace.scores.current().outcomes, language=language)
    sent, died, end = 0, 0, time.monotonic() + wait
    while True:
        counts = send_due(outbox, webhooks, workspace.store, workspace.clock, outcomes)
        sent, died = sent + counts.sent, died + counts.dead
        waiting = outbox.all("waiting")
        if not waiting or time.monotonic() >= end:
            break
        time.sleep(PAUSE)
    return NotificationResult(enlisted, sent, died, tuple(waiting), tuple(outbox.all("dead")))


def _enlist_changes(workspace: Workspace, outbox: Outbox, webhooks: list[Webhook]) -> int:
    """Put the changes since the scores of the as-of date before into the outbox; says how many are new."""
    project, now, enlisted = workspace.project, workspace.clock(), 0
    current = current_scores(workspace.database)
    if current is None:
        return 0
    after = load(project.scores / current.file)
    model = load_model(project.state, after.facts.model_version, after.facts.fingerprint)
    beyond = scored_beyond_data(after.facts, model.bundle.churn)
    if beyond is not None:
        raise DataError(
            f"cannot notify: {beyond.sentence(project.timeline)}, so customers look silent who may not be. "
            "Ingest newer events with `kizuna ingest` and run `kizuna score` again."
        )
    earlier = _comparable_before(workspace, current)
    if earlier is None:
        return 0
    before_file, before = earlier
    scorings = ScoringPair(
        as_of=project.timeline.name(current.as_of),
        since=project.timeline.name(before_file.as_of),
        model_version=current.model_version,
    )
    for webhook in webhooks:
        changed = list(changes(before, after, tier_falls=webhook.tier_falls, limit=webhook.probability))
        enlisted += enlist(outbox, webhook, changed, scorings, f"{before_file.file}\n{current.file}", now)
    return enlisted


def _comparable_before(workspace: Workspace, current: ScoreFile) -> tuple[ScoreFile, Scores] | None:
    """The newest scores of an earlier as-of date that do not themselves reach far beyond the data."""
    project, as_of = workspace.project, current.as_of
    while (earlier := scores_before(workspace.database, as_of)) is not None:
        scores = load(project.scores / earlier.file)
        model = load_model(project.state, scores.facts.model_version, scores.facts.fingerprint)
        if scored_beyond_data(scores.facts, model.bundle.churn) is None:
            return earlier, scores
        as_of = earlier.as_of
    return None
