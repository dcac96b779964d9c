"""A plan is made once, for the scores in use, and contacts nobody who asked to be left alone."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from serving.actions.plan_file import FOLDER, load
from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.schemas.terms import OUTCOMES
from tests.serving.actions.test_playbook import HEAD, rule

IN_OPEN = 0x20
"""The inotify event of a file that is opened, to read or to write."""


@contextmanager
def opened(folder: Path) -> Iterator[list[str]]:
    """The names of the files that are opened inside a folder, by whatever library, once the block ends."""
    libc, names = ctypes.CDLL(None, use_errno=True), list[str]()
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(descriptor, os.fsencode(folder), IN_OPEN) >= 0
    try:
        yield names
        try:
            events = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return
        while events:
            _, _, _, length = struct.unpack_from("iIII", events)
            names.append(events[16 : 16 + length].rstrip(b"\0").decode())
            events = events[16 + length :]
    finally:
        os.close(descriptor)


def test_the_plan_file_is_written_and_not_opened_again(own_shop: Path) -> None:
    with CliContext(own_shop).workspace() as workspace:
        folder = workspace.project.state / FOLDER
        folder.mkdir(exist_ok=True)
        with opened(folder) as names:
            made = make_plan(workspace, COMMAND_LINE)
        (file,) = folder.iterdir()
        assert file.name not in names
        with opened(folder) as names:
            load(file)
        assert file.name in names
    assert made.scores.plan is made.plan
    assert made.scores.file == file.name


def test_a_playbook_without_the_line_leaves_alone_whoever_asked_for_it(own_shop: Path) -> None:
    with CliContext(own_shop).workspace() as workspace:
        keys = make_plan(workspace, COMMAND_LINE).scores.scores.answers.key
        customers = workspace.store.customers.names(keys).to_pylist()
        asked = {"occurred_at": "2024-06-01T09:00:00", "kind": "attribute.do_not_contact", "detail": "yes"}
        rows = [{"customer_id": customer} | asked for customer in customers[::2]]
        workspace.store.add(
            pa.Table.from_pylist(rows),
            source="table",
            timeline=workspace.project.timeline,
            now=workspace.clock(),
        )
        (own_shop / "playbook.toml").write_text(HEAD + rule("all"), encoding="utf-8")
        table = make_plan(workspace, COMMAND_LINE).plan.table
        assert pc.sum(table.column("do_not_contact")).as_py() == len(rows)
        alone = table.filter(table.column("do_not_contact")).column("outcome").to_pylist()
        assert {OUTCOMES[number] for number in alone} == {"do_not_contact"}
        assert OUTCOMES.index("planned") in table.column("outcome").to_pylist()
