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
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}


def files_with(*texts: str) -> list[str]:
    return [name for name, source in SOURCES.items() if any(text in source for text in texts)]


def test_the_kind_refund_is_named_in_the_schema_of_events_alone() -> None:
    english = "features/catalog/display_names.py"  # where it is the English word for it
    assert set(files_with('"refund"', "'refund'")) == {"features/events/schema.py", english}
    assert SOURCES[english].count('"refund"') == 1


def test_the_prefix_of_attributes_is_written_in_the_schema_of_events_alone() -> None:
    prefixes = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith("attribute.") and " " not in node.value
    }
    assert prefixes == {"features/events/schema.py"}


def test_one_module_compares_languages() -> None:
    def comparisons(tree: ast.Module) -> Iterator[ast.Compare]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and any(
                isinstance(side, ast.Constant) and side.value == "ja"
                for side in (node.left, *node.comparators)
            ):
                yield node

    homes = [name for name, tree in TREES.items() if any(comparisons(tree))]
    assert homes == ["features/catalog/display_names.py"]


def test_one_module_makes_percentile_intervals() -> None:
    homes = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") in ("quantile", "percentile", "nanquantile", "nanpercentile")
        if any(isinstance(part, ast.Constant) and part.value in (0.025, 2.5) for part in ast.walk(node))
    }
    assert homes == {"training/statistics.py"}


def test_one_module_suggests_the_word_that_was_meant() -> None:
    assert files_with("get_close_matches") == ["features/spelling.py"]


def test_one_package_loops_over_the_buckets_of_the_store() -> None:
    assert files_with(".histories(") == ["features/execution/local.py"]


def test_class_names_are_unique_over_the_whole_product() -> None:
    homes: dict[str, list[str]] = {}
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name)
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
