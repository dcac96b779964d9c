"""The list as people read it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pytest
from rich.cells import cell_len

from features.storage.customer_ids import Customers
from serving.cli.context import CliContext
from serving.lists.customer_view import one_per_aspect
from serving.lists.filters import ListFilter
from serving.lists.score_reader import ScoreReader
from serving.lists.similar_ids import similar_ids
from serving.presentation.csv import as_text, harmless, list_csv
from serving.presentation.terminal import show, show_explanation
from serving.presentation.wrapping import NOT_FIRST, NOT_LAST, break_offsets
from serving.schemas.json_text import to_json
from serving.schemas.responses import ListReply


@pytest.fixture(scope="module")
def replies(scored_shop: Path) -> ScoreReader:
    call = CliContext(scored_shop)
    with call.records() as records:
        return ScoreReader.current(records, call.project, call.store)


def shown(
    reply: ListReply,
    language: str,
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    show(reply, language)
    return capsys.readouterr().out


def test_csv_opens_right_in_excel(replies: ScoreReader) -> None:
    text = "".join(list_csv(replies.listed(ListFilter(limit=3), "ja"), "ja", with_plan=False))
    assert text.encode("utf-8").startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert ",".join(head) == (
        "順位,顧客ID,離反確率,エンゲージメント,次期予測,期待購買額,リスク金額,理由1,理由2,理由3,"
        "実施区分,見送りの理由,連絡不可のチャネル"
    )
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert all(row[3] in {"休眠", "低調", "ライト", "アクティブ", "ファン"} for row in rows)
    assert all("リスク" in row[7] for row in rows)
    assert text.count("\r\n") == 4


def test_csv_holds_the_numbers_of_json_rounded(replies: ScoreReader) -> None:
    listed = replies.at_risk(ListFilter(limit=5), "en")
    text = "".join(list_csv(listed.customers, "en", with_plan=False))
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    said = json.loads(to_json(listed))["customers"]
    for row, one in zip(rows, said, strict=True):
        assert row["churn_probability"] == str(round(one["churn_probability"], 4))
        assert row["value_at_risk"] == str(round(one["value_at_risk"], 2))


@pytest.mark.parametrize(
    ("identifier", "cell"),
    [
        ("01332", '="01332"'),
        ("4012345678901234567", '="4012345678901234567"'),
        ("12E5", '="12E5"'),
        ("3-4", '="3-4"'),
        ("1332", "1332"),
        ("c0122", "c0122"),
        ("0", "0"),
        ("=1+1", "'=1+1"),
    ],
)
def test_an_identifier_that_a_spreadsheet_would_change_is_kept(identifier: str, cell: str) -> None:
    assert as_text(identifier) == cell


def test_the_csv_for_people_keeps_leading_zeros_and_the_one_for_programs_is_plain(
    replies: ScoreReader,
) -> None:
    listed = replies.at_risk(ListFilter(limit=1), "ja").customers
    listed[0].customer_id = "01332"
    assert ',"=""01332""",' in "".join(list_csv(listed, "ja", with_plan=False, spreadsheet=True))
    assert ",01332," in "".join(list_csv(listed, "ja", with_plan=False))


def test_a_list_gives_one_reason_for_each_matter(replies: ScoreReader) -> None:
    listed = replies.at_risk(ListFilter(), "ja").customers
    assert any(len(one_per_aspect(one.reasons)) < len(one.reasons) for one in listed)
    for one in listed:
        shown = one_per_aspect(one.reasons)
        matters = [(reason.indicator, reason.aspect) for reason in shown]
        assert len(set(matters)) == len(matters) > 0
        assert shown[0] == one.reasons[0]


