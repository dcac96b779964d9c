"""The words of the console in English and Japanese: a TOML file for each page, read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from features.catalog.display_names import in_language

FOLDER = "texts"


def text(key: str, language: str, **values: object) -> str:
    """The words under `page.name` with their values filled in; raises `KeyError` for an unknown key."""
    words = in_language(language, *texts()[key])
    return words.format(**values) if values else words


@cache
def texts() -> dict[str, tuple[str, str]]:
    """English and Japanese by `page.name`."""
    found: dict[str, tuple[str, str]] = {}
    for file in files("serving.console").joinpath(FOLDER).iterdir():
        page, _, suffix = file.name.partition(".")
        if suffix == "toml":
            for name, words in tomllib.loads(file.read_text(encoding="utf-8")).items():
                found[f"{page}.{name}"] = words["en"], words["ja"]
    return found
