"""The model card: what a bundle says, how right it was, and where not to trust it.

One set of facts becomes Markdown and HTML, in English and in Japanese; the figures are those of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from features.catalog.display_names import in_language, is_japanese
from training.registry.model_card.html import Section, page
from training.registry.model_card.text import English, Japanese

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.registry.gates import GateDecision

Language = Literal["en", "ja"]


def cards(
    bundle: Bundle, decision: GateDecision | None, list_figures: Mapping[str, float] | None = None
) -> dict[str, str]:
    """The card in both languages and both forms, by file name.

    `list_figures` are the metrics of the list in each order, which the bundle does not hold.
    """
    files = {}
    languages: tuple[Language, ...] = ("en", "ja")
    for language in languages:
        title, sections = facts(bundle, decision, language, list_figures)
        files[f"model_card.{language}.md"] = markdown(title, sections)
        files[f"model_card.{language}.html"] = page(title, sections, language)
    return files


def summary(bundle: Bundle, decision: GateDecision, list_figures: Mapping[str, float] | None = None) -> str:
    """The decision and the figures as Markdown, for MLflow's own pages."""
    writer = English(bundle, decision, list_figures)
    lines = [*writer.verdict(), f"Predicts {writer.question()}.", writer.tested(), *writer.listed()]
    table = writer.quality(0, ("", "this model"))
    return "\n".join(f"- {line}" for line in lines) + ("\n\n" + _table(table) if table else "") + "\n"


def facts(
    bundle: Bundle,
    decision: GateDecision | None,
    language: Language,
    list_figures: Mapping[str, float] | None = None,
) -> tuple[str, list[Section]]:
    """The title and the sections of the card."""
    title = in_language(language, "Model card: who will leave", "離反予測モデルのモデルカード")
    writer_of = Japanese if is_japanese(language) else English
    writer = writer_of(bundle, decision, list_figures)
    return title, list(writer.sections())


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The card as Markdown."""
    parts = [f"# {title}"]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += ["\n".join(f"- {line}" for line in section.lines)] if section.lines else []
        parts += [_table(section.table)] if section.table else []
    return "\n\n".join(parts) + "\n"


def _table(table: Sequence[Sequence[str]]) -> str:
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in table)
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))
