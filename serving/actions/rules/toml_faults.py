"""What TOML refuses in a playbook, in words: the line, what stands there, and what to write instead."""

from __future__ import annotations

import re
import tomllib
import unicodedata

from pydantic import BaseModel

from serving.actions.rules.shape_faults import field_of, unfit
from serving.actions.rules.toml_positions import places

_TOML_ADVICE = {
    "Invalid value": "this is no value. Put text between double quotes, and lists between [ and ].",
    "Expected '=' after a key": "there is no = after the name. Write `name = value`.",
    "Illegal character '\\n'": "the text has no closing quote. Write one at its end.",
    "Unterminated string": "the text has no closing quote. Write one at its end.",
    "Expected newline or end of document": "something stands after the end. Remove it, or put a # before it.",
    "Invalid statement": "this is neither `name = value` nor a [heading]. Complete it, or put a # before it.",
    "Expected ']": "the heading is not closed. Write [name], or [[rules]] for a rule.",
    "Unclosed array": "the list is not closed. Write a ] at its end.",
    "Cannot overwrite a value": "this name stands here twice. Keep one of them.",
    "Cannot declare": "this heading stands here twice. Keep one of them.",
}
"""What to do about each fault of TOML, by the beginning of the parser's message."""
_OF_A_VALUE = ("Invalid value", "Expected newline or end of document")
"""Faults that are of the value of a line, where it has one."""
_WIDE = "＝＃［］「」『』“”｛｝，、．　"
"""Characters of Japanese input that look like a sign of TOML, and stand for it outside of texts."""
_SIGNS = {"「": '"', "」": '"', "『": '"', "』": '"', "“": '"', "”": '"', "、": ","}
_TEXT = re.compile(r'"[^"]*"|\'[^\']*\'|#.*$')
_VALUE = re.compile(r"^[^=#]*=\s*([^\"'\[{#\s][^#]*?)\s*(?:#.*)?$")


def toml_line(error: tomllib.TOMLDecodeError, text: str) -> int:
    """The line (from 1) that cannot be read, the last one where the end of the text is missing."""
    found = re.search(r"\(at line (\d+), column \d+\)$", str(error))
    return int(found[1]) if found else max(len(text.splitlines()), 1)


def toml_advice(error: tomllib.TOMLDecodeError, text: str, shape: type[BaseModel]) -> str:
    """What is wrong on that line and what to write, with the value where the line has one."""
    number = toml_line(error, text)
    lines = text.splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    wide = next((sign for sign in _TEXT.sub("", line) if sign in _WIDE), None)
    if wide is not None:
        right = _SIGNS.get(wide, unicodedata.normalize("NFKC", wide))
        if right == " ":
            return "the line holds a full-width blank. Write a half-width one, or none."
        return f"the line holds the full-width character `{wide}`. Write the half-width `{right}` instead."
    if str(error).startswith(_OF_A_VALUE) and (found := _VALUE.match(line)):
        place = max((one for one, at in places(text).items() if at == number), key=len, default=())
        field, kind = field_of(place, shape)
        if field is not None:
            key = ".".join(str(part) for part in place if not isinstance(part, int))
            name = line.partition("=")[0].strip()
            return unfit(key, name, found[1], found[1], field, kind)
    for beginning, advice in _TOML_ADVICE.items():
        if str(error).startswith(beginning):
            return advice
    return f"it is not valid TOML ({error}). Put that place right."
