"""A Japanese shop with its own CSV: from the kizuna.toml of the Japanese page to a plan."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.cli.main import main
from tests.inputs.japanese_shop import ShopFiles, page_toml, write_shop

JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
ENGLISH_SENTENCE = re.compile(r"\b(?:the|of|are|is|not|with|were)\b")


@dataclass
class WalkedShop:
    """A shop whose owner followed the Japanese page: its files, and what each command said."""

    folder: Path
    files: ShopFiles
    said: dict[str, str]


def run(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *words])
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> WalkedShop:
    """The page's commands, one after the other, on three small files."""
    from contextlib import redirect_stderr, redirect_stdout

    folder = tmp_path_factory.mktemp("shop")
    files, said = write_shop(folder), {}
    (folder / "kizuna.toml").write_text(page_toml(), encoding="utf-8")
    for command in ("ingest", "train", "score", "plan --format csv --output plan.csv", "at-risk --limit 5"):
        words = command.replace("plan.csv", str(folder / "plan.csv")).split()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(["-C", str(folder), *words])
        assert not ended.value.code, err.getvalue()
        said[words[0]] = out.getvalue()
    return WalkedShop(folder, files, said)


def plan_rows(shop: WalkedShop) -> list[dict[str, str]]:
    text = (shop.folder / "plan.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_pages_settings_lead_to_a_plan_in_japanese(shop: WalkedShop) -> None:
    for command, text in shop.said.items():
        assert JAPANESE.search(text), command
        assert ENGLISH_SENTENCE.search(text.replace(str(shop.folder), "")) is None, text


def test_lines_of_an_order_are_one_purchase_and_a_cancellation_takes_it_back(
    shop: WalkedShop, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, shop.folder, "--json", "doctor")
    assert code == 0
    kinds = {one["name"]: one for one in json.loads(out)["data"]["kinds"]}
    assert kinds["purchase"]["events"] == shop.files.occasions
    assert kinds["refund"]["events"] == kinds["refund"]["negative"] == shop.files.cancelled
    assert kinds["ticket_opened"]["events"] == len(shop.files.inquiries)
    assert kinds["purchase"]["negative"] == 0


def test_reading_the_files_again_adds_and_corrects_nothing(
    shop: WalkedShop, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, shop.folder, "--json", "ingest")
    assert code == 0
    for source in json.loads(out)["sources"]:
        assert (source["new"], source["corrected"], source["quarantined"]) == (0, 0, 0)


def test_nobody_who_refuses_mail_or_says_nothing_is_written_to_by_mail(shop: WalkedShop) -> None:
    refused = shop.files.ids("不可") | shop.files.ids("")
    mailed = {
        row["顧客ID"].strip('="')
        for row in plan_rows(shop)
        if row["実施区分"] == "実施" and row["チャネル"] in ("メール", "")
    }
    assert mailed
    assert mailed & refused == set()
    assert mailed <= shop.files.ids("可")


def test_actions_of_a_shop_are_many_and_each_has_a_channel(shop: WalkedShop) -> None:
    planned = [row for row in plan_rows(shop) if row["実施区分"] == "実施"]
    counts = Counter(row["アクション"] for row in planned if row["離反確率"])
    assert len(counts) >= 4
    assert max(counts.values()) <= 0.6 * sum(counts.values())
    assert all(row["チャネル"] for row in planned)
    assert not [row for row in planned if re.search(r"プラン変更|休止|カスタマーサクセス", str(row))]


def test_the_csv_keeps_leading_zeros_and_puts_planned_customers_first(shop: WalkedShop) -> None:
    rows = plan_rows(shop)
    assert any(re.fullmatch(r'="0\d+"', row["顧客ID"]) for row in rows)
    outcomes = [row["実施区分"] != "実施" for row in rows]
    assert outcomes == sorted(outcomes)
    assert all(re.fullmatch(r"0\.\d{1,4}", row["離反確率"]) for row in rows if row["離反確率"])
    assert all(re.fullmatch(r"\d+(\.\d{1,2})?", row["リスク金額"]) for row in rows if row["リスク金額"])


def test_the_lists_speak_natural_japanese(shop: WalkedShop) -> None:
    text = shop.said["at-risk"] + (shop.folder / "plan.csv").read_text(encoding="utf-8-sig")
    for odd in ("離反予備", "離反検討", "離反の可能性あり", "（倍）", "名のイベント"):
        assert odd not in text
    lines = [line.strip() for line in shop.said["at-risk"].splitlines() if line.strip()]
    assert not [line for line in lines if line[0] in "。、」）"]


def test_a_member_number_without_its_zeros_is_proposed_with_them(
    shop: WalkedShop, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, shop.folder, "explain", "32")
    assert code == 4
    assert "「00032」ではありませんか" in err
    assert run(capsys, shop.folder, "explain", "00032")[0] == 0


@pytest.mark.parametrize(
    ("written", "instead", "words"),
    [
        ("cp932://data/受注.csv", "data/受注.csv", "ソース「受注」のクエリを実行できません"),
        ('"会員番号" as customer_id', '"会員NO" as customer_id', "ソース「受注」のクエリを実行できません"),
        ('"注文日" as occurred_at', '"商品名" as occurred_at', "読み取れません（例：「"),
        ('"注文日" as occurred_at', "'2999年1月1日' as occurred_at", "occurred_at が未来の日時です"),
        ("'ticket_opened' as kind,", "", "クエリの結果に列 `kind` がありません"),
        ("horizon_days = 60", "horizon_dais = 60", "というキーはありません。`horizon_days` と書いてください"),
        ('type = "inactivity"', 'type = "kaiyaku"', '`churn.type` に "kaiyaku" は使えません'),
        ('indicators = ["purchase"]', 'indicators = ["購買"]', "指標「購買」で離反を判定できません"),
        ('timezone = "Asia/Tokyo"', 'timezone = "Tokyo"', "タイムゾーン「Tokyo」はありません"),
    ],
)
def test_what_is_wrong_on_the_way_is_said_in_japanese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str, instead: str, words: str
) -> None:
    write_shop(tmp_path, members=3)
    text = page_toml()
    assert written in text
    (tmp_path / "kizuna.toml").write_text(text.replace(written, instead), encoding="utf-8")
    code, _, err = run(capsys, tmp_path, "ingest")
    assert code in (3, 4)
    assert words in err


@pytest.mark.parametrize("command", ["doctor", "train", "score", "at-risk", "plan"])
def test_a_command_too_early_says_in_japanese_what_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "kizuna.toml").write_text(page_toml(), encoding="utf-8")
    code, _, err = run(capsys, tmp_path, command)
    assert code in (4, 5)
    assert "`kizuna " in err.splitlines()[-1]
    assert JAPANESE.search(err.splitlines()[-1])
