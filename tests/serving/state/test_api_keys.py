"""API keys: what opens, for how long, and what is stored of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from features.errors import UsageError
from serving.state.api_keys import ApiKey, add_key, any_key, digest, list_keys, revoke_keys, rotate_key
from serving.state.audit_log import audit_entries
from serving.state.database import Database

WHO = "somebody"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path}/state/kizuna.db") as opened:
        yield opened


def open_keys(records: Database, now: int) -> dict[str, ApiKey]:
    return {key.hash: key for key in list_keys(records) if key.opens(now)}


def test_a_key_opens_until_it_is_revoked_and_is_never_stored(records: Database, tmp_path: Path) -> None:
    text = add_key(records, "crm", ("score", "read"), now=7, who=WHO)
    key = open_keys(records, 7)[digest(text)]
    assert (key.name, key.scopes, key.created_at) == ("crm", ("read", "score"), 7)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert text.encode() not in stored
    revoke_keys(records, "crm", now=8, who=WHO)
    assert open_keys(records, 8) == {}
    assert not any_key(records)
    assert add_key(records, "crm", ("read",), now=9, who=WHO) != text, "the name is free again"


def test_revoking_a_name_closes_the_rotated_key_in_its_grace_too(records: Database) -> None:
    old = add_key(records, "crm", ("read",), now=1, who=WHO)
    new = rotate_key(records, "crm", 10, grace=1_000, who=WHO)
    assert set(open_keys(records, 11)) == {digest(old), digest(new)}
    assert revoke_keys(records, "crm", 20, who=WHO) == 2
    assert open_keys(records, 20) == {}


def test_a_second_rotation_leaves_the_first_grace_as_it_was(records: Database) -> None:
    add_key(records, "crm", ("read", "score"), now=1, who=WHO)
    rotate_key(records, "crm", 10, grace=100, who=WHO)
    newest = rotate_key(records, "crm", 20, grace=1_000, who=WHO)
    assert [key.revoked_at for key in list_keys(records)] == [110, 1_020, None]
    assert open_keys(records, 2_000)[digest(newest)].scopes == ("read", "score")


def test_a_rotation_that_fails_closes_nothing(records: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    old = add_key(records, "crm", ("read",), now=1, who=WHO)
    # A token that is not unique is what the database itself refuses.
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: old.removeprefix("kz_"))
    with pytest.raises(Exception, match="UNIQUE"):
        rotate_key(records, "crm", 10, grace=0, who=WHO)
    assert set(open_keys(records, 11)) == {digest(old)}
    assert [entry.action for entry in audit_entries(records)] == ["keys add"]


def test_two_rotations_at_once_leave_one_key_in_use(records: Database) -> None:
    add_key(records, "crm", ("read",), now=1, who=WHO)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda now: rotate_key(records, "crm", now, grace=0, who=WHO), range(10, 20)))
    assert len(open_keys(records, 100)) == 1


def test_keys_that_cannot_be_are_refused(records: Database) -> None:
    with pytest.raises(
        UsageError, match=r"^cannot give a key the scope 'root': the scopes are read, score, "
    ):
        add_key(records, "crm", ("root",), now=1, who=WHO)
    add_key(records, "crm", ("read",), now=1, who=WHO)
    with pytest.raises(UsageError) as refused:
        add_key(records, "crm", ("read",), now=2, who=WHO)
    assert str(refused.value) == (
        "cannot add a key named 'crm': one with that name is in use. "
        "Choose another name, or revoke that one first."
    )
    with pytest.raises(UsageError) as refused:
        revoke_keys(records, "zork", now=3, who=WHO)
    assert str(refused.value) == (
        "cannot revoke the key 'zork': no key in use has that name. "
        "See `kizuna keys list` for those there are."
    )
    with pytest.raises(UsageError, match=r"^cannot rotate the key 'zork': no key in use has that name"):
        rotate_key(records, "zork", 3, grace=0, who=WHO)
