"""The page of recipes: what each export of another tool becomes, in the text of `recipes.template.md`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

TEXT = Path(__file__).with_name("recipes.template.md")
HEADING = "| recipe | what to export | files | what becomes what | schema |\n|---|---|---|---|---|"


def recipes_page() -> str:
    """The text with a line for each recipe."""
    table = "\n".join([HEADING, *_lines()])
    return TEXT.read_text(encoding="utf-8").replace("{recipes}", table)


def _lines() -> Iterator[str]:
    from serving.project.recipes.catalogue import RECIPES

    for recipe in RECIPES.values():
        queries = [source.query for source in recipe.sources]
        cells = (
            f"`{recipe.name}`",
            " ".join(query.title for query in queries),
            ", ".join(dict.fromkeys(f"`{pattern}`" for query in queries for pattern in query.patterns)),
            recipe.becomes,
            " ".join(dict.fromkeys(f"<{address}>" for query in queries for address in query.schema)),
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
