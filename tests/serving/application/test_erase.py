"""Erasing a customer: what is left of them in any file of the project, read as tables and as bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.event_store import EventStore
from features.privacy.erasure import ErasureReceipt
from serving.cli.context import CliContext
from serving.cli.main import main
from tests.serving import shop

EMAIL, BIRTHDAY, NAME = "ann.o-neil@example.com", "1983-07-29", "c0003"
DATA = "data/"


@pytest.fixture
def known_shop(tmp_path: Path) -> Path:
    """A scored and planned shop that knows an e-mail address and a birthday of one customer each."""
    folder = tmp_path / "shop"
    shop.lay_out(folder)
    with (folder / "data" / "profiles.csv").open("w", encoding="utf-8") as file:
        file.write("customer,since,note,nick\n")
        for number in range(0, 240, 3):
            mine = number == 3
            note = EMAIL if mine else f"other-{number}@example.com"
            nick = BIRTHDAY if mine else f"19{number % 80 + 10}-01-01"
            file.write(f"c{number:04d},2024-01-01,{note},{nick}\n")
        file.write(f"only-known,2024-01-01,{EMAIL}.jp,2001-02-03\n")
    with (folder / "kizuna.toml").open("a", encoding="utf-8") as file:
        for name in ("note", "nick"):
            file.write(
                f'\n[[attributes]]\nname = "{name}"\nquery = "select customer as customer_id, '
                f"since as known_at, {name} as value "
                "from read_csv('data/profiles.csv', all_varchar = true)\"\n"
            )
    shop.ingest(folder)
    shop.learned(folder).save(folder / "bundle")
    shop.score_all(folder, folder / "bundle")
    return folder


def run(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> dict[str, object]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), "--json", *words])
    out = capsys.readouterr().out
    assert ended.value.code == 0, out
    answer: dict[str, object] = json.loads(out)
    return answer


def everything(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder but the sources' data, and what it says: as it lies there, and as a table."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name.startswith(DATA):
            continue
        yield name, path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            yield name, str(pq.ParquetFile(path).read().to_pydict()) + str(pq.read_metadata(path).metadata)
        if path.suffix == ".arrow":
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            dictionaries = [
                chunk.dictionary.to_pylist()
                for column in table.columns
                if pa.types.is_dictionary(column.type)
                for chunk in column.chunks
            ]
            yield name, str(table.to_pydict()) + str(table.schema.metadata) + str(dictionaries)


def test_no_file_says_the_id_or_a_value_of_an_erased_customer(
    known_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, known_shop, "plan", "--limit", "3")
    before = {name for name, text in everything(known_shop) if EMAIL in text}
    assert any(name.startswith("state/scores/") for name in before), "the files are searched where it stands"
    receipt = run(capsys, known_shop, "erase", NAME)
    for text in (EMAIL + '"', EMAIL + "'", BIRTHDAY, f'"{NAME}"', f"'{NAME}'"):
        found = [name for name, said in everything(known_shop) if text in said]
        assert [name for name in found if not name.startswith(("bundle/", "state/bundles/"))] == [], text
    assert receipt["score_files"] == 2
    assert receipt["backups"] == []


def test_the_receipt_lists_every_file_of_the_state_that_was_read(
    known_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, known_shop, "plan", "--limit", "3")
    receipt = run(capsys, known_shop, "erase", NAME)
    listed = receipt["checked"]
    assert isinstance(listed, list)
    state = {
        path.relative_to(known_shop).as_posix()
        for path in (known_shop / "state").rglob("*")
        if path.is_file()
    }
    left = receipt["left_in"]
    assert isinstance(left, list)
    passing = {name for name in state if name.endswith(("-wal", "-shm"))}
    assert state - passing <= {*listed, *left}
    for part in ("plans/", "scores/", "kizuna.db", "bundles/"):
        assert any(f"state/{part}" in name for name in [*listed, *left]), part


def test_what_only_attributes_say_of_a_customer_goes_too(
    known_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, known_shop, "erase", "only-known")
    assert [
        name
        for name, text in everything(known_shop)
        if f"{EMAIL}.jp" in text and not name.startswith(("bundle/", "state/bundles/"))
    ] == []


def test_an_erasure_that_was_killed_is_finished_by_asking_again(
    known_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, known_shop, "plan", "--limit", "3")
    plans, scores = known_shop / "state" / "plans", known_shop / "state" / "scores"
    saved = {file: file.read_bytes() for folder in (plans, scores) for file in folder.glob("*.arrow")}
    key = CliContext(known_shop).store.customers.keys(pa.array([NAME])).tolist()[0]
    CliContext(known_shop).store.erase(NAME)
    receipt = run(capsys, known_shop, "erase", NAME)
    assert receipt["events"] == 0
    assert receipt["score_files"] == len(list(scores.glob("*.arrow")))
    for file in saved:
        with pa.memory_map(str(file)) as source:
            assert key not in pa.ipc.open_file(source).read_all().column("key").to_pylist(), file


def test_scores_and_plans_that_are_saved_during_an_erasure_are_rewritten_too(
    known_shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, known_shop, "plan", "--limit", "3")
    state = known_shop / "state"
    saved = {
        file: file.read_bytes() for name in ("plans", "scores") for file in state.glob(f"{name}/*.arrow")
    }
    key = CliContext(known_shop).store.customers.keys(pa.array([NAME])).tolist()[0]
    erase_events = EventStore.erase

    def erase_and_save(store: EventStore, customer_id: str) -> ErasureReceipt:
        receipt = erase_events(store, customer_id)
        for file, content in saved.items():  # as a process does that held them since before
            file.write_bytes(content)
        return receipt

    monkeypatch.setattr(EventStore, "erase", erase_and_save)
    run(capsys, known_shop, "erase", NAME)
    for file in saved:
        with pa.memory_map(str(file)) as source:
            assert key not in pa.ipc.open_file(source).read_all().column("key").to_pylist(), file


def test_lists_beside_the_settings_are_searched_and_other_folders_named(
    known_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (known_shop / "list.csv").write_text(f"customer_id,risk\n{NAME},0.5\n", encoding="utf-8")
    (known_shop / "other.csv").write_text("customer_id,risk\nc0006,0.5\n", encoding="utf-8")
    receipt = run(capsys, known_shop, "erase", NAME)
    checked, left, unread = receipt["checked"], receipt["left_in"], receipt["not_read"]
    assert isinstance(checked, list)
    assert isinstance(left, list)
    assert isinstance(unread, list)
    assert "list.csv" in left
    assert "other.csv" in checked
    assert DATA in unread
