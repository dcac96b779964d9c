"""Lock-out by pace: after some wrong passwords every attempt has to wait, longer and longer, never for ever.

Attempts are counted three times: for an account from one address, for an address, and for an account from
anywhere. The last waits for seconds only and does not count for addresses from which the person signed in
lately, so that nobody can lock a colleague out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from serving.state.accounts.people import name_key
from serving.state.database import Database
from serving.state.tables import SIGN_IN_FAILURES

SECOND = 1_000_000
"""Microseconds."""
FORGOTTEN_AFTER = 24 * 3_600 * SECOND
"""After a day without a failure counting starts anew."""
TRIES = 5
"""How often counting is tried where others count at the same instant."""


@dataclass(frozen=True)
class Pace:
    """How many failures are free, and how many seconds the longest wait takes."""

    free: int
    longest: int

    def wait(self, failures: int) -> int:
        """Microseconds to wait after so many failures: 1 s, 2 s, 4 s, … up to the longest."""
        if failures < self.free:
            return 0
        return min(self.longest, 1 << min(failures - self.free, 30)) * SECOND


FROM_ONE_ADDRESS = Pace(free=5, longest=900)
"""One account from one address."""
ADDRESS = Pace(free=20, longest=900)
"""All accounts from one address: an office may share one."""
ACCOUNT = Pace(free=10, longest=10)
"""One account from anywhere."""


@dataclass(frozen=True)
class Attempt:
    """The subjects of one attempt to sign in, each with its pace."""

    paces: Mapping[str, Pace]
    own: str
    """The subject of the account from this address, forgotten when the attempt succeeds."""


def attempt(name: str, address: str, *, is_known_address: bool) -> Attempt:
    """The subjects that an attempt counts for."""
    own = _subject("both", name_key(name), address)
    paces = {own: FROM_ONE_ADDRESS, _subject("address", address): ADDRESS}
    if not is_known_address:
        paces[_subject("account", name_key(name))] = ACCOUNT
    return Attempt(paces, own)


def count_attempt(database: Database, one: Attempt, now: int) -> int:
    """Count an attempt before its password is looked at, as if it failed; 0, or the seconds it must wait.

    One that has to wait is not counted. Of attempts at the same instant one is counted, the others try again:
    whoever guesses cannot send a hundred before the first was counted.
    """
    for _ in range(TRIES):
        waits = 0
        try:
            with database.writing() as connection:
                # The first statement writes, so that on SQLite what is read next is nobody else's to change.
                connection.execute(
                    delete(SIGN_IN_FAILURES).where(SIGN_IN_FAILURES.c.last_at < now - FORGOTTEN_AFTER)
                )
                rows = _rows(connection, one)
                waits = max(_wait(rows.get(subject), pace, now) for subject, pace in one.paces.items())
                if waits == 0 and all(_count(connection, subject, rows, now) for subject in one.paces):
                    return 0
                if waits == 0:
                    raise _CountedByAnother
        except (IntegrityError, _CountedByAnother):
            continue
        return -(-waits // SECOND)
    return 1


def forget_attempt(database: Database, one: Attempt) -> None:
    """Take back the count of an attempt that succeeded, and forget the failures of this person here."""
    subject = SIGN_IN_FAILURES.c.subject
    others = [other for other in one.paces if other != one.own]
    with database.writing() as connection:
        connection.execute(delete(SIGN_IN_FAILURES).where(subject == one.own))
        connection.execute(
            update(SIGN_IN_FAILURES)
            .where(subject.in_(others), SIGN_IN_FAILURES.c.failures > 0)
            .values(failures=SIGN_IN_FAILURES.c.failures - 1)
        )


class _CountedByAnother(Exception):
    """Another attempt was counted between reading and writing."""


def _rows(connection: Connection, one: Attempt) -> dict[str, tuple[int, int]]:
    """Failures and the instant of the last one, by subject."""
    rows = connection.execute(
        select(SIGN_IN_FAILURES.c.subject, SIGN_IN_FAILURES.c.failures, SIGN_IN_FAILURES.c.last_at).where(
            SIGN_IN_FAILURES.c.subject.in_(list(one.paces))
        )
    )
    return {subject: (failures, last_at) for subject, failures, last_at in rows}


def _wait(row: tuple[int, int] | None, pace: Pace, now: int) -> int:
    """Microseconds still to wait. After a clock was set back nobody waits for it to catch up."""
    if row is None or row[1] > now:
        return 0
    return max(0, row[1] + pace.wait(row[0]) - now)


def _count(connection: Connection, subject: str, rows: Mapping[str, tuple[int, int]], now: int) -> bool:
    """Add a failure, unless somebody else did since it was read."""
    if subject not in rows:
        connection.execute(insert(SIGN_IN_FAILURES).values(subject=subject, failures=1, last_at=now))
        return True
    failures, last_at = rows[subject]
    where = SIGN_IN_FAILURES.c
    counted = connection.execute(
        update(SIGN_IN_FAILURES)
        .where(where.subject == subject, where.failures == failures, where.last_at == last_at)
        .values(failures=failures + 1, last_at=now)
    )
    return counted.rowcount == 1


def _subject(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
