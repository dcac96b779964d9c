"""The `kizuna.toml` of a recipe over an export."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from features.catalog.display_names import in_language, is_japanese
from serving.project.recipes.catalogue import Recipe
from serving.project.recipes.export_files import FoundSource, find_sources, recipe_named
from serving.project.settings_blocks import CAPACITY, JAPANESE, PLAIN, commented, toml_text


def project_text(name: str, export: Path, folder: Path, language: str) -> str:
    """A `kizuna.toml` for `folder` whose sources read the export at `export`.

    Raises `UsageError` for a recipe that does not exist, and `ConfigurationError` where the export is not
    there or does not look like one.
    """
    recipe = recipe_named(name)
    language = "ja" if recipe.japanese else language
    sources = find_sources(recipe, export, folder)
    written = in_language(
        language,
        f"# {recipe.tool}, written by `kizuna init --from {recipe.name}`: change what you like.",
        f"# {recipe.tool}：`kizuna init --from {recipe.name}` が書きました。自由に変えてください。",
    )
    becomes = in_language(
        language,
        f"What becomes what: {recipe.becomes}.",
        f"何が何になるか：{recipe.becomes_in_japanese}。",
    )
    parts = [
        written,
        *(f"# {line}" for line in _wrapped(becomes, language)),
        "",
        JAPANESE if is_japanese(language) else PLAIN,
        *(_source(source, language) for source in sources),
        *_missing(recipe, sources, language),
        commented(recipe.churn, language),
        *([recipe.settings] if recipe.settings else []),
        commented(CAPACITY, language),
    ]
    return "\n".join(parts)


def _source(found: FoundSource, language: str) -> str:
    query = found.source.query_in(language)
    notes = [f"-- {line}".rstrip() for line in query.notes.splitlines()]
    schema = in_language(language, "Schema: ", "仕様：")
    lines = [
        *(f"# {line}" for line in _wrapped(query.title, language)),
        *(f"# {schema}{address}" for address in query.schema),
        "[[sources]]",
        f'name = "{found.source.name}"',
        *([f'timezone = "{query.timezone}"'] if query.timezone else []),
        f"query = {toml_text(chr(10).join([*notes, query.over(found.call)]))}",
        "",
    ]
    return "\n".join(lines)


def _missing(recipe: Recipe, found: Sequence[FoundSource], language: str) -> list[str]:
    """Comments on the sources whose files are not there."""
    there = {one.source.name for one in found}
    again = f"`kizuna init --from {recipe.name} …`"
    return [
        in_language(
            language,
            f"# No files for {source.name} ({', '.join(source.query.patterns)}) were there:\n"
            f"# put them beside the others and run {again} again in a new folder.\n",
            f"# {source.name} のファイル（{', '.join(source.query.patterns)}）がありませんでした。\n"
            f"# ほかのファイルと同じ場所に置き、新しいフォルダで {again} をもう一度実行してください。\n",
        )
        for source in recipe.sources
        if source.name not in there
    ]


def _wrapped(text: str, language: str) -> list[str]:
    """A comment in lines: broken between words, in Japanese after 、 and 。."""
    if not is_japanese(language):
        return textwrap.wrap(text, 105)
    lines = [""]
    for part in re.findall("[^、。]+[、。]*", text):
        if len(lines[-1]) + len(part) > 60 and lines[-1]:
            lines.append("")
        lines[-1] += part
    return lines
