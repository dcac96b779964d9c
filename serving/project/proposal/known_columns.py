"""Names that columns usually have, Japanese and English (`known_columns.toml`), and the words of states."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

TAKEN_BACK = "取消|取り消し|取りけし|キャンセル|返品|返金|赤伝|cancel|refund|return|void"
"""Parts of the states of an order that was taken back, as SQL and Python match them, case aside."""
NOT_DONE = "^(購入処理中|決済処理中|仮受注|下書き|カート|draft|pending payment|abandoned)$"
"""States in which an order is none yet."""
INQUIRIES = re.compile(r"問い?合わ?せ|inquir|ticket|support|case", re.IGNORECASE)
"""Names of tables that hold inquiries."""
SHORT = 3
"""Names of up to so many letters ("id", "no") are parts of many others, and count as whole names alone."""


def normal(name: str) -> str:
    """A name without case, width, blanks and marks, as names are compared."""
    return re.sub(r"[\s_\-・.（）()【】#]", "", unicodedata.normalize("NFKC", name).casefold())


def candidates(role: str, columns: Sequence[str]) -> list[str]:
    """The columns that a role's names fit, the surest first: the same name, then one that contains it."""
    names, against = known(role)
    plain = {column: normal(column) for column in columns}
    whole = [column for name in names for column in columns if plain[column] == name]
    parts = [
        column
        for name in names
        for column in columns
        if _is_part(name, plain[column]) and not any(word in plain[column] for word in against)
    ]
    return list(dict.fromkeys([*whole, *parts]))


@cache
def known(role: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a role, and what speaks against it, as they are compared."""
    text = files(__package__).joinpath("known_columns.toml").read_text(encoding="utf-8")
    entry: dict[str, list[str]] = tomllib.loads(text)[role]
    return tuple(map(normal, entry["names"])), tuple(map(normal, entry.get("not", [])))


def _is_part(name: str, column: str) -> bool:
    """Whether a name is part of a column's name; Japanese words say much in two letters."""
    return name in column and (len(name) > SHORT or not name.isascii())
