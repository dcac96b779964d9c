"""The playbook is saved in one step, never over somebody else's text, and no text is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from features.errors import ChangedMeanwhile, ConfigurationError, Forbidden, UsageError
from serving.actions.playbook import FILE, default_text
from serving.application.access.audit import audit
from serving.application.permissions import COMMAND_LINE, OPEN_CONSOLE, person
from serving.application.playbook import stored_file
from serving.application.playbook.save import playbook_conflict, restore_version, save_playbook
from serving.application.playbook.stored_file import NO_FILE, PlaybookStore
from serving.application.playbook.versions import playbook_version, playbook_versions
from serving.application.workspace import Workspace
from serving.cli.context import CliContext
from serving.state.playbook_versions import text_of_version
from tests.serving.actions.test_playbook import HEAD, rule

ANN, BOB = person("ann", "marketer"), person("bob", "administrator")
ONE, TWO = HEAD + rule("one"), HEAD + rule("two")


@pytest.fixture
def shop(own_shop: Path) -> Iterator[Workspace]:
    with CliContext(own_shop).workspace() as workspace:
        yield workspace


def in_file(workspace: Workspace) -> str:
    return (workspace.project.folder / FILE).read_bytes().decode()


def opened(workspace: Workspace) -> str:
    return PlaybookStore(workspace).read().fingerprint


def listed(workspace: Workspace) -> list[tuple[int, str, str, str]]:
    found = playbook_versions(workspace, COMMAND_LINE).versions
    return [(one.number, one.how, one.who, one.note) for one in found]


def test_a_saved_playbook_is_in_the_file_and_among_the_versions_the_newest_first(shop: Workspace) -> None:
    save_playbook(shop, ANN, ONE, NO_FILE, " a first one ")
    save_playbook(shop, BOB, TWO, opened(shop))
    assert in_file(shop) == TWO
    assert listed(shop) == [(2, "saved", "bob", ""), (1, "saved", "ann", "a first one")]
    found = playbook_versions(shop, COMMAND_LINE)
    assert found.in_force == found.versions[0].fingerprint != found.versions[1].fingerprint
    assert text_of_version(shop.database, 1) == ONE
    entries = [(one.who, one.action) for one in audit(shop, COMMAND_LINE).entries]
    assert entries[:2] == [("bob", "playbook saved"), ("ann", "playbook saved")]


def test_of_two_editors_the_second_is_refused_and_shown_both_texts(shop: Workspace) -> None:
    save_playbook(shop, ANN, ONE, NO_FILE)
    both = opened(shop)
    save_playbook(shop, ANN, ONE.replace("deadline_days = 3", "deadline_days = 5"), both)
    with pytest.raises(ChangedMeanwhile, match="changed after you opened it"):
        save_playbook(shop, BOB, TWO, both)
    conflict = playbook_conflict(shop, BOB, TWO)
    assert "deadline_days = 5" in in_file(shop) == conflict.stored
    assert [(one.kind, one.text) for one in conflict.difference if one.kind != "same"] == [
        ("removed", 'name = "one"'), ("added", 'name = "two"'),
        ("removed", "deadline_days = 5"), ("added", "deadline_days = 3"),
    ]  # fmt: skip
    save_playbook(shop, BOB, TWO, conflict.fingerprint)
    assert in_file(shop) == TWO


def test_a_file_that_changes_while_it_is_saved_is_not_overwritten(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first look and the writing somebody else's editor saves."""
    save_playbook(shop, ANN, ONE, NO_FILE)
    remember = PlaybookStore.remember_outside_change

    def remember_then_edit(store: PlaybookStore) -> None:
        remember(store)
        (store.workspace.project.folder / FILE).write_text(TWO, encoding="utf-8")

    monkeypatch.setattr(PlaybookStore, "remember_outside_change", remember_then_edit)
    with pytest.raises(ChangedMeanwhile):
        save_playbook(shop, ANN, ONE.replace("one", "three"), opened(shop))
    assert in_file(shop) == TWO
    monkeypatch.undo()
    assert [one[:2] for one in listed(shop)] == [(2, "outside"), (1, "saved")]


def test_a_file_edited_by_hand_becomes_a_version_at_the_next_look(shop: Workspace) -> None:
    (shop.project.folder / FILE).write_text(ONE, encoding="utf-8")
    assert listed(shop) == [(1, "outside", "", "")]
    assert listed(shop) == [(1, "outside", "", "")]
    save_playbook(shop, ANN, TWO, opened(shop))
    (shop.project.folder / FILE).write_text(ONE + "# by hand\n", encoding="utf-8")
    save_playbook(shop, ANN, ONE, opened(shop))
    assert [one[:3] for one in listed(shop)] == [
        (4, "saved", "ann"), (3, "outside", ""), (2, "saved", "ann"), (1, "outside", ""),
    ]  # fmt: skip
    assert text_of_version(shop.database, 3) == ONE + "# by hand\n"


