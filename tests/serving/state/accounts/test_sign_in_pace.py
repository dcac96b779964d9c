"""Lock-out by pace: slower and slower, never for ever, and never for a colleague."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.state.accounts.sign_in_pace import (
    ACCOUNT,
    ADDRESS,
    FORGOTTEN_AFTER,
    FROM_ONE_ADDRESS,
    SECOND,
    attempt,
    count_attempt,
    forget_attempt,
)
from serving.state.database import Database

NOW = 10**15


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path}/kizuna.db") as opened:
        yield opened


def guess(records: Database, name: str, address: str, now: int, *, known: bool = False) -> int:
    return count_attempt(records, attempt(name, address, is_known_address=known), now)


def test_attempts_on_an_account_from_one_address_wait_longer_and_longer_up_to_a_limit(
    records: Database,
) -> None:
    now, waits = NOW, []
    for _ in range(25):
        wait = guess(records, "hanako", "10.0.0.1", now, known=True)
        if wait:
            waits.append(wait)
            now += wait * SECOND
            assert guess(records, "hanako", "10.0.0.1", now, known=True) == 0, "the wait is what it said"
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert max(waits) <= FROM_ONE_ADDRESS.longest == 900


def test_one_that_has_to_wait_is_not_counted(records: Database) -> None:
    for _ in range(FROM_ONE_ADDRESS.free):
        assert guess(records, "hanako", "10.0.0.1", NOW) == 0
    assert {guess(records, "hanako", "10.0.0.1", NOW) for _ in range(50)} == {1}
    assert guess(records, "hanako", "10.0.0.1", NOW + SECOND) == 0


def test_an_address_that_tries_many_names_waits_and_others_do_not(records: Database) -> None:
    for number in range(ADDRESS.free):
        assert guess(records, f"name {number}", "10.0.0.1", NOW) == 0
    assert guess(records, "another", "10.0.0.1", NOW) == 1
    assert guess(records, "another", "10.0.0.2", NOW) == 0


def test_nobody_can_lock_a_colleague_out(records: Database) -> None:
    """Attempts from a thousand addresses make an account wait seconds, and known addresses not at all."""
    for number in range(60):
        guess(records, "hanako", f"192.0.2.{number}", NOW + number * ACCOUNT.longest * SECOND)
    now = NOW + 59 * ACCOUNT.longest * SECOND
    assert 1 <= guess(records, "hanako", "10.0.0.9", now) <= ACCOUNT.longest == 10
    assert guess(records, "hanako", "10.0.0.1", now, known=True) == 0


def test_a_success_forgets_the_failures_of_this_person_here_but_not_those_of_the_address(
    records: Database,
) -> None:
    for _ in range(4):
        guess(records, "hanako", "10.0.0.1", NOW)
    own = attempt("hanako", "10.0.0.1", is_known_address=False)
    assert count_attempt(records, own, NOW) == 0
    forget_attempt(records, own)
    assert [guess(records, "hanako", "10.0.0.1", NOW) for _ in range(6)] == [0, 0, 0, 0, 0, 1]
    for number in range(ADDRESS.free - 9):
        guess(records, f"name {number}", "10.0.0.1", NOW)
    assert guess(records, "a last one", "10.0.0.1", NOW) == 1, "an own account does not buy more guesses"


def test_after_a_day_without_a_failure_counting_starts_anew(records: Database) -> None:
    for _ in range(FROM_ONE_ADDRESS.free):
        guess(records, "hanako", "10.0.0.1", NOW)
    later = NOW + FORGOTTEN_AFTER + SECOND
    assert [guess(records, "hanako", "10.0.0.1", later) for _ in range(6)] == [0, 0, 0, 0, 0, 1]


def test_nobody_waits_for_a_clock_that_was_set_back(records: Database) -> None:
    for second in range(12):
        guess(records, "hanako", "10.0.0.1", NOW + second * 1_000 * SECOND)
    assert guess(records, "hanako", "10.0.0.1", NOW - 3_600 * SECOND) == 0


def test_a_hundred_guesses_at_the_same_instant_are_counted_one_by_one(records: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: guess(records, "hanako", "10.0.0.1", NOW, known=True), range(40)))
    assert waits.count(0) <= FROM_ONE_ADDRESS.free
