"""`kizuna init` over files of one's own: it tells the columns apart, and what it proposes reads right."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.cli.main import main
from serving.project.proposal.consent_columns import ConsentColumn, consent_column
from serving.project.settings import read
from tests.inputs.exports import Event, events
from tests.inputs.workbooks import write_workbook

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def kizuna(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """One call of the command: its exit code, its JSON, and what it said on standard error."""
    monkeypatch.setenv("LC_ALL", "C")

    def run(*arguments: str | Path) -> tuple[int, Any, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["--json", *(str(argument) for argument in arguments)])
        said = capsys.readouterr()
        return int(end.value.code or 0), json.loads(said.out) if said.out else None, said.err

    return run


def proposed(kizuna: Run, folder: Path, *options: str) -> list[dict[str, Any]]:
    """The sources that are proposed for the files of a folder."""
    code, said, err = kizuna("init", folder, *options)
    assert code == 0, err
    sources: list[dict[str, Any]] = said["sources"]
    return sources


def ingested(kizuna: Run, folder: Path) -> list[Event]:
    code, receipt, err = kizuna("-C", folder, "ingest")
    assert code == 0, err
    assert {source["quarantined"] for source in receipt["sources"]} == {0}
    return events(folder)


def test_a_japanese_shops_orders_are_told_apart_and_cancelled_ones_go_back(tmp_path, kizuna):
    (tmp_path / "data").mkdir()
    lines = [
        "注文番号,会員番号,氏名,受注日時,合計,ステータス,キャンセル日時,商品名",
        'A1,00012,髙橋,2024/05/01 00:30:00,"7,920円",発送済み,,煎茶①',
        "A2,00013,山﨑,2024/05/01 10:00:00,3300円,キャンセル,2024/05/02 09:00:00,急須",
        "A3,00012,髙橋,2024/05/03 10:00:00,500円,購入処理中,,急須",
    ]
    (tmp_path / "data/受注.csv").write_bytes("\r\n".join(lines).encode("cp932"))
    [source] = proposed(kizuna, tmp_path, "--language", "ja")
    assert (source["path"], source["ready"], source["problem"]) == ("cp932://data/受注.csv", True, "")
    assert source["columns"] == {
        "customer": "会員番号",
        "moment": "受注日時",
        "amount": "合計",
        "number": "注文番号",
        "state": "ステータス",
        "cancelled_at": "キャンセル日時",
        "detail": "商品名",
    }
    assert source["rows"][0] == {
        "customer": "00012",
        "moment": "2024-05-01 00:30:00",
        "kind": "purchase",
        "value": 7920.0,
    }
    assert ingested(kizuna, tmp_path) == [
        ("00012", "2024-04-30 15:30:00", "purchase", 7920.0, "煎茶①"),
        ("00013", "2024-05-01 01:00:00", "purchase", 3300.0, "急須"),
        ("00013", "2024-05-02 00:00:00", "refund", -3300.0, "急須"),
    ]
    text = (tmp_path / "kizuna.toml").read_text(encoding="utf-8")
    assert "#   顧客: 会員番号\n#   日時: 受注日時\n#   金額: 合計\n" in text
    assert "#   00012 2024-05-01 00:30:00 purchase 7,920\n" in text
    assert read(tmp_path).settings.churn.indicators == ("purchase",)


def test_months_in_sheets_of_a_workbook_are_one_table_with_its_zeros(tmp_path, kizuna):
    header = ("顧客コード", "売上日", "税込", "店舗")
    write_workbook(
        tmp_path / "data/売上.xlsx",
        {
            "4月": [("売上一覧",), header, ("00012", date(2024, 4, 1), 1200, "銀座")],
            "5月": [header, ("00012", date(2024, 5, 1), -1200, "銀座"), ("7", date(2024, 5, 2), 99.5, None)],
        },
    )
    [source] = proposed(kizuna, tmp_path)
    assert source["path"] == "xlsx://data/売上.xlsx#*"
    assert source["columns"] == {
        "customer": "顧客コード",
        "moment": "売上日",
        "amount": "税込",
        "place": "店舗",
    }
    assert ingested(kizuna, tmp_path) == [
        ("00012", "2024-04-01 00:00:00", "purchase", 1200.0, None),
        ("00012", "2024-05-01 00:00:00", "refund", -1200.0, None),
        ("7", "2024-05-02 00:00:00", "purchase", 99.5, None),
    ]


def test_a_day_and_a_time_in_two_columns_are_one_moment(tmp_path, kizuna):
    (tmp_path / "data").mkdir()
    rows = [f"{1000 + n},202405{n:02d},09:{n:02d},{n}00" for n in range(1, 29)]
    (tmp_path / "data/uriage.csv").write_text("\n".join(["会員番号,売上日,時刻,金額", *rows]))
    [source] = proposed(kizuna, tmp_path)
    assert source["columns"]["time"] == "時刻"
    found = ingested(kizuna, tmp_path)
    assert (len(found), found[0]) == (28, ("1001", "2024-05-01 09:01:00", "purchase", 100.0, None))


def test_lines_of_an_order_count_once_where_they_repeat_its_total_and_each_where_they_do_not(
    tmp_path, kizuna
):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/orders.csv").write_text(
        "Order No;Customer;Ordered at;Total;Item\n"
        "1;ann;2024-05-01 10:00:00;300;tea\n1;ann;2024-05-01 10:00:00;300;cup\n"
        "2;ben;2024-05-02 10:00:00;70;cup\n"
    )
    (tmp_path / "data/items.tsv").write_text(
        "order_id\tcustomer_id\torder_date\tunit price\tamount\n"
        "1\tcem\t2024-05-03\t1\t100\n1\tcem\t2024-05-03\t2\t200\n2\tdan\t2024-05-04\t3\t30\n"
    )
    sources = {source["path"]: source for source in proposed(kizuna, tmp_path)}
    assert sources["data/items.tsv"]["columns"]["amount"] == "amount"
    assert sorted(event[:4] for event in ingested(kizuna, tmp_path)) == [
        ("ann", "2024-05-01 10:00:00", "purchase", 300.0),
        ("ben", "2024-05-02 10:00:00", "purchase", 70.0),
        ("cem", "2024-05-03 00:00:00", "purchase", 100.0),
        ("cem", "2024-05-03 00:00:00", "purchase", 200.0),
        ("dan", "2024-05-04 00:00:00", "purchase", 30.0),
    ]
    again = kizuna("-C", tmp_path, "ingest")[1]["sources"]
    assert sum(source["new"] + source["corrected"] for source in again) == 0


def test_cancellations_in_rows_of_their_own_are_refunds_of_the_same_number(tmp_path, kizuna):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/denpyo.csv").write_text(
        "伝票番号,会員番号,取引日,金額,取引区分\n"
        "9,1,2024-05-01,800,売上\n9,1,2024-05-03,-800,返品\n10,2,2024-05-02,500,売上\n"
    )
    [source] = proposed(kizuna, tmp_path)
    assert source["columns"]["state"] == "取引区分"
    assert ingested(kizuna, tmp_path) == [
        ("1", "2024-05-01 00:00:00", "purchase", 800.0, None),
        ("2", "2024-05-02 00:00:00", "purchase", 500.0, None),
        ("1", "2024-05-03 00:00:00", "refund", -800.0, None),
    ]


def test_json_lines_and_parquet_are_read_too_and_parts_of_one_table_together(tmp_path, kizuna):
    for day in (1, 2):
        line = {"user_id": "000123", "event": "Login", "timestamp": f"2024-05-0{day}T10:00:00Z", "n": 1.5}
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / f"data/app-2024-05-0{day}.jsonl").write_text(json.dumps(line) + "\n")
    orders = {
        "customer_id": [7, 8],
        "ordered_at": [datetime.fromisoformat("2024-05-03 10:00:00"), datetime.fromisoformat("2024-05-04")],
        "amount": [1.5, 2.0],
    }
    pq.write_table(pa.table(orders), tmp_path / "data/orders.parquet")
    sources = proposed(kizuna, tmp_path)
    assert [source["path"] for source in sources] == ["data/app-*-*-*.jsonl", "data/orders.parquet"]
    assert ingested(kizuna, tmp_path) == [
        ("000123", "2024-05-01 10:00:00", "login", None, None),
        ("000123", "2024-05-02 10:00:00", "login", None, None),
        ("7", "2024-05-03 10:00:00", "purchase", 1.5, None),
        ("8", "2024-05-04 00:00:00", "purchase", 2.0, None),
    ]


def test_a_list_of_members_gives_attributes_and_no_events(tmp_path, kizuna):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/members.csv").write_text(
        "会員番号,氏名,生年月日,メール配信可否,登録日\n00012,髙橋,1990-04-01,不可,2024-01-05\n"
    )
    (tmp_path / "data/visits.csv").write_text("会員番号,来店日\n00012,2024-05-01\n")
    members, visits = proposed(kizuna, tmp_path)
    assert members["attributes"] == ["生年月日", "メール配信可否"]
    assert (members["query"], visits["ready"]) == ("", True)
    assert ingested(kizuna, tmp_path) == [
        ("00012", "2024-01-05 00:00:00", "attribute.メール配信可否", None, "不可"),
        ("00012", "2024-01-05 00:00:00", "attribute.生年月日", None, "1990-04-01"),
        ("00012", "2024-05-01 00:00:00", "visit", None, None),
    ]
    [consent] = read(tmp_path).settings.consent
    assert (consent.attribute, consent.says, consent.channels) == (
        "メール配信可否",
        "may_contact",
        ("email",),
    )


@pytest.mark.parametrize(
    ("column", "says", "channels"),
    [
        ("メルマガ", "may_contact", ("email",)),
        ("DM可否", "may_contact", ("post",)),
        ("電話連絡拒否", "must_not_contact", ("phone",)),
        ("配信停止", "must_not_contact", ()),
        ("LINE配信可否", "may_contact", ("line",)),
        ("メール受信", "may_contact", ("email",)),
        ("Accepts Marketing", "may_contact", ()),
        ("email_opt_out", "must_not_contact", ("email",)),
        ("メール配信不可フラグ", "must_not_contact", ("email",)),
        ("DM不可区分", "must_not_contact", ("post",)),
        ("メール配信可/不可", "may_contact", ("email",)),
        ("メルマガ解除", "must_not_contact", ("email",)),
        ("電話ＮＧ", "must_not_contact", ("phone",)),
        ("連絡禁止", "must_not_contact", ()),
        ("HasOptedOutOfEmail", "must_not_contact", ("email",)),
        ("opted_out", "must_not_contact", ()),
        ("no_email", "must_not_contact", ("email",)),
        ("consent_revoked", "must_not_contact", ()),
        ("newsletter", "may_contact", ("email",)),
        ("ダイレクトメール", "may_contact", ("post",)),
    ],
)
def test_columns_of_consent_are_known_with_their_channel_and_what_a_yes_means(column, says, channels):
    assert consent_column(column, ["1", "0"]) == ConsentColumn(column, says, channels)
    assert consent_column("備考", ["1"]) is None
    assert consent_column(column, [str(n) for n in range(20)]) is None


@pytest.mark.parametrize(
    "column", ["定期購読", "購読プラン", "DM送付日", "postal_code", "call_count", "集計除外", "メール"]
)
def test_columns_that_only_sound_like_consent_are_none(column):
    assert consent_column(column, ["a@example.com", "2"]) is None


def test_days_of_refusal_are_refusals_and_one_attribute_is_read_from_all_its_tables(tmp_path, kizuna):
    (tmp_path / "data").mkdir()
    days = "".join(f"{n:03},{f'2024-03-{n:02}' if n < 9 else ''},,2023-01-01\n" for n in range(1, 12))
    (tmp_path / "data/members.csv").write_text(f"会員番号,配信停止日,DM,入会日\n{days}012,,可,2023-01-01\n")
    (tmp_path / "data/former.csv").write_text("会員番号,DM,入会日\n900,不可,2020-01-01\n")
    (tmp_path / "data/orders.csv").write_text(
        "注文番号,会員番号,注文日,金額,メルマガ\n1,001,2024-01-01,5,はい\n2,001,2024-02-01,5,いいえ\n"
    )
    proposed(kizuna, tmp_path)
    found = ingested(kizuna, tmp_path)
    stops = [event for event in found if event[2] == "attribute.配信停止日"]
    assert len(stops) == 8
    assert stops[0] == ("001", "2024-03-01 00:00:00", "attribute.配信停止日", None, "yes")
    assert {event[0]: event[4] for event in found if event[2] == "attribute.DM"} == {
        **{f"{n:03}": None for n in range(1, 12)},  # an empty cell takes a permission away
        "012": "可",
        "900": "不可",
    }
    assert [event[1::3] for event in found if event[2] == "attribute.メルマガ"] == [
        ("2024-01-01 00:00:00", "はい"),
        ("2024-02-01 00:00:00", "いいえ"),
    ]
    assert [(one.attribute, one.says) for one in read(tmp_path).settings.consent] == [
        ("DM", "may_contact"),
        ("配信停止日", "must_not_contact"),
        ("メルマガ", "may_contact"),
    ]


def test_a_table_whose_columns_or_days_cannot_be_told_is_written_as_comments(tmp_path, kizuna):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/stock.csv").write_text("sku,warehouse,left\na,1,5\n")
    (tmp_path / "data/sales.csv").write_text(
        "customer,order_date,total\nann,03/04/2024,10\nben,05/06/2024,20\n"
    )
    sales, stock = proposed(kizuna, tmp_path)
    assert (stock["ready"], stock["query"]) == (False, "")
    assert (sales["ready"], sales["columns"]["moment"]) == (False, "order_date")
    assert sales["problem"]
    assert read(tmp_path).settings.sources == ()
    text = (tmp_path / "kizuna.toml").read_text()
    assert "# No source: no column looks like the customer and the moment." in text
    assert '# name = "sales"\n' in text


def test_files_are_named_by_a_pattern_and_a_folder_without_any_gets_the_template(tmp_path, kizuna):
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/o [1].csv").write_text("customer,sold,amount\na,2024-05-01,5\n")
    [source] = proposed(kizuna, tmp_path / "shop", "--data", str(tmp_path / "exports/*.csv"))
    assert source["path"] == f"{tmp_path}/exports/o [[]1].csv"
    assert ingested(kizuna, tmp_path / "shop") == [("a", "2024-05-01 00:00:00", "purchase", 5.0, None)]
    code, _, err = kizuna("init", tmp_path / "none", "--data", str(tmp_path / "exports/*.pdf"))
    assert code == 3
    assert "there are no files of a kind that can be read there" in err
    assert not (tmp_path / "none").exists()
    code, said, _ = kizuna("init", tmp_path / "empty")
    assert (code, list(said)) == (0, ["file"])
    code, _, err = kizuna("init", "--from", "ga4", "--data", "x", "y")
    assert code == 2
    assert "Leave one of the two out" in err


def test_the_kind_of_an_inquiry_is_its_subject_and_a_late_state_is_known_too(tmp_path, kizuna):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/問い合わせ.csv").write_text("会員番号,受付日時,種別\n001,2024/05/01 10:00,返品\n")
    paid = [f"{n},001,2024-05-02,100,通常,入金済み" for n in range(1200)]
    (tmp_path / "data/orders.csv").write_text(
        "\n".join(
            ["注文番号,会員番号,注文日,合計,種別,ステータス", *paid, "A,002,2024-05-03,900,定期,キャンセル"]
        )
    )
    sources = {source["path"]: source for source in proposed(kizuna, tmp_path)}
    assert "kind" not in sources["data/orders.csv"]["columns"]
    found = ingested(kizuna, tmp_path)
    assert ("001", "2024-05-01 10:00:00", "ticket_opened", None, "返品") in found
    assert [event[:4] for event in found if event[0] == "002"] == [
        ("002", "2024-05-03 00:00:00", "purchase", 900.0),
        ("002", "2024-05-03 00:00:00", "refund", -900.0),
    ]
    assert len(found) == 1203
