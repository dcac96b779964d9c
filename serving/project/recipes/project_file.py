"""The `kizuna.toml` of a recipe over an export."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from features.catalog.display_names import is_japanese
from serving.project.recipes.catalogue import Recipe
from serving.project.recipes.export_files import FoundSource, find_sources, recipe_named
from serving.project.settings_blocks import CAPACITY, JAPANESE, PLAIN, toml_text


def project_text(name: str, export: Path, folder: Path, language: str) -> str:
    """A `kizuna.toml` for `folder` whose sources read the export at `export`.

    Raises `UsageError` for a recipe that does not exist, and `ConfigurationError` where the export is not
    there or does not look like one.
    """
    recipe = recipe_named(name)
    japanese = recipe.japanese or is_japanese(language)
    sources = find_sources(recipe, export, folder)
    parts = [
        f"# {recipe.tool}, written by `kizuna init --from {recipe.name}`: change what you like.",
        *(f"# {line}" for line in textwrap.wrap(f"What becomes what: {recipe.becomes}.", 105)),
        "",
        JAPANESE if japanese else PLAIN,
        *(_source(source) for source in sources),
        *_missing(recipe, sources),
        recipe.churn,
        *([recipe.settings] if recipe.settings else []),
        CAPACITY,
    ]
    return "\n".join(parts)


def _source(found: FoundSource) -> str:
    query = found.source.query
    notes = [f"-- {line}".rstrip() for line in query.notes.splitlines()]
    lines = [
        *(f"# {line}" for line in textwrap.wrap(query.title, 105)),
        *(f"# Schema: {address}" for address in query.schema),
        "[[sources]]",
        f'name = "{found.source.name}"',
        *([f'timezone = "{query.timezone}"'] if query.timezone else []),
        f"query = {toml_text(chr(10).join([*notes, found.query]))}",
        "",
    ]
    return "\n".join(lines)


def _missing(recipe: Recipe, found: Sequence[FoundSource]) -> list[str]:
    """Comments on the sources whose files are not there."""
    there = {one.source.name for one in found}
    return [
        f"# No files for {source.name} ({', '.join(source.query.patterns)}) were there:\n"
        f"# put them beside the others and run `kizuna init --from {recipe.name} …` again in a new folder.\n"
        for source in recipe.sources
        if source.name not in there
    ]
