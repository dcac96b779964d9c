"""The language of messages where the settings cannot be read: before they exist, or when they are wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from features.catalog.display_names import is_japanese
from serving.project.settings import FILE, Language

_SETTING = re.compile(r"""^\s*language\s*=\s*["'](en|ja)["']""", re.MULTILINE)


def message_language(folder: Path, environment: Mapping[str, str]) -> Language:
    """What `language` of the folder's kizuna.toml says, valid or not; without one, the user's locale."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return locale_language(environment)
    found = _SETTING.search(text)
    return cast("Language", found[1]) if found else "en"


def locale_language(environment: Mapping[str, str]) -> Language:
    """The language of the user's locale, by the first of LC_ALL, LC_MESSAGES and LANG that is set."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    return cast("Language", locale[:2]) if is_japanese(locale[:2]) else "en"
