"""A run read from its pages says what Arrow says of it, and what Arrow must read is read by Arrow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import DamagedFile
from features.storage import parquet_pages, row_order, run_reader, sorted_run
from features.storage.run_reader import RunColumns, read_columns
from features.storage.sorted_run import RunRows
from features.storage.string_dictionary import StringDictionary
from features.timeline import ALWAYS

COLUMNS = frozenset({"value", "channel", "place", "detail"})


def run(folder: Path, events: int, customers: int, details: int, nulls: float, seed: int) -> Path:
    """A run as the store writes it."""
    dice, vocabulary = np.random.default_rng(seed), StringDictionary()
    names = pa.array([f"text {n}" for n in range(details + 5)])
    vocabulary.codes(names, grow=True)
    keys = np.sort(dice.integers(0, customers, events)) * 16

    def codes(first: int, last: int) -> np.ndarray:
        drawn = dice.integers(first, last, events).astype(np.int32)
        return np.where(dice.random(events) < nulls, np.int32(-1), drawn)

    rows = RunRows(
        keys,
        np.sort(dice.integers(0, 2**50, events)),
        np.where(dice.random(events) < nulls, dice.integers(0, 2**50, events), ALWAYS),
        np.where(dice.random(events) < nulls, np.nan, dice.normal(size=events)),
        kinds=dice.integers(0, 4, events).astype(np.int32),
        channels=codes(0, 1),
        places=np.full(events, -1, np.int32),
        details=codes(4, details + 5),
        sources=np.full(events, 2, np.int32),
        ids=pa.array([f"e{n}" for n in range(events)], pa.large_string()),
    )
    prints = np.arange(customers * 16 + 1, dtype=np.uint64)
    sorted_run.write(folder / "run.parquet", rows, vocabulary, (prints, prints))
    return folder / "run.parquet"


def said(part: RunColumns) -> dict[str, list[object]]:
    columns = {name: [(*names, None)[code] for code in codes] for name, (codes, names) in part.texts.items()}
    return {
        "key": np.repeat(part.keys, np.diff(part.starts)).tolist(),
        "at": part.instants.tolist(),
        "recorded": part.recorded.tolist(),
        "value": [None if np.isnan(value) else value for value in part.values.tolist()],
        **columns,
    }


def by_arrow(path: Path) -> RunColumns:
    footer = pq.read_metadata(path)
    return run_reader._from_arrow(path, footer, tuple(range(footer.num_row_groups)), COLUMNS)


@settings(deadline=None, max_examples=60)
@given(
    events=st.one_of(st.integers(1, 70), st.integers(1, 3000)),
    customers=st.sampled_from([1, 2, 30, 3000]),
    details=st.sampled_from([1, 2, 100, 300, 70_000]),
    nulls=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_the_pages_say_what_arrow_says(tmp_path_factory, events, customers, details, nulls, seed):
    path = run(tmp_path_factory.mktemp("run"), events, customers, details, nulls, seed)
    footer = pq.read_metadata(path)
    found = run_reader._from_pages(path, footer, tuple(range(footer.num_row_groups)), COLUMNS)
    assert found is not None
    assert said(found) == said(by_arrow(path))


def test_stretches_and_codes_go_on_over_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(sorted_run, "ROW_GROUP", 1000)
    path = run(tmp_path, 10_000, 7, 50, 0.1, 3)
    assert pq.read_metadata(path).num_row_groups == 10
    found = read_columns(path, COLUMNS)
    assert said(found) == said(by_arrow(path))
    assert found.keys.tolist() == [16 * n for n in range(7)]


@pytest.mark.parametrize("layout", [
    {"compression": "zstd"},
    {"use_dictionary": False},
    {"data_page_version": "2.0"},
    {"row_group_size": 500, "data_page_size": 100},
    {"dictionary_pagesize_limit": 64},
])  # fmt: skip
def test_a_run_in_another_layout_is_read_all_the_same(tmp_path, layout):
    path = run(tmp_path, 3000, 30, 300, 0.05, 5)
    wanted = said(by_arrow(path))
    table = pq.read_table(path, read_dictionary=list(sorted_run.TEXTS), partitioning=None)
    pq.write_table(table.replace_schema_metadata({"kizuna.digest": "1"}), path, **layout)
    assert said(read_columns(path, COLUMNS)) == wanted


def test_a_damaged_page_is_an_error_and_no_crash(tmp_path):
    path = run(tmp_path, 3000, 30, 300, 0.05, 5)
    whole, dice = path.read_bytes(), np.random.default_rng(1)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for _ in range(200):
        broken = bytearray(whole)
        for at in dice.integers(4, footer, 3):
            broken[at] = dice.integers(0, 256)
        path.write_bytes(broken)
        try:
            found = read_columns(path, COLUMNS)
        except DamagedFile:
            continue
        assert len(found) == 3000


@pytest.mark.parametrize("bit", [42, 52, 62, 63])  # 51 days, 142 years, and no date at all
def test_an_instant_that_lost_a_bit_is_damage(tmp_path, bit):
    path = run(tmp_path, 3000, 30, 300, 0.05, 5)  # an event every four days
    whole, instants = bytearray(path.read_bytes()), read_columns(path, COLUMNS).instants
    place = whole.index(instants[1500:1502].tobytes())  # they lie plain in the page
    moment = int.from_bytes(whole[place : place + 8], "little") ^ 1 << bit
    whole[place : place + 8] = moment.to_bytes(8, "little")
    path.write_bytes(whole)
    with pytest.raises(DamagedFile, match=r"damaged \(its events are not in order\)"):
        read_columns(path, COLUMNS)


def test_the_order_of_events_is_that_within_customers():
    instants, starts = np.array([5, 7, 7, 3, 9]), np.array([0, 3, 5])
    assert row_order.in_order(starts, instants, 3, 10)
    assert not row_order.in_order(starts, instants, 4, 10)  # one is too early
    assert not row_order.in_order(starts, instants, 3, 9)  # one is too late
    assert not row_order.in_order(np.array([0, 2, 5]), instants, 3, 10)
    assert not row_order.in_order(np.array([0, 5]), instants, 3, 10)
    assert row_order.in_order(np.zeros(1, np.int64), np.empty(0, np.int64), 3, 10)


def test_a_column_that_begins_to_speak_in_a_later_row_group_says_what_arrow_says(tmp_path):
    path = run(tmp_path, 500, 9, 20, 0.0, 7)
    table = pq.read_table(path, read_dictionary=list(sorted_run.TEXTS), partitioning=None)
    early = pa.array(np.arange(len(table)) < 250)
    for name in ("recorded_at", "value"):
        spoken = pa.compute.if_else(
            early,
            pa.scalar(None, table[name].type),
            table["occurred_at"].cast(pa.int64()).cast(table[name].type),
        )
        table = table.set_column(table.column_names.index(name), name, spoken)
    pq.write_table(
        table.replace_schema_metadata({"kizuna.digest": "1"}), path, row_group_size=100, compression="none",
        use_dictionary=["key", *sorted_run.TEXTS], data_page_size=1 << 30,
    )  # fmt: skip
    footer = pq.read_metadata(path)
    found = run_reader._from_pages(path, footer, tuple(range(footer.num_row_groups)), COLUMNS)
    assert found is not None
    assert said(found) == said(by_arrow(path))
    assert np.isnan(found.values[:250]).all()
    assert not np.isnan(found.values[250:]).any()


def test_a_level_that_is_neither_yes_nor_no_is_no_page_of_ours():
    # One run length of three rows: four bytes of size, the count doubled, the level.
    page = np.array([2, 0, 0, 0, 6, 1, *bytes(8)], np.uint8)
    assert parquet_pages._levels(page, 0, 14, 3)[1] == 3
    page[5] = 0
    assert parquet_pages._levels(page, 0, 14, 3)[1] == 0
    mixed = np.array([4, 0, 0, 0, 4, 1, 2, 0, *bytes(8)], np.uint8)  # two rows with one, one without
    assert parquet_pages._levels(mixed, 0, 16, 3)[1:][0] == 2
    mixed[5] = 2
    assert parquet_pages._levels(mixed, 0, 16, 3)[1] == -1


def test_only_the_wanted_customers_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(sorted_run, "ROW_GROUP", 500)
    path = run(tmp_path, 3000, 30, 300, 0.05, 5)
    found, everyone = read_columns(path, COLUMNS, np.array([16, 17, 320])), said(read_columns(path, COLUMNS))
    rows = [row for row, key in enumerate(everyone["key"]) if key in (16, 320)]
    assert said(found) == {name: [column[row] for row in rows] for name, column in everyone.items()}
    assert found.ids().to_pylist() == [f"e{row}" for row in rows]
    assert found.groups == (0, 3, 4)
