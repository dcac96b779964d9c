"""Which scores and which champion are in use, every one before, and which data came after: database rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, insert, select

from features.ingestion.receipt import StoreChange
from serving.state.database import Database
from serving.state.tables import CHAMPIONS, NOTED_VERSIONS, SCORES

NEWEST_NOTES = 20_000
"""Writes of notes that are looked at."""
PAGE = 500
"""Of them at a time, from the newest back."""


@dataclass(frozen=True)
class ScoreFile:
    """One row of `scores`: a file of answers, and where they came from. Instants in microseconds UTC."""

    file: str
    as_of: int
    model_version: str
    data_version: str
    customers: int
    scored_at: int


def use_scores(database: Database, scores: ScoreFile, champion: tuple[str, str]) -> None:
    """Make these scores and the champion that made them (version, fingerprint) current, both or neither."""
    with database.writing() as connection:
        if _champion(connection) != champion:
            _insert_champion(connection, champion, scores.scored_at)
        connection.execute(insert(SCORES).values(**vars(scores)))


def current_scores(database: Database) -> ScoreFile | None:
    """The scores in use."""
    return _score_file(database.first(select(SCORES).order_by(SCORES.c.id.desc())))


def score_file(database: Database, file: str) -> ScoreFile | None:
    """The scores of this file, if they were ever in use."""
    return _score_file(
        database.first(select(SCORES).where(SCORES.c.file == file).order_by(SCORES.c.id.desc()))
    )


def scores_before(database: Database, as_of: int) -> ScoreFile | None:
    """The newest scores of an earlier as-of date."""
    earlier = select(SCORES).where(SCORES.c.as_of < as_of)
    return _score_file(database.first(earlier.order_by(SCORES.c.as_of.desc(), SCORES.c.id.desc())))


def scores_by_date(database: Database) -> list[ScoreFile]:
    """The scores of every as-of date, the newest date first; of several of one date the last made."""
    every = select(SCORES).order_by(SCORES.c.as_of.desc(), SCORES.c.id.desc())
    with database.reading() as connection:
        rows = [_score_file(row) for row in connection.execute(every).mappings()]
    newest: dict[int, ScoreFile] = {}
    for one in rows:
        if one is not None:
            newest.setdefault(one.as_of, one)
    return list(newest.values())


def use_champion(database: Database, version: str, fingerprint: str, now: int) -> None:
    """Make this bundle the one in use, without scores: for a package, which answers live calls only."""
    with database.writing() as connection:
        _insert_champion(connection, (version, fingerprint), now)


def current_champion(database: Database) -> tuple[str, str] | None:
    """Version and fingerprint of the bundle in use."""
    with database.reading() as connection:
        return _champion(connection)


def rows_in_use(database: Database) -> tuple[tuple[str, str] | None, ScoreFile | None]:
    """The champion (version, fingerprint) and the scores in use, as of one moment."""
    champion = current_champion(database)
    while True:  # a swap between two reads shows itself: the champion is another afterwards
        scores, afterwards = current_scores(database), current_champion(database)
        if afterwards == champion:
            return champion, scores
        champion = afterwards


def _champion(connection: Connection) -> tuple[str, str] | None:
    newest = select(CHAMPIONS).order_by(CHAMPIONS.c.id.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    return None if row is None else (row["version"], row["fingerprint"])


def _insert_champion(connection: Connection, champion: tuple[str, str], now: int) -> None:
    version, fingerprint = champion
    connection.execute(insert(CHAMPIONS).values(version=version, fingerprint=fingerprint, since=now))


def _score_file(row: RowMapping | None) -> ScoreFile | None:
    if row is None:
        return None
    return ScoreFile(**{name: row[name] for name in ScoreFile.__dataclass_fields__})


def record_noted_versions(connection: Connection, changes: Iterable[StoreChange], now: int) -> None:
    """Keep the data versions before and after each write of a note."""
    rows = [
        {"before": one.before, "after": one.after, "at": now} for one in changes if one.before != one.after
    ]
    if rows:
        connection.execute(insert(NOTED_VERSIONS), rows)


def only_noted_since(database: Database, version: str, current: str) -> bool:
    """Whether notes alone, or nothing, lie between an earlier data version and the current one."""
    if version == current:
        return True
    newest = select(NOTED_VERSIONS.c.before, NOTED_VERSIONS.c.after).order_by(NOTED_VERSIONS.c.id.desc())
    came_from: dict[str, set[str]] = {}
    reached = {current}
    with database.reading() as connection:
        for page in connection.execute(newest.limit(NEWEST_NOTES)).partitions(PAGE):
            for row in page:
                came_from.setdefault(row.after, set()).add(row.before)
            before_page, ahead = len(reached), list(reached)
            while ahead:  # two notes at once may be written down in the other order
                new = came_from.get(ahead.pop(), set()) - reached
                reached |= new
                ahead += new
            if version in reached:
                return True
            if len(reached) == before_page:  # a source brought what came before
                return False
    return False
