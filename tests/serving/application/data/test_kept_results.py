"""What ingest, doctor and report keep for pages: receipts with masked rows, an examination, a report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import UsageError
from serving.application.data.doctor import doctor
from serving.application.data.erase import erase
from serving.application.data.ingest import ingest
from serving.application.lists.last_report import last_report, last_report_csv
from serving.application.lists.report import refresh_report
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.reports.rendering.csv import as_csv
from serving.reports.report import reply
from serving.state import examination_file
from serving.state.ingest_log import KEPT, ingests, mask, masked_row, record_ingest
from serving.state.scores.score_index import current_champion, current_scores, use_scores

ID = "customer-4711"
TEXT = "please never call me again"


def opened(folder: Path) -> Workspace:
    call = CliContext(folder)
    return open_workspace(call.project, lambda: call.now)


def spoil(folder: Path) -> None:
    """Rows of one customer that no event can be made of."""
    with (folder / "data" / "orders.csv").open("a", encoding="utf-8", newline="") as file:
        file.write(f"{ID},not a day {ID},purchase,5,{ID} street,{TEXT},bad-order-1\r\n")
        file.write(f"{ID},2024-03-01T10:00:00,,5,s1,{TEXT},bad-order-2\r\n")


def test_an_ingest_keeps_its_receipt_and_masks_the_rows_it_quotes(own_shop: Path) -> None:
    spoil(own_shop)
    with opened(own_shop).database:
        result = ingest(opened(own_shop), COMMAND_LINE)
    (record,) = ingests(own_shop / "state")
    orders = record.of("orders")
    receipt = result.sources[0]
    assert orders is not None
    assert (record.who, record.data_version) == ("command line", result.data_version)
    assert (orders.read, orders.new, orders.already_there, orders.quarantined) == (
        receipt.read,
        receipt.new,
        receipt.already_there,
        receipt.quarantined,
    )
    assert sum(one.rows for one in orders.reasons) == orders.quarantined == 2
    kept = next((own_shop / "state" / "ingests").glob("*.json")).read_text(encoding="utf-8")
    for whole in (ID, TEXT, "bad-order", "street"):
        assert whole not in kept
    assert {one.example["customer_id"] for one in orders.reasons} == {"c…1"}


def test_masking_leaves_no_id_whole_wherever_it_stands() -> None:
    row = {
        "customer_id": "ab1",
        "kind": "purchase",
        "occurred_at": "ab1",
        "value": 12.5,
        "text": "ok",
        "place": None,
    }
    masked = masked_row(json.dumps(row))
    assert masked == {
        "customer_id": "…",
        "kind": "purchase",
        "occurred_at": "…",
        "value": "12.5",
        "text": "…",
    }
    assert [mask(text) for text in ("", "abcd", "abcde", "株式会社東京")] == ["…", "…", "a…e", "株…京"]


def test_only_so_many_ingests_are_kept_and_a_damaged_record_is_passed_over(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        record_ingest(tmp_path, number, "ann", "v", ())
    found = ingests(tmp_path, limit=1_000)
    assert [one.at for one in found] == [*range(KEPT + 2, 2, -1)]
    (tmp_path / "ingests" / f"{KEPT + 2:020d}.json").write_text("{", encoding="utf-8")
    assert ingests(tmp_path)[0].at == KEPT + 1


def test_a_refreshed_report_is_kept_in_both_languages_as_it_was_computed(own_shop: Path) -> None:
    place = opened(own_shop)
    assert last_report(place, COMMAND_LINE, 3) is None
    data = refresh_report(place, COMMAND_LINE, 3)
    for language in ("en", "ja"):
        kept, whole = last_report(place, COMMAND_LINE, 3, language), reply(data, language)
        assert kept is not None
        assert kept.is_current
        assert [one.figure for one in kept.reply.measures] == [one.figure for one in whole.measures]
        assert [one.by_month for one in kept.reply.measures] == [one.by_month for one in whole.measures]
        assert kept.reply.tier_flow == whole.tier_flow
        assert kept.reply.axes == whole.axes
        assert last_report_csv(place, COMMAND_LINE, 3, language) == as_csv(whole, language)
    assert kept is not None
    (source,) = kept.stored.sources
    assert source.source == "orders"
    assert source.newest == data.request.newest


def test_a_report_of_older_data_is_shown_and_says_that_the_data_moved(own_shop: Path) -> None:
    place = opened(own_shop)
    refresh_report(place, COMMAND_LINE, 3)
    with (own_shop / "data" / "orders.csv").open("a", encoding="utf-8", newline="") as file:
        file.write("c0001,2025-02-01T10:00:00,purchase,5,s1,toys,late-1\r\n")
    ingest(place, COMMAND_LINE)
    kept = last_report(opened(own_shop), COMMAND_LINE, 3)
    assert kept is not None
    assert not kept.is_current


def test_a_report_of_older_scores_says_so_as_it_tells_what_they_expect(own_shop: Path) -> None:
    place = opened(own_shop)
    refresh_report(place, COMMAND_LINE, 3)
    kept = last_report(place, COMMAND_LINE, 3)
    assert kept is not None
    assert kept.is_current
    assert kept.stored.scores
    older = current_scores(place.database)
    champion = current_champion(place.database)
    assert older is not None
    assert champion is not None
    use_scores(place.database, replace(older, file="newer.arrow", scored_at=older.scored_at + 1), champion)
    kept = last_report(place, COMMAND_LINE, 3)
    assert kept is not None
    assert not kept.is_current


def test_without_a_number_of_months_the_longest_current_report_is_shown(own_shop: Path) -> None:
    place = opened(own_shop)
    assert last_report(place, COMMAND_LINE) is None
    refresh_report(place, COMMAND_LINE, 12)
    with (own_shop / "data" / "orders.csv").open("a", encoding="utf-8", newline="") as file:
        file.write("c0001,2025-02-01T10:00:00,purchase,5,s1,toys,late-1\r\n")
    ingest(place, COMMAND_LINE)
    place = opened(own_shop)
    kept = last_report(place, COMMAND_LINE)
    assert kept is not None
    assert (kept.stored.months, kept.is_current) == (12, False)
    for months in (3, 6):
        refresh_report(place, COMMAND_LINE, months)
        kept = last_report(place, COMMAND_LINE)
        assert kept is not None
        assert (kept.stored.months, kept.is_current) == (months, True)


def test_a_damaged_or_missing_report_counts_as_none(own_shop: Path) -> None:
    place = opened(own_shop)
    with pytest.raises(UsageError, match="none was computed yet"):
        last_report_csv(place, COMMAND_LINE, 12)
    folder = own_shop / "state" / "reports"
    folder.mkdir()
    (folder / "12-0123.json").write_text('{"computed_at": 1}', encoding="utf-8")
    assert last_report(place, COMMAND_LINE, 12) is None


def test_an_examination_is_kept_in_words_unless_it_is_of_an_earlier_day(own_shop: Path) -> None:
    place = opened(own_shop)
    doctor(place, COMMAND_LINE, until="2024-12-01")
    assert examination_file.load(own_shop / "state") is None
    found = doctor(place, COMMAND_LINE)
    kept = examination_file.load(own_shop / "state")
    assert kept is not None
    assert (kept.events, kept.customers) == (found.profile.events, found.profile.customers)
    assert [one.name for one in kept.texts["ja"].findings] == [one.name for one in found.findings]
    assert kept.texts["en"].advice == tuple(found.recommendation.english)


def test_erasing_removes_the_kept_results_that_name_the_customer_and_no_others(own_shop: Path) -> None:
    place = opened(own_shop)
    ingest(place, COMMAND_LINE)
    refresh_report(place, COMMAND_LINE, 3)
    state = own_shop / "state"
    (state / "reports" / "6-0123.json").write_text('{"group": "c0003"}', encoding="utf-8")
    (state / "reports" / "6-0123.en.csv").write_text("c0003,1\n", encoding="utf-8")
    (state / "doctor.json").write_text('{"sentence": "c0003 comes twice"}', encoding="utf-8")
    receipt = erase(place, COMMAND_LINE, "c0003")
    assert not [name for name in receipt.left_in if name.startswith("state/")]
    assert not (state / "doctor.json").exists()
    assert {file.name.partition("-")[0] for file in (state / "reports").iterdir()} == {"3"}
    assert len(ingests(state)) == 1