def test_an_earlier_version_comes_back_as_a_new_one(shop: Workspace) -> None:
    save_playbook(shop, ANN, ONE, NO_FILE)
    save_playbook(shop, ANN, TWO, opened(shop))
    shown = playbook_version(shop, BOB, 1)
    assert [one.text for one in shown.difference if one.kind == "added"] == ['name = "one"']
    saved = restore_version(shop, BOB, 1, shown.in_force).version
    assert saved is not None
    assert (saved.number, saved.how, saved.who, saved.restored) == (3, "restored", "bob", 1)
    assert in_file(shop) == ONE
    with pytest.raises(ChangedMeanwhile):
        restore_version(shop, BOB, 2, shown.in_force)
    with pytest.raises(UsageError, match="version 9 of the playbook: there is none"):
        restore_version(shop, BOB, 9, opened(shop))
    with pytest.raises(UsageError, match="version 9 of the playbook: there is none"):
        playbook_version(shop, BOB, 9)


def test_the_same_text_makes_no_version(shop: Workspace) -> None:
    save_playbook(shop, ANN, ONE, NO_FILE)
    assert save_playbook(shop, ANN, ONE.replace("\n", "\r\n"), opened(shop)).version is None
    assert len(listed(shop)) == 1


def test_line_ends_stay_those_of_the_file_whatever_a_browser_sends(shop: Workspace) -> None:
    save_playbook(shop, ANN, ONE.replace("\n", "\r\n").rstrip(), NO_FILE)
    assert in_file(shop) == ONE
    (shop.project.folder / FILE).write_bytes(ONE.replace("\n", "\r\n").encode())
    save_playbook(shop, ANN, TWO, opened(shop))
    assert in_file(shop) == TWO.replace("\n", "\r\n")
    assert playbook_versions(shop, ANN).in_force == playbook_versions(shop, ANN).versions[0].fingerprint


def test_a_text_that_cannot_be_used_is_not_saved(shop: Workspace) -> None:
    for text, line in ((ONE + "x =\n", 23), (HEAD + rule("one", 'stage = "nowhere"'), 18), ("", 1)):
        with pytest.raises(ConfigurationError, match=f"line {line}"):
            save_playbook(shop, ANN, text, NO_FILE)
    assert not (shop.project.folder / FILE).exists()
    assert listed(shop) == []


def test_a_file_that_cannot_be_written_leaves_no_version(shop: Workspace) -> None:
    """A folder in the place of the file cannot be replaced by anybody."""
    save_playbook(shop, ANN, ONE, NO_FILE)
    before = opened(shop)
    (shop.project.folder / FILE).rename(shop.project.folder / "kept.toml")
    (shop.project.folder / FILE).mkdir()
    with pytest.raises(ConfigurationError, match=r"cannot read .*playbook.toml"):
        save_playbook(shop, ANN, TWO, before)
    (shop.project.folder / FILE).rmdir()
    (shop.project.folder / "kept.toml").rename(shop.project.folder / FILE)
    assert [one[:2] for one in listed(shop)] == [(1, "saved")]


def test_a_disk_that_is_full_takes_the_version_back(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    save_playbook(shop, ANN, ONE, NO_FILE)

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConfigurationError, match=r"No space left on device\. Nothing was saved"):
        save_playbook(shop, ANN, TWO, opened(shop))
    monkeypatch.undo()
    assert in_file(shop) == ONE
    assert [one[:2] for one in listed(shop)] == [(1, "saved")]
    assert [file.name for file in shop.project.folder.iterdir() if file.name.startswith(".")] == []


def test_a_commit_that_fails_after_the_file_was_written_loses_no_text(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends between the two: the next look finds the text in the file."""
    (shop.project.folder / FILE).write_text(ONE, encoding="utf-8")
    write = stored_file._write

    def write_then_fail(*arguments: object) -> None:
        write(*arguments)  # type: ignore[arg-type]
        raise OperationalError("commit", None, Exception("the database is away"))

    monkeypatch.setattr(stored_file, "_write", write_then_fail)
    with pytest.raises(OperationalError):
        save_playbook(shop, ANN, TWO, opened(shop))
    monkeypatch.undo()
    assert in_file(shop) == TWO
    assert [one[:2] for one in listed(shop)] == [(2, "outside"), (1, "outside")]
    assert [text_of_version(shop.database, number) for number in (1, 2)] == [ONE, TWO]


def test_only_marketers_and_administrators_change_it_and_everyone_reads_it(shop: Workspace) -> None:
    save_playbook(shop, ANN, ONE, NO_FILE)
    for actor in (person("vic", "viewer"), person("ana", "analyst"), OPEN_CONSOLE):
        assert len(playbook_versions(shop, actor).versions) == 1
        assert playbook_version(shop, actor, 1).text == ONE
        with pytest.raises(Forbidden):
            save_playbook(shop, actor, TWO, opened(shop))
        with pytest.raises(Forbidden):
            restore_version(shop, actor, 1, opened(shop))
    assert in_file(shop) == ONE


def test_a_file_that_is_no_text_is_refused_and_kept(shop: Workspace) -> None:
    (shop.project.folder / FILE).write_bytes(b"\x82\xa0")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        save_playbook(shop, ANN, default_text(), opened(shop))
    assert (shop.project.folder / FILE).read_bytes() == b"\x82\xa0"


def test_a_note_that_is_too_long_is_refused(shop: Workspace) -> None:
    with pytest.raises(UsageError, match="longer than 500 characters"):
        save_playbook(shop, ANN, ONE, NO_FILE, "x" * 501)
