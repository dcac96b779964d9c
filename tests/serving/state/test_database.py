"""The database: which scores and champion are in use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy.exc import IntegrityError

from features.errors import DataError
from serving.state.database import Database
from serving.state.scores.score_index import (
    ScoreFile,
    current_champion,
    current_scores,
    scores_before,
    use_champion,
    use_scores,
)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path}/state/kizuna.db") as opened:
        yield opened


CHAMPION = ("1", "aaaaaaaaaaaa")


def scores(name: str, as_of: int) -> ScoreFile:
    return ScoreFile(name, as_of, "1", "data", 10, 99)


def test_the_scores_in_use_are_the_ones_made_current_last(records: Database) -> None:
    assert current_scores(records) is None
    for name, as_of in (("new.arrow", 300), ("old.arrow", 100), ("middle.arrow", 200)):
        use_scores(records, scores(name, as_of), CHAMPION)
    assert current_scores(records) == scores("middle.arrow", 200)


def test_the_scores_before_are_the_newest_of_an_earlier_date(records: Database) -> None:
    for name, as_of in (("a", 100), ("b", 200), ("c", 200), ("d", 300)):
        use_scores(records, scores(name, as_of), CHAMPION)
    found = scores_before(records, 300)
    assert found is not None
    assert found.file == "c"
    assert scores_before(records, 100) is None


def test_the_champion_in_use_is_the_last_one(records: Database) -> None:
    assert current_champion(records) is None
    use_champion(records, "1", "aaaaaaaaaaaa", 5)
    use_champion(records, "2", "bbbbbbbbbbbb", 6)
    assert current_champion(records) == ("2", "bbbbbbbbbbbb")


def test_scores_and_the_champion_that_made_them_change_together_or_not_at_all(records: Database) -> None:
    use_scores(records, scores("a", 1), CHAMPION)
    with pytest.raises(IntegrityError):  # a file without a name cannot be stored
        use_scores(records, replace(scores("b", 2), file=cast(str, None)), ("2", "bbbbbbbbbbbb"))
    assert current_champion(records) == CHAMPION
    assert current_scores(records) == scores("a", 1)
    use_scores(records, scores("b", 2), ("2", "bbbbbbbbbbbb"))
    assert current_champion(records) == ("2", "bbbbbbbbbbbb")
    assert current_scores(records) == scores("b", 2)


def test_several_may_write_at_once(records: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: use_scores(records, scores(str(n), n), CHAMPION), range(100)))
    found = [scores_before(records, as_of + 1) for as_of in range(100)]
    assert [file.as_of for file in found if file] == list(range(100))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kizuna.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError) as refused:
        Database(f"sqlite:///{tmp_path}/kizuna.db")
    assert str(refused.value) == (
        f"cannot open the records at sqlite:///{tmp_path}/kizuna.db: file is not a database. "
        "Check that the database can be reached and written."
    )


def test_readers_go_on_while_one_writes(records: Database, tmp_path: Path) -> None:
    use_scores(records, scores("a", 1), CHAMPION)
    writer = sqlite3.connect(tmp_path / "state" / "kizuna.db", isolation_level=None)
    writer.execute("begin immediate")
    assert current_scores(records) == scores("a", 1)
    writer.execute("rollback")
    writer.close()
