"""Every command, option and setting that a message proposes exists as it is written there."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from serving.cli.main import kizuna

ROOT = Path(__file__).parents[2]
QUOTED = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"^kizuna\b(?!\.)")
ARGUMENT = re.compile(r"(?<!\{)\{\w+\}(?!\})")
OPTION = re.compile(r"(?<![\w=-])(?<!var\()--[a-z][a-z-]+")
OTHER_TOOLS = {"--data-urlencode", "--config", "--index-url"} | {
    "--no-optional-locks", "--verify", "--porcelain", "--untracked-files",
    "--memory-limit", "--nthreads",
}  # fmt: skip


def texts_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The texts of a module that are not documentation; an argument of an f-string stands as X."""
    silent: set[int] = set()
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                silent.add(id(child.value))
        if isinstance(node, ast.JoinedStr):
            silent |= {id(value) for value in node.values}
    for node in ast.walk(tree):
        if id(node) in silent:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        if isinstance(node, ast.JoinedStr):
            parts = [str(one.value) if isinstance(one, ast.Constant) else "X" for one in node.values]
            yield node.lineno, "".join(parts)


@cache
def messages() -> tuple[tuple[str, str], ...]:
    """Each text that the product can say, with its place: of modules, and of the Japanese messages."""
    found = []
    for room in ("features", "training", "serving"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for line, text in texts_of(ast.parse(file.read_text(encoding="utf-8"))):
                found.append((f"{file.relative_to(ROOT)}:{line}", text))
    catalogue = ROOT / "serving/presentation/messages/ja.toml"
    for table in tomllib.loads(catalogue.read_text(encoding="utf-8")).values():
        for english, japanese in table.items():
            place = f"ja.toml, {english[:50]}"
            found += [(place, ARGUMENT.sub("X", text)) for text in (english, japanese)]
    return tuple(found)


@cache
def options_by_command() -> dict[str, set[str]]:
    """The options of each command, by its words."""
    found: dict[str, set[str]] = {}

    def walk(command: click.Command, name: str) -> None:
        context = click.Context(command, info_name=name)
        found[name] = {option for one in command.get_params(context) for option in one.opts}
        if isinstance(command, click.Group):
            for word in command.list_commands(context):
                inner = command.get_command(context, word)
                assert inner is not None
                walk(inner, f"{name} {word}")

    walk(kizuna, "kizuna")
    return found


def fault(written: str) -> str:
    """What is wrong with a command as a message writes it; empty where nothing is."""
    words = [word for word in shlex.split(written.replace("…", "X")) if word not in ("[FOLDER]", ">")][1:]
    command: click.Command = kizuna
    name = "kizuna"
    while True:
        context = click.Context(command, info_name=name)
        try:
            _, rest, _ = command.make_parser(context).parse_args(list(words))
        except click.BadOptionUsage as error:
            return "" if words[-1:] == [error.option_name] else error.format_message()
        except click.NoSuchOption as error:
            return error.format_message()
        if not isinstance(command, click.Group):
            return f"{name} takes no {rest}" if rest else ""
        if not rest or rest[0] == "X":
            return ""
        inner = command.get_command(context, rest[0])
        if inner is None:
            return f"{name} has no command {rest[0]}"
        command, name, words = inner, f"{name} {rest[0]}", rest[1:]


def test_every_command_that_a_message_proposes_exists_with_its_options() -> None:
    proposed = [
        (place, quoted)
        for place, text in messages()
        for quoted in QUOTED.findall(text)
        if COMMAND.match(quoted)
    ]
    assert len(proposed) > 150
    wrong = [f"{place}: `{quoted}`: {fault(quoted)}" for place, quoted in proposed if fault(quoted)]
    assert not wrong, "\n".join(wrong)


def test_every_option_that_a_message_names_exists_in_some_command() -> None:
    known = set().union(*options_by_command().values()) | {"--help", "--version"} | OTHER_TOOLS
    named = [(place, option) for place, text in messages() for option in OPTION.findall(text)]
    assert len(named) > 100
    assert [f"{place}: {option}" for place, option in named if option not in known] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "kizuna ingest --replce shop",
        "kizuna models promot 3",
        "kizuna campaign list spring --replays",
        "kizuna doctor --accept-leak REASON",
        "kizuna score now then",
    ],
)
def test_a_command_that_does_not_exist_as_written_is_noticed(wrong: str) -> None:
    assert fault(wrong)
