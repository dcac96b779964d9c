"""Folders of output: complete or not at all, and never in the place of what is somebody else's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from features.errors import UsageError
from serving.state.output_folder import ABANDONED_SECONDS, folder_in_one_step

OURS = re.compile(r"part-\d\.txt")


def write(folder: Path, *names: str) -> None:
    with folder_in_one_step(folder, OURS) as unfinished:
        for name in names:
            (unfinished / name).write_text(name, encoding="ascii")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_folder_takes_the_place_of_an_earlier_one_with_all_its_files(tmp_path: Path) -> None:
    target = tmp_path / "out [1]"
    write(target, "part-0.txt", "part-1.txt", "part-2.txt")
    assert names(target) == ["part-0.txt", "part-1.txt", "part-2.txt"]
    write(target, "part-5.txt", ".part-5.txt.unfinished")
    assert names(target) == ["part-5.txt"], "what a killed worker left unfinished is no part"
    assert names(tmp_path) == ["out [1]"]


def test_an_error_leaves_the_earlier_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write(target, "part-0.txt")
    with pytest.raises(NotADirectoryError):
        write(target, "part-1.txt", "part-1.txt/inside")
    assert names(target) == ["part-0.txt"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("foreign", ["notes.md", ".hidden"])
def test_a_folder_with_other_files_is_refused_before_and_after_the_work(tmp_path: Path, foreign: str) -> None:
    target, worked = tmp_path / "out", []
    target.mkdir()
    (target / foreign).write_text("mine", encoding="ascii")
    sentence = (
        f"cannot write the folder {target}: it holds {foreign}, which is none of its files, and would be "
        "deleted. Give another --output."
    )
    with pytest.raises(UsageError) as refused, folder_in_one_step(target, OURS):
        worked.append(1)
    assert (refused.value.message, worked) == (sentence, [])
    (target / foreign).rename(tmp_path / "aside")
    with pytest.raises(UsageError) as refused, folder_in_one_step(target, OURS):
        (tmp_path / "aside").rename(target / foreign)
    assert refused.value.message == sentence
    assert names(target) == [foreign]
    assert names(tmp_path) == ["out"]


def test_a_file_of_that_name_and_a_missing_parent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match=r"there is a file of that name\. Give another --output"):
        write(tmp_path / "out")
    with pytest.raises(UsageError, match=r"there is no folder .*/no\. Make it, or give another --output"):
        write(tmp_path / "no" / "out")


def test_what_a_killed_run_left_long_ago_is_deleted_and_what_another_run_writes_stays(tmp_path: Path) -> None:
    old, running, foreign = (
        tmp_path / name for name in (".out.0123456789ab.new", ".out.ba9876543210.new", ".out.somebody.new")
    )
    for folder in (old, running, foreign):
        folder.mkdir()
    for folder in (old, foreign):
        past = folder.stat().st_mtime - ABANDONED_SECONDS - 60
        os.utime(folder, (past, past))
    write(tmp_path / "out", "part-0.txt")
    assert names(tmp_path) == sorted([running.name, foreign.name, "out"])
