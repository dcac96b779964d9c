"""Line breaks of Japanese text on a terminal (kinsoku): no line begins with 。 or 」, none ends with 「."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.containers import Lines
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, OverflowMethod

NOT_FIRST = frozenset(
    "、。，．・：；？！」』）】〕〉》ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ〜％,.:;?!)]}%"
)
"""Characters that must not begin a line."""
NOT_LAST = frozenset("「『（【〔〈《([{")
"""Characters that must not end a line."""
_JAPANESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_WORD = re.compile(r"[!-~]")
_KATAKANA = re.compile(r"[ァ-ヺー]")


class JapaneseText(Text):
    """Text that is wrapped by the rules of Japanese line breaks; words in Latin letters are not cut."""

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        if no_wrap or self.no_wrap:
            return super().wrap(
                console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap
            )
        lines = Lines()
        for whole in self.split(allow_blank=True):
            for line in whole.divide(break_offsets(whole.plain, width)):
                line.rstrip()
                lines.append(line)
        return lines


def wrapped_text(markup: str) -> Text:
    """A text from rich's markup, wrapped as Japanese where it is."""
    text = Text.from_markup(markup)
    if _JAPANESE.search(text.plain) is None:
        return text
    return JapaneseText(text.plain, style=text.style, spans=list(text.spans), overflow="fold")


def break_offsets(text: str, width: int) -> Iterator[int]:
    """Where the lines of a text begin, after the first; each line fits in `width` cells.

    Punctuation that would begin a line takes the character before it along. A word longer than a line is cut.
    """
    start = cells = 0
    last_break = 0
    for place, character in enumerate(text):
        if place > start and _may_break(text[place - 1], character):
            last_break = place
        size = cell_len(character)
        if cells + size > width and character != " ":
            start = last_break if last_break > start else _cut(text, start, place)
            cells = cell_len(text[start:place])
            yield start
        cells += size


def _cut(text: str, start: int, place: int) -> int:
    """Where a word longer than a line is cut: at the width, or before what may not begin a line."""
    cut = place
    while cut > start + 1 and (text[cut] in NOT_FIRST or text[cut - 1] in NOT_LAST):
        cut -= 1
    return cut if cut > start + 1 else place


def _may_break(before: str, after: str) -> bool:
    if after in NOT_FIRST or before in NOT_LAST or after == " ":
        return False
    return not any(of.match(before) and of.match(after) for of in (_WORD, _KATAKANA))
