"""Which attributes of a project decide about contact: those of kizuna.toml and of its playbook."""

from __future__ import annotations

import hashlib
import tomllib

from features.events.consent import ConsentRules
from serving.actions.playbook import FILE, Playbook
from serving.project.settings import Project

DEFAULT = "do_not_contact"
"""The attribute that a playbook names without a word."""


def consent_rules(project: Project, playbook: Playbook | None = None) -> ConsentRules:
    """The rules by a playbook, or by the project's own; one that cannot be read says nothing here."""
    named = _own_attribute(project) if playbook is None else playbook.do_not_contact
    return ConsentRules.of(project.settings.consent, named)


def fingerprint(rules: ConsentRules) -> str:
    """What tells these rules from others."""
    entries = [entry.model_dump_json() for entry in rules.entries]
    return hashlib.sha256(repr((entries, rules.by_name)).encode()).hexdigest()[:12]


def _own_attribute(project: Project) -> str:
    # Training and scoring need the name alone: a playbook that does not fit is refused by who uses it.
    try:
        named = tomllib.loads((project.folder / FILE).read_text(encoding="utf-8")).get(DEFAULT, DEFAULT)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return DEFAULT
    return named if isinstance(named, str) else DEFAULT
