"""Checking the text of a playbook before it is saved: every line that cannot be used, and what to write."""

from __future__ import annotations

from dataclasses import dataclass

from serving.actions.playbook import FILE, parse_all
from serving.application.permissions import Actor, use_case
from serving.application.playbook.project_check import ProjectCheck
from serving.application.workspace import Workspace
from serving.presentation.messages.catalog import translated


@dataclass(frozen=True)
class PlaybookProblem:
    """One thing that cannot be used."""

    line: int
    """From 1."""
    message: str
    """What is wrong there, and what to write instead."""


@dataclass(frozen=True)
class PlaybookCheck:
    """What was found; a playbook without problems is accepted by `kizuna plan`."""

    problems: tuple[PlaybookProblem, ...]
    """By line."""
    rules: int
    """How many rules there are; 0 where the text is no playbook."""
    is_complete: bool
    """False before the first plan: then tiers, channels and attributes are checked when it is made."""


@use_case("edit_playbook")
def check_playbook(
    workspace: Workspace, actor: Actor, text: str, language: str | None = None
) -> PlaybookCheck:
    """Check the text of a playbook against TOML, the shape of a playbook and what the project has."""
    language = workspace.language(language)
    file, refusals = parse_all(text, FILE)
    is_complete = False
    if file is not None and not refusals:
        refusals, is_complete = ProjectCheck(workspace).refusals(file)
    found = {(one.line, translated(one.wrong, language)) for one in refusals}
    rules = 0 if file is None else len(file.playbook.rules)
    return PlaybookCheck(tuple(PlaybookProblem(*one) for one in sorted(found)), rules, is_complete)
