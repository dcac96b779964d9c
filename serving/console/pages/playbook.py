"""The playbook: its rules with their customers, the editor with check and preview, and the versions."""

from __future__ import annotations

import json

from features.errors import ChangedMeanwhile, KizunaError, UsageError
from serving.application.playbook.check import check_playbook
from serving.application.playbook.preview import PREVIEWS, PlaybookPreview, preview_is_quick, preview_playbook
from serving.application.playbook.save import (
    SavedPlaybook,
    playbook_conflict,
    restore_version,
    save_playbook,
    text_difference,
)
from serving.application.playbook.show import show_playbook
from serving.application.playbook.versions import playbook_version, playbook_versions
from serving.console.pages.jobs import job_address
from serving.console.visit import Page, Redirect, Visit
from serving.jobs.kinds import PlaybookPreviewArguments
from serving.jobs.runner import job, start
from serving.presentation.messages.catalog import translated

PLAYBOOK, EDITOR = "/playbook", "/playbook/edit"
NEWEST = 5
"""Versions shown before all are asked for."""


def playbook(visit: Visit) -> Page:
    """The rules in words, capacity, versions and the text."""
    shown = show_playbook(visit.shared, visit.actor, visit.language)
    limit = None if visit.query.get("versions") == "all" else NEWEST + 1
    history = playbook_versions(visit.shared, visit.actor, limit)
    versions = history.versions if limit is None else history.versions[:NEWEST]
    return Page(
        "playbook.html",
        {
            "playbook": shown,
            "versions": versions,
            "has_more": len(history.versions) > len(versions),
            "in_force": history.in_force,
        },
    )


def editor(visit: Visit) -> Page:
    """The text to be edited: of the file, of an earlier version, or the default."""
    shown = show_playbook(visit.shared, visit.actor, visit.language)
    number = visit.query.get("version")
    if number is None:
        return _editor(shown.text, shown.fingerprint)
    version = playbook_version(visit.shared, visit.actor, _number(number))
    return _editor(version.text, version.in_force)


def check(visit: Visit) -> Page:
    """The edited text with its problems, or what it would change; back to the editor where that was asked."""
    text, opened = _text(visit), visit.form.get("opened", "")
    if visit.form.get("step") == "edit":
        return _editor(text, opened, note=visit.form.get("note", ""))
    found = check_playbook(visit.workspace, visit.actor, text, visit.language)
    if found.problems:
        return _editor(text, opened, problems=found.problems, note=visit.form.get("note", ""))
    is_quick = preview_is_quick(visit.shared, visit.actor, text)
    preview = preview_playbook(visit.workspace, visit.actor, text, visit.language) if is_quick else None
    return _preview(
        visit,
        text,
        opened,
        preview,
        note=visit.form.get("note", ""),
        is_complete=found.is_complete,
        is_slow=not is_quick,
    )


def start_preview(visit: Visit) -> Page | Redirect:
    """A preview for which the events have to be read, as a job; the editor for a text that cannot be used."""
    text, opened, note = _text(visit), visit.form.get("opened", ""), visit.form.get("note", "")
    found = check_playbook(visit.workspace, visit.actor, text, visit.language)
    if found.problems:
        return _editor(text, opened, problems=found.problems, note=note)
    asked = {"text": text, "opened": opened, "note": note}
    return Redirect(job_address(start(visit.shared, visit.actor, "playbook_preview", asked)))


def computed_preview(visit: Visit) -> Page | Redirect:
    """What a job found that an edited text would change; the editor where no job is named."""
    job_id = visit.query.get("job")
    if job_id is None:
        return Redirect(EDITOR)
    found = job(visit.shared, visit.actor, job_id)
    if found.kind != "playbook_preview":
        return Redirect(EDITOR)
    asked = PlaybookPreviewArguments.model_validate_json(found.arguments)
    if not found.result:
        return _editor(asked.text, asked.opened, note=asked.note)
    previews = PREVIEWS.validate_json(json.loads(found.result)["preview"])
    preview = None if previews is None else previews[visit.language]
    return _preview(visit, asked.text, asked.opened, preview, note=asked.note)


def save(visit: Visit) -> Page | Redirect:
    """The text saved; the editor again, with what was typed, where it could not be."""
    text, note = _text(visit), visit.form.get("note", "")
    try:
        saved = save_playbook(visit.workspace, visit.actor, text, visit.form.get("opened", ""), note)
    except ChangedMeanwhile as error:
        values = {"conflict": playbook_conflict(visit.shared, visit.actor, text), "text": text, "note": note}
        return Page("playbook_conflict.html", values, error.status)
    except KizunaError as error:
        found = check_playbook(visit.workspace, visit.actor, text, visit.language)
        message = translated(error.message, visit.language)
        return _editor(
            text, visit.form.get("opened", ""), problems=found.problems, note=note, failure=message
        )
    return _saved(saved)


def version(visit: Visit) -> Page:
    """One version with its difference to now."""
    number = _number(visit.query.get("number", ""))
    return Page("playbook_version.html", {"shown": playbook_version(visit.shared, visit.actor, number)})


def restore(visit: Visit) -> Page | Redirect:
    """An earlier version put in force again; shown anew where the playbook was changed meanwhile."""
    number = _number(visit.form.get("number", ""))
    try:
        saved = restore_version(visit.workspace, visit.actor, number, visit.form.get("opened", ""))
    except KizunaError as error:
        shown = playbook_version(visit.shared, visit.actor, number)
        failure = translated(error.message, visit.language)
        return Page("playbook_version.html", {"shown": shown, "failure": failure}, error.status)
    return _saved(saved)


def to_playbook(_: Visit) -> Redirect:
    """The address of a form, opened without one."""
    return Redirect(PLAYBOOK)


def _saved(saved: SavedPlaybook) -> Redirect:
    version = saved.version
    if version is None:
        return Redirect(PLAYBOOK, "playbook.saved_same")
    if version.restored is not None:
        values = {"number": version.number, "restored": version.restored}
        return Redirect(PLAYBOOK, "playbook.restored", values)
    return Redirect(PLAYBOOK, "playbook.saved", {"number": version.number})


def _editor(
    text: str,
    opened: str,
    *,
    problems: tuple[object, ...] = (),
    note: str = "",
    failure: str | None = None,
) -> Page:
    lines = text.replace("\r\n", "\n").split("\n")
    status = 200 if failure is None else 422
    values = {
        "text": text,
        "lines": lines,
        "opened": opened,
        "problems": problems,
        "note": note,
        "failure": failure,
    }
    return Page("playbook_edit.html", values, status)


def _preview(
    visit: Visit,
    text: str,
    opened: str,
    preview: PlaybookPreview | None,
    *,
    note: str,
    is_complete: bool = True,
    is_slow: bool = False,
) -> Page:
    return Page(
        "playbook_preview.html",
        {
            "text": text,
            "opened": opened,
            "note": note,
            "preview": preview,
            "is_complete": is_complete,
            "is_slow": is_slow,
            "difference": text_difference(visit.shared, visit.actor, text),
        },
    )


def _text(visit: Visit) -> str:
    return visit.form.get("text", "").replace("\r\n", "\n")


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise UsageError(
            f"cannot show version '{text}' of the playbook: that is no number. Choose one from the list.",
            field="number",
        )
    return int(text)
