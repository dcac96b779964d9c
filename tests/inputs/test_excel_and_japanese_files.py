"""Excel workbooks and Japanese text files as people have them, read by a query of `kizuna.toml`."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from features.errors import ConfigurationError
from features.ingestion.sources import Source, SourceReader
from tests.inputs.workbooks import Padded, write_workbook

READ = "select * from read_csv('{}', header = true, all_varchar = true)"
HEADER = ("会員番号", "売上日", "金額", "備考")


def rows(folder: Path, path: str, **options: str) -> list[tuple[str | None, ...]]:
    query = READ.format(path)
    if options:
        query = query[:-1] + "".join(f", {name} = {value}" for name, value in options.items()) + ")"
    table = pa.concat_tables(list(SourceReader(Source(name="excel", query=query), folder)))
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_a_workbook_keeps_leading_zeros_and_reads_dates_as_dates(tmp_path):
    write_workbook(
        tmp_path / "data/売上.xlsx",
        {
            "売上": [
                HEADER,
                ("000123", date(2024, 5, 1), 7920, "髙橋①"),
                (Padded(124), datetime.fromisoformat("2024-05-02 23:30"), 99.5, None),
                (125, "2024/05/03", "1,200円", "NA"),
            ]
        },
    )
    assert rows(tmp_path, "xlsx://data/売上.xlsx") == [
        ("000123", "2024-05-01", "7920", "髙橋①"),
        ("000124", "2024-05-02 23:30:00", "99.5", None),
        ("125", "2024/05/03", "1,200円", "NA"),
    ]


def test_titles_and_blank_rows_above_and_between_the_rows_of_a_table_are_passed_over(tmp_path):
    sheet = [
        ("売上一覧",),
        (),
        HEADER,
        ("01", date(2024, 5, 1), 10, "a"),
        (),
        ("02", date(2024, 5, 2), 20, "b"),
    ]
    write_workbook(tmp_path / "x.xlsx", {"Sheet1": sheet, "Sheet2": []})
    assert rows(tmp_path, "xlsx://x.xlsx") == [
        ("01", "2024-05-01", "10", "a"),
        ("02", "2024-05-02", "20", "b"),
    ]


def test_one_sheet_of_several_is_named_after_a_sign_and_all_by_a_star(tmp_path):
    april, may = (HEADER, ("1", date(2024, 4, 1), 1, "x")), (HEADER, ("2", date(2024, 5, 1), 2, "y"))
    write_workbook(tmp_path / "x.xlsx", {"4月": april, "5月": may})
    assert rows(tmp_path, "xlsx://x.xlsx#5月") == [("2", "2024-05-01", "2", "y")]
    both = [("1", "2024-04-01", "1", "x"), ("2", "2024-05-01", "2", "y")]
    assert sorted(rows(tmp_path, "xlsx://x.xlsx#*", union_by_name="true")) == both
    write_workbook(tmp_path / "more/y.xlsx", {"6月": (HEADER, ("3", date(2024, 6, 1), 3, "z"))})
    every = sorted(rows(tmp_path, "xlsx://**/*.xlsx#*", union_by_name="true"))
    assert every == [*both, ("3", "2024-06-01", "3", "z")]


def test_a_workbook_with_several_sheets_is_refused_with_their_names_until_one_is_named(tmp_path):
    write_workbook(tmp_path / "x.xlsx", {"4月": (HEADER,), "5月": (HEADER,)})
    with pytest.raises(ConfigurationError, match=r"has the sheets 4月, 5月: name one after a #, as in 'xlsx"):
        rows(tmp_path, "xlsx://x.xlsx")
    with pytest.raises(ConfigurationError, match=r"'x\.xlsx' has no sheet '6月'; it has 4月, 5月"):
        rows(tmp_path, "xlsx://x.xlsx#6月")


def test_a_file_that_is_no_workbook_or_empty_is_refused_by_name(tmp_path):
    (tmp_path / "x.xlsx").write_text("会員番号,売上日\n1,2024-05-01\n")
    with pytest.raises(ConfigurationError, match=r"'x\.xlsx' cannot be read as an Excel workbook"):
        rows(tmp_path, "xlsx://x.xlsx")
    write_workbook(tmp_path / "y.xlsx", {"Sheet1": []})
    with pytest.raises(ConfigurationError, match=r"'y\.xlsx' holds nothing"):
        rows(tmp_path, "xlsx://y.xlsx")


def test_windows_letters_are_read_as_cp932_and_the_error_of_shift_jis_says_so(tmp_path):
    (tmp_path / "x.csv").write_bytes("会員番号,氏名\n001,①髙橋﨑\n".encode("cp932"))
    assert rows(tmp_path, "cp932://x.csv") == [("001", "①髙橋﨑")]
    with pytest.raises(
        ConfigurationError, match="it is cp932 text: write 'cp932://' instead of 'shift_jis://'"
    ):
        rows(tmp_path, "shift_jis://x.csv")


def test_a_file_that_is_no_avro_file_is_refused_by_name(tmp_path):
    (tmp_path / "x.avro").write_bytes(b"Obj\x01 and then nothing")
    query = (
        "select * from read_json('avro://x.avro', format = 'newline_delimited', columns = {id: 'VARCHAR'})"
    )
    with pytest.raises(ConfigurationError, match=r"'x\.avro' cannot be read as an Avro file"):
        list(SourceReader(Source(name="avro", query=query), tmp_path))
