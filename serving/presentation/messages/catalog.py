"""Translation of messages: errors, warnings and result lines in Japanese, by their English template.

As in gettext, the key of a message is its English text, here with the names of its arguments in braces.
Whoever raises an error writes it once, in English, and knows nothing of languages. The finished sentence is
matched against the templates of `ja.toml`, its arguments are taken out (and translated themselves, where they
are phrases of that file), and put into the Japanese one. A text that no template fits stays English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Formatter

from features.catalog.display_names import is_japanese

FILE = "ja.toml"
_SENTENCES = re.compile(r"(?<=[.?!]) (?=[A-Z`])")


@dataclass(frozen=True)
class MessageTemplate:
    """An English template as a pattern, and its Japanese translation."""

    pattern: re.Pattern[str]
    japanese: str
    literals: int
    """Characters outside arguments: the template with the most is the most specific."""
    of_argument: bool
    """Whether it is `[name] phrase`, what an argument of this name may say."""


def translated(text: str, language: str) -> str:
    """The message in a language; in English where there is no translation of it."""
    if not is_japanese(language) or not text:
        return text
    whole = _japanese(text)
    if whole is not None:
        return whole
    first, *others = _SENTENCES.split(text)
    head = _japanese(first) if others else None
    return text if head is None else "".join((head, *(_japanese(one) or f" {one}" for one in others)))


def parts(template: str) -> Iterator[tuple[str, str | None]]:
    """A template cut up: each literal text with the name of the argument that follows it, None at the end."""
    for literal, name, _, _ in Formatter().parse(template):
        yield literal, name


def tables() -> dict[str, dict[str, str]]:
    """The English and Japanese templates of each part of the product."""
    return tomllib.loads(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))


def _japanese(text: str, *, of_argument: bool = False) -> str | None:
    for template in _templates():
        found = template.pattern.fullmatch(text) if template.of_argument is of_argument else None
        if found:
            arguments = {name: _argument(name, value) for name, value in found.groupdict().items()}
            return template.japanese.format(**arguments)
    return None


def _argument(name: str, value: str) -> str:
    """An argument in Japanese where it is a phrase of the file: of `[name] phrase` before `phrase`."""
    found = _japanese(f"[{name}] {value}", of_argument=True) or _japanese(value)
    return value if found is None else found


@cache
def _templates() -> tuple[MessageTemplate, ...]:
    """All templates, the most specific first."""
    found = [
        _template(english, japanese) for table in tables().values() for english, japanese in table.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.literals))


def _template(english: str, japanese: str) -> MessageTemplate:
    pattern, literals, known = "", 0, set[str]()
    for literal, name in parts(english):
        pattern += re.escape(literal)
        literals += len(literal)
        if name is not None:
            pattern += f"(?P={name})" if name in known else f"(?P<{name}>.*?)"
            known.add(name)
    return MessageTemplate(re.compile(pattern, re.DOTALL), japanese, literals, english.startswith("["))
