"""Tests of `kizuna users`: passwords typed at a prompt or piped, roles, disabling, and the audit."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.cli.main import main
from tests.serving.running import COMMAND

GOOD = "seven lanterns over the bay"
Kizuna = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kizuna.toml").write_text('timezone = "Asia/Tokyo"\n')
    return tmp_path


@pytest.fixture
def kizuna(capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Kizuna:
    """The exit code and the JSON of one call, with this on its standard input."""

    def run(*words: str, typed: str = "") -> Any:
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as end:
            main(["-C", str(folder), "--json", *words])
        return int(end.value.code or 0), json.loads(capsys.readouterr().out)

    return run


def test_accounts_are_added_changed_disabled_and_in_the_audit(kizuna: Kizuna) -> None:
    add = ("users", "add", "hanako", "--role", "administrator", "--password-stdin")
    assert kizuna(*add, typed=GOOD + "\n") == (0, {"name": "hanako", "role": "administrator"})
    kizuna("users", "add", "taro", "--display-name", "佐藤 太郎", "--password-stdin", typed=GOOD)
    assert kizuna("users", "role", "taro", "marketer")[1] == {"name": "taro", "role": "marketer"}
    assert kizuna("users", "password", "taro", "--password-stdin", typed="another fine sentence")[0] == 0
    assert kizuna("users", "sign-out", "taro")[1] == {"name": "taro", "sessions": 0}
    assert kizuna("users", "disable", "taro")[1] == {"name": "taro", "disabled": True}
    listed = kizuna("users", "list")[1]["users"]
    assert [(one["name"], one["role"], one["display_name"]) for one in listed] == [
        ("hanako", "administrator", ""),
        ("taro", "marketer", "佐藤 太郎"),
    ]
    assert [one["disabled_at"] is None for one in listed] == [True, False]
    assert "hash" not in json.dumps(listed)
    assert kizuna("users", "enable", "taro")[1] == {"name": "taro", "disabled": False}
    audit = kizuna("audit")[1]["asked"]
    assert [(one["who"], one["action"], one["details"]) for one in reversed(audit)] == [
        ("command line", "users add", "hanako as administrator"),
        ("command line", "users add", "taro as viewer"),
        ("command line", "users role", "taro: viewer → marketer"),
        ("command line", "users password", "taro"),
        ("command line", "users sign-out", "taro"),
        ("command line", "users disable", "taro"),
        ("command line", "users enable", "taro"),
    ]


def test_a_password_is_never_waited_for_without_a_terminal(kizuna: Kizuna) -> None:
    code, answer = kizuna("users", "add", "hanako")
    assert (code, answer["error"]["message"]) == (
        2,
        "cannot ask for a password: there is no terminal. Run the command in one, or pass the password on "
        "the standard input with --password-stdin.",
    )
    assert kizuna("users", "list")[1] == {"users": []}


@pytest.mark.parametrize("password", ["", "short", "password1234", "hanako-2026!!"])
def test_a_weak_password_is_refused_and_nothing_is_made(kizuna: Kizuna, password: str) -> None:
    code, answer = kizuna("users", "add", "hanako", "--password-stdin", typed=password)
    assert (code, answer["error"]["field"]) == (2, "password")
    assert kizuna("users", "list")[1] == {"users": []}


def test_the_last_administrator_stays_and_the_reason_is_said_in_both_languages(
    kizuna: Kizuna, folder: Path
) -> None:
    kizuna("users", "add", "hanako", "--role", "administrator", "--password-stdin", typed=GOOD)
    (folder / "kizuna.toml").write_text('language = "ja"\n')
    for words, said in (
        (("users", "disable", "hanako"), "「hanako」は無効にできません："),
        (("users", "role", "hanako", "viewer"), "「hanako」のロールは変更できません："),
    ):
        code, answer = kizuna(*words)
        assert code == 2
        assert answer["error"]["message"] == f"{said}ほかに管理者がいません。先に別の管理者を決めてください。"
    code, answer = kizuna("users", "role", "zork", "viewer")
    assert answer["error"]["message"].startswith("アカウント「zork」が見つかりません")


def test_a_password_is_typed_twice_at_the_prompt_and_not_shown(folder: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(COMMAND[0], [*COMMAND, "-C", str(folder), "users", "add", "hanako"])
    shown = b""
    for prompt in (b"Password: ", b"Once more: "):
        while prompt not in shown:
            shown += os.read(terminal, 1_000)
        os.write(terminal, GOOD.encode() + b"\n")
    try:
        while part := os.read(terminal, 1_000):
            shown += part
    except OSError:  # Linux says so when the other end of a terminal is closed
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
    os.close(terminal)
    assert b"Added hanako as viewer" in shown
    assert GOOD.encode() not in shown
