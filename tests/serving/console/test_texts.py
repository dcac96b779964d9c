"""Tests of the console's words: both languages everywhere, no key unknown, none unused."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from string import Formatter

from serving.console import texts as module
from serving.console.texts import texts

CONSOLE = Path(module.__file__).parent
# A key that a template or a handler names whole, and the beginning of one that is put together.
NAMED = re.compile(r"""["']([a-z_]+\.[a-z0-9_]+)["']""")
PREFIX = re.compile(r"""["']([a-z_]+\.[a-z0-9_]+_)["'] ?(?:~|\+)|f["']([a-z_]+\.[a-z0-9_]*?_?)\{""")


def sources() -> str:
    files = [*CONSOLE.rglob("*.py"), *CONSOLE.rglob("*.html")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_every_key_has_words_in_both_languages_with_the_same_values() -> None:
    for file in (CONSOLE / "texts").glob("*.toml"):
        for name, words in tomllib.loads(file.read_text(encoding="utf-8")).items():
            assert set(words) == {"en", "ja"}, (file.name, name)
            fields = [
                {part for _, part, _, _ in Formatter().parse(words[language]) if part}
                for language in ("en", "ja")
            ]
            assert fields[0] == fields[1], (file.name, name)
            assert words["en"].strip(), (file.name, name)
            assert words["ja"].strip(), (file.name, name)


def test_every_key_that_is_named_exists() -> None:
    pages = {key.partition(".")[0] for key in texts()}
    named = {key for key in NAMED.findall(sources()) if key.partition(".")[0] in pages}
    files = {file.name for file in CONSOLE.rglob("*") if file.is_file()}
    unknown = {key for key in named if key not in texts() and not key.endswith("_") and key not in files}
    assert unknown == set()


def test_no_key_is_unused() -> None:
    text = sources()
    used = set(NAMED.findall(text))
    prefixes = tuple(one or other for one, other in PREFIX.findall(text))
    unused = {key for key in texts() if key not in used and not (prefixes and key.startswith(prefixes))}
    assert unused == set()


OTHER_WORDS = {
    "実施群": "施策群",
    "施策対象": "施策群",
    "介入群": "施策群",
    "期待価値": "期待購買額",
    "割当": "割り付け",
    "割付": "割り付け",
    "解約率（金額": "離反率（金額",
    "エクスポート": "書き出し",
    "人当たり": "人あたり",
}
"""Words that once stood for something that has another name, with that name."""
PEOPLE_COUNTED = re.compile(r"[}0-9]人(?!あたり)")


def test_one_thing_has_one_japanese_word_on_all_pages_and_in_all_messages() -> None:
    root = CONSOLE.parents[1]
    files = [file for room in ("serving", "training", "features") for file in (root / room).rglob("*.*")]
    for file in (one for one in files if one.suffix in (".py", ".toml", ".html")):
        text = file.read_text(encoding="utf-8")
        for other, word in OTHER_WORDS.items():
            assert other not in text, f"{file}: {other} is called {word}"
        assert PEOPLE_COUNTED.search(text) is None, f"{file}: customers are counted as 名"
