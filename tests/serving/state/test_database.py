"""Records: which scores and champion are in use, and which keys open what."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from features.errors import DataError, UsageError
from serving.state.database import Database, ScoreFile


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path}/state/kizuna.db") as opened:
        yield opened


def scores(name: str, as_of: int) -> ScoreFile:
    return ScoreFile(name, as_of, "1", "data", 10, 99)


def test_the_scores_in_use_are_the_ones_made_current_last(records: Database) -> None:
    assert records.scores() is None
    for name, as_of in (("new.arrow", 300), ("old.arrow", 100), ("middle.arrow", 200)):
        records.use_scores(scores(name, as_of))
    assert records.scores() == scores("middle.arrow", 200)


def test_the_scores_before_are_the_newest_of_an_earlier_date(records: Database) -> None:
    for name, as_of in (("a", 100), ("b", 200), ("c", 200), ("d", 300)):
        records.use_scores(scores(name, as_of))
    found = records.scores_before(300)
    assert found is not None
    assert found.file == "c"
    assert records.scores_before(100) is None


def test_the_champion_in_use_is_the_last_one(records: Database) -> None:
    assert records.champion() is None
    records.use_champion("1", "aaaaaaaaaaaa", 5)
    records.use_champion("2", "bbbbbbbbbbbb", 6)
    assert records.champion() == ("2", "bbbbbbbbbbbb")


def test_a_key_opens_until_it_is_revoked_and_is_never_kept(records: Database, tmp_path: Path) -> None:
    text = records.add_key("crm", ("score", "read"), now=7)
    key = records.key(text)
    assert key is not None
    assert (key.name, key.scopes, key.created_at) == ("crm", ("read", "score"), 7)
    assert records.key(text + "x") is None
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert text.encode() not in kept
    records.revoke_key("crm", now=8)
    assert records.key(text) is None
    assert not records.any_key()
    assert records.add_key("crm", ("read",), now=9) != text, "the name is free again"


def test_keys_that_cannot_be_are_refused(records: Database) -> None:
    with pytest.raises(
        UsageError, match=r"^cannot give a key the scope 'root': the scopes are read, score, "
    ):
        records.add_key("crm", ("root",), now=1)
    records.add_key("crm", ("read",), now=1)
    with pytest.raises(UsageError) as refused:
        records.add_key("crm", ("read",), now=2)
    assert str(refused.value) == (
        "cannot add a key named 'crm': one with that name is in use. "
        "Choose another name, or revoke that one first."
    )
    with pytest.raises(UsageError) as refused:
        records.revoke_key("zork", now=3)
    assert str(refused.value) == (
        "cannot revoke the key 'zork': no key in use has that name. "
        "See `kizuna keys list` for those there are."
    )


def test_several_may_write_at_once(records: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: records.use_scores(scores(str(n), n)), range(100)))
    found = [records.scores_before(as_of + 1) for as_of in range(100)]
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
    records.use_scores(scores("a", 1))
    writer = sqlite3.connect(tmp_path / "state" / "kizuna.db", isolation_level=None)
    writer.execute("begin immediate")
    assert records.scores() == scores("a", 1)
    writer.execute("rollback")
    writer.close()
