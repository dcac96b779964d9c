"""Help and usage errors of the commands in Japanese, translated by the one registry of messages.

A paragraph and the help of an option are looked up as they stand in the code; examples stay as they are.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import click

from serving.presentation.messages.catalog import translated

EXAMPLES = "\b"
"""What begins a paragraph whose lines click leaves as they are."""
_COMMAND_AND_WORDS = re.compile(r"(\s*kizuna \S+\s{3,})(\S.*)")


class JapaneseHelp(click.HelpFormatter):
    """A help formatter that translates what it is given and breaks lines by the rules of Japanese."""

    def __init__(self) -> None:
        super().__init__()
        self._cells = self.width
        self.width = 1_000  # click shortens the help of commands to this width; lines are broken here

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, "使い方：" if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{_japanese(heading)}：\n")

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
            if number:
                self.write("\n")
            for line in self._lines(paragraph):
                self.write(f"{indent}{line}".rstrip() + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = list(rows)
        first = min(max((len(name) for name, _ in rows), default=0), col_max) + col_spacing
        for name, text in rows:
            self.write(f"{'':>{self.current_indent}}{name}")
            self.write(
                " " * (first - len(name)) if len(name) <= first - col_spacing else "\n" + " " * (first + 2)
            )
            for number, line in enumerate(_broken(_option_help(text), max(self._cells - first - 2, 20))):
                self.write(f"{' ' * (first + self.current_indent) if number else ''}{line}\n")
            if not text:
                self.write("\n")

    def _lines(self, paragraph: str) -> Iterator[str]:
        """The lines of a paragraph; of examples the first is translated, the others where they can be."""
        if not paragraph.startswith(EXAMPLES):
            yield from _broken(_japanese(" ".join(paragraph.split())), self._cells - self.current_indent)
            return
        for line in paragraph.splitlines()[1:]:
            found = _COMMAND_AND_WORDS.fullmatch(line)
            yield found[1] + _japanese(found[2]) if found else _japanese(line)


def japanese_usage_error(error: click.ClickException) -> str:
    """What a wrong call of a command is answered with: how to call it, and what is wrong."""
    lines = [translated(error.format_message(), "ja")]
    if isinstance(error, click.UsageError) and error.ctx is not None:
        lines.insert(0, error.ctx.get_usage())
        lines.insert(1, f"`{error.ctx.command_path} --help` で説明を表示できます。\n")
    return "\n".join(lines)


def _japanese(text: str) -> str:
    """A text of the help in Japanese; click takes the full stop off the help of a command in a list."""
    found = translated(text, "ja")
    if found == text and not text.endswith("."):
        found = translated(f"{text}.", "ja")
        return text if found == f"{text}." else found.removesuffix("。")
    return found


def _option_help(text: str) -> str:
    """The help of an option, with what click adds to it in brackets."""
    for english, japanese in (("[default: ", "[標準："), ("required]", "必須]")):
        text = text.replace(english, japanese)
    words, gap, added = text.partition("  [")
    return _japanese(words) + gap + added


def _broken(text: str, width: int) -> list[str]:
    from serving.presentation.wrapping import break_offsets

    starts = [0, *break_offsets(text, width), len(text)]
    return [text[start:end].strip() for start, end in pairwise(starts)]