@pytest.mark.parametrize("width", [10, 20, 33, 34, 76])
def test_no_line_begins_with_punctuation(width: int) -> None:
    text = (
        "直近365日の購買回数は5回（標準的な顧客は4回）で、離反リスクを高めています。"
        "よく購入するカテゴリ：「コーヒー豆」。チャットボットの利用はkizuna at-riskで、確認できます。"
    )
    starts = [0, *break_offsets(text, width)]
    lines = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert "".join(lines) == text
    assert all(cell_len(line.rstrip()) <= width for line in lines)
    assert not [line for line in lines if line[0] in NOT_FIRST]
    assert not [line for line in lines if line[-1] in NOT_LAST]
    if width >= 20:
        assert any("kizuna" in line for line in lines)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("1332", ["01332"]),
        ("1332.0", ["01332"]),
        ("０１３３２", ["01332"]),
        (" 001332 ", ["01332"]),
        ("A-7", ["a-7"]),
        ("01332", []),
        ("1333", []),
        ("nobody", []),
    ],
)
def test_another_spelling_of_a_known_customer_is_proposed(asked: str, meant: list[str]) -> None:
    assert similar_ids(Customers(pa.array(["01332", "a-7"], pa.large_string())), asked) == meant


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_what_a_spreadsheet_would_run_is_made_harmless(text: str) -> None:
    assert harmless(text) == f"'{text}"
    assert harmless("c=1") == "c=1"


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_table_fits_its_terminal_and_loses_no_reason(
    replies: ScoreReader,
    language: str,
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = replies.at_risk(ListFilter(limit=4), language)
    text = shown(listed, language, width, monkeypatch, capsys)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    together = "".join(text.split())
    for customer in listed.customers:
        assert customer.customer_id in together
    if width >= 160:
        return
    for reason in one_per_aspect(listed.customers[0].reasons):
        assert "".join(reason.sentence.split()) in together


def test_markup_in_a_customer_id_is_text(
    replies: ScoreReader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = replies.at_risk(ListFilter(limit=1), "en")
    listed.customers[0].customer_id = "[red]x[/red]"
    assert "[red]x[/red]" in shown(listed, "en", 160, monkeypatch, capsys)


def test_reasons_differ_between_customers_and_are_never_empty(replies: ScoreReader) -> None:
    listed = replies.at_risk(ListFilter(), "en").customers
    sentences = [tuple(reason.sentence for reason in one.reasons) for one in listed]
    assert all(sentences)
    assert len(set(sentences)) > len(sentences) / 2
    assert all(0 < one.churn_probability < 1 for one in listed)
    assert all(one.value_at_risk == one.churn_probability * one.expected_value for one in listed)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["Risk of leaving", "Why", "Since 2025-01-01"]), ("ja", ["離反確率", "理由", "2025-01-01から"])],
)
def test_one_customer_is_explained_in_both_languages(
    replies: ScoreReader,
    scored_shop: Path,
    language: str,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = replies.at_risk(ListFilter(limit=1), language).customers[0].customer_id
    show_explanation(replies.explain(name, language, CliContext(scored_shop).store), language)
    text = capsys.readouterr().out
    for word in (name, *words):
        assert word in text


def test_without_earlier_scores_it_says_so(
    replies: ScoreReader, scored_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ScoreReader(replies.scores, replies.bundle, replies.customers, replies.timeline)
    name = first.at_risk(ListFilter(limit=1), "en").customers[0].customer_id
    show_explanation(first.explain(name, "en", CliContext(scored_shop).store), "en")
    assert "There are no earlier scores of this customer to compare with yet." in capsys.readouterr().out


def test_a_narrow_terminal_is_told_what_each_place_means(
    replies: ScoreReader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(replies.at_risk(ListFilter(limit=3), "en"), "en", 79, monkeypatch, capsys).splitlines()
    assert [line.strip() for line in lines if line.startswith("#")] == [
        "#  Customer  Risk  At stake  LTV  Engagement → Next"
    ]


def test_the_list_says_how_many_are_expected_to_leave_and_how_sure_that_is(
    replies: ScoreReader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leavers = replies.scores.facts.expected_leavers
    assert leavers is not None
    cohort = replies.scores.answers.churn_probability[replies.scores.cohort]
    assert leavers.expected == pytest.approx(cohort.sum())
    assert leavers.low < leavers.expected < leavers.high
    listed = replies.at_risk(ListFilter(limit=3), "en")
    assert json.loads(to_json(listed))["expected_leavers"] == vars(leavers)
    ends = (round(leavers.expected), round(leavers.low), round(leavers.high))
    english = "About {} of all customers scored are expected to leave (80% interval: {} to {})."
    japanese = "離反が見込まれる顧客は全体で約{}名です（80%区間：{}〜{}名）。"
    for language, words in (("en", english), ("ja", japanese)):
        assert words.format(*ends) in shown(listed, language, 200, monkeypatch, capsys)
