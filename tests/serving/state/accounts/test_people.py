"""Accounts: names, roles, the last administrator, and one-time links."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from features.errors import UsageError
from serving.state.accounts import people
from serving.state.accounts.links import account_of_link, make_link, use_link
from serving.state.accounts.sessions import begin_session, find_session
from serving.state.audit_log import audit_entries
from serving.state.database import Database

DAY = 86_400_000_000


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path}/kizuna.db") as opened:
        yield opened


def add(records: Database, name: str, role: str = "viewer") -> people.Account:
    return people.add_account(records, name, role, 1, who="test", password_hash="hash")


def test_a_name_is_one_whatever_its_width_and_case(records: Database) -> None:
    assert add(records, " Ｈａｎａｋｏ ").name == "Hanako"
    assert people.account(records, "hanako").name == "Hanako"
    with pytest.raises(UsageError, match=r"^cannot add 'HANAKO': there is an account of that name"):
        add(records, "HANAKO")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 61, "command line", "Nobody"])
def test_a_name_that_would_confuse_is_refused(records: Database, name: str) -> None:
    with pytest.raises(UsageError, match=r"^cannot make an account"):
        add(records, name)


def test_an_unknown_role_is_refused_and_nothing_is_made(records: Database) -> None:
    with pytest.raises(UsageError, match=r"^cannot give the role 'boss': the roles are viewer, marketer"):
        add(records, "hanako", "boss")
    assert people.list_accounts(records) == []


def test_the_last_administrator_is_neither_disabled_nor_given_another_role(records: Database) -> None:
    add(records, "hanako", "administrator")
    add(records, "taro", "viewer")
    for change in (
        lambda: people.disable(records, "hanako", 2, 2, who="test"),
        lambda: people.change_role(records, "hanako", "viewer", 2, who="test"),
    ):
        with pytest.raises(UsageError, match=r"'hanako': nobody else is an administrator\. Make another one"):
            change()
    assert people.account(records, "hanako").role == "administrator"
    assert people.account(records, "hanako").is_enabled
    people.change_role(records, "taro", "administrator", 3, who="test")
    assert people.change_role(records, "hanako", "viewer", 4, who="test").role == "viewer"
    people.enable(records, "hanako", 5, who="test")
    assert [entry.details for entry in audit_entries(records)][:2] == [
        "hanako: administrator → viewer",
        "taro: viewer → administrator",
    ], "what was refused is not written down as done, nor what changed nothing"


def test_of_two_administrators_who_demote_each_other_one_stays(records: Database) -> None:
    for name in ("hanako", "taro"):
        add(records, name, "administrator")
    together = threading.Barrier(2)

    def demote(name: str) -> bool:
        together.wait()
        try:
            people.change_role(records, name, "viewer", 2, who="test")
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, ("hanako", "taro"))) == [False, True]
    assert [one.role for one in people.list_accounts(records)].count("administrator") == 1


def test_a_disabled_person_is_out_at_once_and_in_again_only_by_signing_in(records: Database) -> None:
    made = add(records, "hanako")
    token = begin_session(records, made.id, made.name, 1, 1, DAY, address="", agent="")
    assert find_session(records, token, 2, DAY) is not None
    people.disable(records, "hanako", 3, 3, who="test")
    assert find_session(records, token, 4, DAY) is None
    assert people.password_hash_of(records, "hanako") == ""
    assert not people.any_account(records)
    people.enable(records, "hanako", 5, who="test")
    assert find_session(records, token, 6, DAY) is None
    assert people.password_hash_of(records, "hanako") == "hash"


def test_a_link_opens_once_and_for_a_day_and_an_older_one_no_more(records: Database) -> None:
    add(records, "hanako")
    _, older = make_link(records, "hanako", 1, 1, DAY, who="test")
    _, token = make_link(records, "hanako", 2, 2, DAY, who="test")
    for text, now in ((older, 3), (token, 2 + DAY), ("", 3), ("zork", 3)):
        with pytest.raises(
            UsageError, match=r"^cannot use this link: it was used already, or a day has passed"
        ):
            account_of_link(records, text, now)
    session = begin_session(records, 1, "hanako", 3, 3, DAY, address="", agent="")
    assert use_link(records, token, "new hash", 4, 4).name == "hanako"
    assert people.password_hash_of(records, "hanako") == "new hash"
    assert find_session(records, session, 5, DAY) is None, "whoever knew the old password is out"
    with pytest.raises(UsageError, match=r"^cannot use this link"):
        use_link(records, token, "third hash", 5, 5)


def test_no_token_and_no_password_is_in_the_database_or_the_audit(records: Database, tmp_path: Path) -> None:
    made = add(records, "hanako")
    _, link = make_link(records, "hanako", 1, 1, DAY, who="test")
    token = begin_session(records, made.id, made.name, 1, 1, DAY, address="10.0.0.1", agent="")
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert link.encode() not in stored
    assert token.encode() not in stored
    assert [(entry.action, entry.details) for entry in audit_entries(records)] == [
        ("sign in", "10.0.0.1"),
        ("users link", "hanako"),
        ("users add", "hanako as viewer"),
    ]
