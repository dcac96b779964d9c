"""The language of messages: of a project whose settings cannot be read, of a locale, and of a request.

Imports nothing of ours, as `kizuna --help` asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast
from urllib.parse import parse_qs

FILE = "kizuna.toml"
Language = Literal["en", "ja"]
LANGUAGES = ("en", "ja")
_SETTING = re.compile(r"""^\s*language\s*=\s*["'](en|ja)["']""", re.MULTILINE)
_IN_BODY = re.compile(rb'"language"\s*:\s*"(en|ja)"')
_WEIGHT = re.compile(r"\s*q\s*=\s*([01](?:\.\d*)?)\s*")


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
    return cast("Language", locale[:2]) if locale[:2] in LANGUAGES else "en"


def request_language(body: bytes, query: str, accept: str) -> Language | None:
    """The language that a request asks for: `language` in its body or address, else its Accept-Language.

    The body is searched, not parsed, as it may be what is wrong. None where the request names no language.
    """
    if found := _IN_BODY.search(body):
        return cast("Language", found[1].decode())
    named = parse_qs(query).get("language", [""])[0]
    return cast("Language", named) if named in LANGUAGES else _accepted(accept)


def _accepted(header: str) -> Language | None:
    """The language with the highest weight of an Accept-Language header, None where it names neither."""
    weights: dict[str, float] = {}
    for entry in header.split(","):
        name, _, parameter = entry.partition(";")
        found = _WEIGHT.fullmatch(parameter)
        weight = float(found[1]) if found else 0.0 if parameter else 1.0
        weights.setdefault(name.strip().lower()[:2], weight)
    best = max(LANGUAGES, key=lambda language: weights.get(language, 0.0))
    return cast("Language", best) if weights.get(best, 0.0) > 0 else None
