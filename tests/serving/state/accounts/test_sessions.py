"""Sessions: how long they last, what ends them, and a clock that is set back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.state.accounts.people import Account, add_account, set_password
from serving.state.accounts.sessions import (
    KEPT_FOR,
    MINUTE,
    begin_session,
    end_session,
    end_sessions,
    find_session,
    knows_address,
    list_sessions,
    open_sessions,
)
from serving.state.database import Database

HOUR = 60 * MINUTE
START = 10**15


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path}/kizuna.db") as opened:
        yield opened


@pytest.fixture
def hanako(records: Database) -> Account:
    return add_account(records, "hanako", "marketer", 1, who="test", password_hash="hash")


def begin(records: Database, one: Account, now: int = START, earlier: str = "") -> str:
    return begin_session(
        records, one.id, one.name, 1, now, 24 * HOUR, address="10.0.0.1", agent="Firefox", earlier=earlier
    )


def test_a_session_ends_when_idle_and_at_its_limit_in_any_case(records: Database, hanako: Account) -> None:
    token = begin(records, hanako)
    found = find_session(records, token, START + HOUR, 8 * HOUR)
    assert found is not None
    assert (found.name, found.role) == ("hanako", "marketer")
    assert find_session(records, token, START + 10 * HOUR, 8 * HOUR) is None, "nine hours without a visit"
    for hours in range(1, 24, 4):
        assert find_session(records, token, START + hours * HOUR, 8 * HOUR) is not None
    assert find_session(records, token, START + 24 * HOUR, 8 * HOUR) is None
    assert find_session(records, "zork", START, 8 * HOUR) is None
    assert find_session(records, "", START, 8 * HOUR) is None


def test_after_a_clock_was_set_back_a_session_from_the_future_is_not_open(
    records: Database, hanako: Account
) -> None:
    token = begin(records, hanako)
    assert find_session(records, token, START - 4 * MINUTE, 8 * HOUR) is not None, "machines differ a little"
    assert find_session(records, token, START - HOUR, 8 * HOUR) is None


def test_signing_in_ends_the_session_of_before_in_the_same_browser(
    records: Database, hanako: Account
) -> None:
    first = begin(records, hanako)
    second = begin(records, hanako, earlier=first)
    assert find_session(records, first, START, 8 * HOUR) is None
    assert find_session(records, second, START, 8 * HOUR) is not None
    assert open_sessions(records, START, 8 * HOUR) == {hanako.id: 1}


def test_signing_out_everywhere_ends_all_and_a_new_password_all_others(
    records: Database, hanako: Account
) -> None:
    own, other, third = (begin(records, hanako) for _ in range(3))
    listed = list_sessions(records, hanako.id, START, 8 * HOUR, own)
    assert [one.is_own for one in listed].count(True) == 1
    assert listed[0].agent == "Firefox"
    set_password(records, "hanako", "new", 1, START, who="hanako", current_session=own)
    assert [find_session(records, one, START, 8 * HOUR) is None for one in (own, other, third)] == [
        False,
        True,
        True,
    ]
    with records.writing() as connection:
        assert end_session(connection, own, START) == 1
        assert end_sessions(connection, hanako.id, START) == 0
    assert find_session(records, own, START, 8 * HOUR) is None


def test_an_address_is_known_for_a_month_and_old_sessions_are_deleted(
    records: Database, hanako: Account
) -> None:
    begin(records, hanako)
    assert knows_address(records, hanako.id, "10.0.0.1")
    assert not knows_address(records, hanako.id, "10.0.0.2")
    other = add_account(records, "taro", "viewer", 1, who="test")
    begin(records, other, START + 25 * HOUR + KEPT_FOR)
    assert not knows_address(records, hanako.id, "10.0.0.1")
