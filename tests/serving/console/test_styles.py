"""The stylesheet of the console and its templates know the same classes."""

from __future__ import annotations

import re
from pathlib import Path

import serving.console
import serving.presentation
import serving.reports

CONSOLE, PRESENTATION, REPORTS = (
    Path(package.__path__[0]) for package in (serving.console, serving.presentation, serving.reports)
)
STYLES = re.sub(
    r"/\*.*?\*/", "", (CONSOLE / "static" / "console.css").read_text(encoding="utf-8"), flags=re.S
)
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))
CODE = [path for folder in (CONSOLE, PRESENTATION, REPORTS) for path in folder.rglob("*.py")]
"""Handlers, which choose classes, and what draws the SVG of pages, with classes of its own."""
OF_HTMX = {"htmx-request"}
"""Classes that htmx sets."""
CLASS_ATTRIBUTE = re.compile(r'\bclass="((?:\{\{.*?\}\}|\{%.*?%\}|[^"])*)"')
JINJA = re.compile(r"\{[{%].*?[%}]\}")


def styled() -> set[str]:
    """Every class that a selector names."""
    selectors = re.sub(r"\{[^{}]*\}", "{}", STYLES)
    return set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors))


def written(template: Path) -> set[str]:
    """The classes that stand in a template, without those that an expression makes."""
    attributes = CLASS_ATTRIBUTE.findall(template.read_text(encoding="utf-8"))
    return {
        name
        for attribute in attributes
        for name in JINJA.sub(lambda part: "\0" if part[0].startswith("{{") else " ", attribute).split()
        if "\0" not in name
    }


def test_every_class_of_a_template_is_in_the_stylesheet() -> None:
    unknown = {template.name: sorted(written(template) - styled()) for template in TEMPLATES}
    assert {name: classes for name, classes in unknown.items() if classes} == {}


def test_every_class_of_the_stylesheet_is_used() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES)
    code = "".join(path.read_text(encoding="utf-8") for path in CODE)
    fixed = {name for template in TEMPLATES for name in written(template)}
    made = set(re.findall(r"[a-z][\w-]*", "".join(JINJA.findall(pages)) + code))
    numbered = {name for name in styled() if re.sub(r"[0-9]+$", "", name) + "{" in code}
    assert sorted(styled() - fixed - made - numbered - OF_HTMX) == []


def test_every_token_that_is_used_exists_and_none_is_unused() -> None:
    assert set(re.findall(r"(--[\w-]+):", STYLES)) == set(re.findall(r"var\((--[\w-]+)\)", STYLES))


def test_colours_stand_in_the_tokens_alone() -> None:
    rules = STYLES.split("}", 1)[1].replace("#fff", "")
    assert re.findall(r"#[0-9a-f]{3,8}\b|rgb\(", rules) == []
