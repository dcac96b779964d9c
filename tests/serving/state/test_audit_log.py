"""Who asked for whom: many calls in a row of the database, read back one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.state.audit_log import CALLS, AccessRecord, newest_accesses, record_accesses
from serving.state.database import Database


def call(at: int, who: str, action: str, *keys: int) -> AccessRecord:
    return AccessRecord(at, who, action, np.array(keys, np.int64))


def plain(asked: list[AccessRecord]) -> list[tuple[int, str, str, list[int]]]:
    return [(one.at, one.who, one.action, one.keys.tolist()) for one in asked]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path}/state/kizuna.db") as opened:
        yield opened


FIRST = [call(1, "crm", "score", 7), call(2, "mail", "at_risk"), call(3, "crm", "score", 8, -1)]
SECOND = [call(4, "mail", "explain", 7), call(5, "crm", "score", 9, 7), call(6, "mail", "explain", 9)]


def test_every_call_comes_back_newest_first_whoever_made_it(records: Database) -> None:
    record_accesses(records, FIRST)
    record_accesses(records, SECOND)
    assert plain(newest_accesses(records)) == plain([*reversed(FIRST + SECOND)])
    assert plain(newest_accesses(records, limit=4)) == plain([*reversed(FIRST + SECOND)])[:4]


def test_of_one_customer_only_the_calls_that_asked_for_them(records: Database) -> None:
    record_accesses(records, FIRST)
    record_accesses(records, SECOND)
    assert [one.at for one in newest_accesses(records, customer=7)] == [5, 4, 1]
    assert [one.at for one in newest_accesses(records, customer=7, limit=1)] == [5]
    assert newest_accesses(records, customer=70) == []


def test_a_thousand_calls_of_one_caller_are_one_row(records: Database) -> None:
    record_accesses(records, [call(at, "crm", "score", at % 10) for at in range(1_000)])
    with records.writing() as connection:
        assert len(connection.execute(CALLS.select()).all()) == 1
    assert len(newest_accesses(records, customer=3, limit=1_000)) == 100
