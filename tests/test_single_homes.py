"""Each rule has one home: what would be a second home of one is found in the text of the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("features", "training", "serving")
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
}


def files_with(*texts: str) -> list[str]:
    return [name for name, source in SOURCES.items() if any(text in source for text in texts)]


def test_the_kind_refund_is_named_in_the_schema_of_events_alone() -> None:
    english = "features/catalog/display_names.py"  # where it is the English word for it
    assert set(files_with('"refund"', "'refund'")) == {"features/events/schema.py", english}
    assert SOURCES[english].count('"refund"') == 1


def test_the_prefix_of_attributes_is_written_in_the_schema_of_events_alone() -> None:
    prefixes = {
        name
        for name, source in SOURCES.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith("attribute.") and " " not in node.value
    }
    assert prefixes == {"features/events/schema.py"}


def test_one_module_compares_languages() -> None:
    def comparisons(source: str) -> Iterator[ast.Compare]:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Compare) and any(
                isinstance(side, ast.Constant) and side.value == "ja"
                for side in (node.left, *node.comparators)
            ):
                yield node

    homes = [name for name, source in SOURCES.items() if any(comparisons(source))]
    assert homes == ["features/catalog/display_names.py"]
