"""Help and usage errors in the language of the project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from serving.cli.main import kizuna, main

ENGLISH_WORDS = re.compile(r"[A-Za-z]+,? [a-z]+,? [a-z]+")


@pytest.fixture
def japanese_folder(tmp_path: Path) -> Path:
    (tmp_path / "kizuna.toml").write_text('language = "ja"\n', encoding="utf-8")
    return tmp_path


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and group."""
    yield path
    for name, below in command.commands.items() if isinstance(command, click.Group) else ():
        yield from commands(below, *path, name)


def call(folder: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["-C", str(folder), *arguments])
    return int(end.value.code or 0)


@pytest.mark.parametrize("command", list(commands(kizuna)), ids=" ".join)
def test_the_help_of_every_command_is_in_the_language_of_the_project(
    command: tuple[str, ...], japanese_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(japanese_folder, *command, "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("使い方：kizuna")
    examples = re.compile(r" *(kizuna|curl|bentoml) ")
    english = [
        line
        for line in lines[1:]
        if ENGLISH_WORDS.search(re.sub("`[^`]*`", "", line)) and not examples.match(line)
    ]
    assert english == []


def test_the_help_of_another_project_is_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kizuna.toml").write_text('language = "en"\n', encoding="utf-8")
    assert call(tmp_path, "score", "--help") == 0
    assert "Score every customer with the champion." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ingst",), "コマンド ingst はありません。近いもの：'ingest', 'init'"),
        (("zzz",), "コマンド zzz はありません。"),
        (("at-risk", "--limt", "3"), "オプション --limt はありません。--limit ではありませんか。"),
        (("at-risk", "--limit", "0"), "--limit の値が正しくありません：0 は範囲外です（x>=1）。"),
        (("at-risk", "--limit", "x"), "--limit の値が正しくありません：「x」は整数ではありません。"),
        (("at-risk", "--limit"), "オプション --limit には値が必要です。"),
        (("features",), "オプション --as-of が必要です。"),
        (("explain",), "引数 CUSTOMER が必要です。"),
        (("score", "x", "y"), "余分な引数があります：x y"),
        (
            ("at-risk", "--format", "xml"),
            "--format の値が正しくありません：「xml」は使えません。"
            "'table', 'csv', 'json' のどれかにしてください。",
        ),
    ],
)
def test_a_wrong_call_is_answered_in_the_language_of_the_project(
    arguments: tuple[str, ...], message: str, japanese_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(japanese_folder, *arguments) == 2
    assert capsys.readouterr().err.splitlines()[-1] == message
