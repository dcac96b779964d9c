"""Lifetime value where people meet it: score files, lists, answers, the report and the playbook."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from features.errors import ConfigurationError, UsageError
from serving.actions.playbook import DEFAULTS, NUMBERS, default_text
from serving.actions.rules.rule_validation import validate_rules
from serving.cli.context import ORDERS, CliContext
from serving.console.texts import text
from serving.experiments.visible_effects import VisibleEffect, too_few
from serving.integrations.crm_columns import CELLS
from serving.lists.filters import ListFilter
from serving.lists.ranking import at_risk
from serving.lists.score_reader import ScoreReader
from serving.presentation.campaign_report.words import review_name
from serving.presentation.columns import COLUMNS, ListRow
from serving.presentation.csv import list_csv
from serving.presentation.i18n import lifetime_text
from serving.presentation.messages.catalog import translated
from serving.presentation.terminal import show_explanation
from serving.reports.behaviour_attitude import FEWEST
from serving.reports.lifetime_groups import EARLIER, lifetime_totals
from serving.reports.measure_view import format_figure
from serving.reports.rendering.csv import as_csv
from serving.reports.rendering.html import page
from serving.reports.rendering.lifetime_table import lifetime_note, per_customer_text, total_text
from serving.reports.report import reply
from serving.schemas.json_text import to_json
from serving.schemas.lifetime_responses import LifetimeValue
from serving.schemas.lifetime_words import lifetime_words
from serving.schemas.terms import months_words
from serving.state.scores.score_file import Scores, load, save, without_customer
from serving.state.scores.score_table import SCHEMA
from tests.serving.actions.test_rule_matching import HEAD, VOCABULARY, made, parse, rule, rules_of, scores
from tests.serving.reports.small import report_data, store
from training.bundle.lifetime.lifetime_values import LifetimeHorizons, LifetimeValues
from training.bundle.list_policy import ListOrder
from training.labels.cohort import IN_COHORT

HORIZONS = LifetimeHorizons((12, 24), ("normal", "low"), (0.12, 0.25))


@pytest.fixture(scope="module")
def reader(scored_shop: Path) -> ScoreReader:
    call = CliContext(scored_shop)
    with call.records() as records:
        return ScoreReader.current(records, call.project, call.store)


def valued(first: list[float], joined: list[int] | None = None, lapsed: Collection[int] = ()) -> Scores:
    """Scored customers with these values over 12 months, and twice as much over 24; some have lapsed."""
    plain = scores([np.nan if place in lapsed else 0.5 for place in range(len(first))])
    value = np.column_stack([first, np.array(first) * 2])
    months = np.full(len(first), 600) if joined is None else np.array(joined)
    lifetime = LifetimeValues(HORIZONS, value, value / 2, value * 1.5, months)
    facts = replace(plain.facts, lifetime=HORIZONS)
    return Scores(replace(plain.answers, lifetime=lifetime), facts)


def test_a_score_file_keeps_it_and_one_from_before_has_none(tmp_path: Path) -> None:
    some = valued([10.0, np.nan, 30.0], [600, -1, 612])
    file = tmp_path / save(tmp_path, some.answers, some.facts)
    found = load(file)
    assert found.facts == some.facts
    assert found.answers.lifetime is not None
    assert found.answers.lifetime.joined_month.tolist() == [600, -1, 612]
    assert np.array_equal(found.lifetime_value, [10.0, np.nan, 30.0], equal_nan=True)
    assert without_customer(file, 0)
    assert load(file).answers.lifetime.value.tolist()[-1] == [30.0, 60.0]  # type: ignore[union-attr]
    plain = scores([0.5, 0.4])
    older = load(tmp_path / save(tmp_path, plain.answers, plain.facts))
    assert (older.answers.lifetime, older.facts.lifetime) == (None, None)
    assert older.answers.table().column_names == SCHEMA.names


def test_every_door_tells_the_same_values(reader: ScoreReader) -> None:
    listed = reader.at_risk(ListFilter(limit=5), "en")
    answer = json.loads(to_json(listed))
    assert answer["lifetime_months"] == [12, 24]
    lines = "".join(list_csv(listed.customers, "en", with_plan=False, lifetime_months=listed.lifetime_months))
    for row, one in zip(
        csv.DictReader(io.StringIO(lines.removeprefix("\ufeff"))), answer["customers"], strict=True
    ):
        first, second = one["lifetime_value"]
        assert first["low"] <= first["value"] <= first["high"]
        assert first["value"] <= second["value"]
        assert (first["evidence"], second["evidence"]) == ("normal", "low")
        for horizon, name in ((first, "lifetime_value_12_months"), (second, "lifetime_value_24_months")):
            ends = {"low": "_low", "high": "_high"} | ({"value": ""} if horizon is first else {})
            for part, end in ends.items():
                assert float(row[name + end]) == pytest.approx(horizon[part], abs=0.6)
            assert row[f"{name}_evidence"] == horizon["evidence"]
        assert row["lifetime_value_24_months"] == "", "its evidence is low"
    customer = answer["customers"][0]
    stored = json.loads(to_json(reader.of([customer["customer_id"]], "en")))["customers"][0]
    assert stored["lifetime_value"] == customer["lifetime_value"]


def test_headings_of_files_are_japanese_where_people_read_japanese(reader: ScoreReader) -> None:
    head = next(
        list_csv(reader.listed(ListFilter(limit=1), "ja"), "ja", with_plan=False, lifetime_months=(12,))
    )
    assert (
        "顧客生涯価値（12か月）,顧客生涯価値（12か月）下限,顧客生涯価値（12か月）上限,顧客生涯価値（12か月）根拠"
        in head
    )


def test_a_lapsed_customer_has_a_value_and_a_range_only_where_no_level_is_known(reader: ScoreReader) -> None:
    answers = reader.scores.answers
    lifetime = answers.lifetime
    assert lifetime is not None
    lapsed = (answers.status != IN_COHORT) & (lifetime.joined_month >= 0)
    assert lapsed.any()
    assert (lifetime.value[lapsed] >= 0).all()
    assert np.isnan(lifetime.low[lapsed]).all()
    names = reader.customers.names(answers.key[lapsed][:1]).to_pylist()
    (one,) = json.loads(to_json(reader.of(names, "en")))["customers"]
    first, second = one["lifetime_value"]
    assert (first["evidence"], first["low"], first["high"]) == ("normal", None, None)
    assert second["evidence"] == "low"
    assert second["low"] < second["value"] < second["high"], "how far the level may lie off"


@pytest.mark.parametrize(("language", "words"), [("en", "80% interval"), ("ja", "根拠は限定的")])
def test_an_explanation_says_value_interval_and_evidence(
    reader: ScoreReader, scored_shop: Path, language: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = next(reader.listed(ListFilter(limit=1), language)).customer_id
    show_explanation(reader.explain(name, language, CliContext(scored_shop).store), language)
    printed = capsys.readouterr().out
    assert words in printed
    assert ("Lifetime value, 12 months" if language == "en" else "顧客生涯価値（24か月）") in printed


@pytest.mark.parametrize(
    ("language", "interval", "level"),
    [("en", "80% interval", "range of the level"), ("ja", "80%区間", "水準の範囲")],
)
def test_the_range_of_who_lapsed_is_called_that_of_the_level(
    reader: ScoreReader,
    scored_shop: Path,
    language: str,
    interval: str,
    level: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = reader.scores.answers
    assert answers.lifetime is not None
    for is_in_cohort, words, other in ((True, interval, level), (False, level, interval)):
        mine = ((answers.status == IN_COHORT) == is_in_cohort) & (answers.lifetime.joined_month >= 0)
        (name,) = reader.customers.names(answers.key[mine][:1]).to_pylist()
        show_explanation(reader.explain(name, language, CliContext(scored_shop).store), language)
        printed = capsys.readouterr().out.splitlines()
        (line,) = (one for one in printed if lifetime_words(24, "", language) in one)
        assert words in line
        assert other not in line


def test_one_month_is_a_month_in_every_text() -> None:
    assert lifetime_words(1, "_low", "en") == "Lifetime value, 1 month, low"
    assert text("list.lifetime_value", "en", months=months_words(1, "en")) == "LTV (1 month)"
    assert text("customer.lifetime_value", "en", months=months_words(12, "en")) == "Lifetime value, 12 months"
    review = {"months": 1, "after_hold": False}
    assert review_name(SimpleNamespace(**review), "en") == "Effect after 1 month"  # type: ignore[arg-type]
    for count, english in ((1, "after 1 month it could"), (3, "after 3 months it could")):
        last = VisibleEffect(count, 0, 0.2, None, None, 0.01, None)
        (why,) = too_few((500, 500), (last,))
        assert why.startswith(english)
        assert translated(why, "ja").startswith(f"{count}か月後、")


def test_the_list_is_filtered_and_ordered_by_the_value_over_the_fewest_months(reader: ScoreReader) -> None:
    whole = list(reader.listed(ListFilter(order_by="lifetime_value"), "en"))
    values = [one.lifetime_value[0].value for one in whole if one.lifetime_value]
    assert values == sorted(values, reverse=True)
    middle = values[len(values) // 2]
    some = list(reader.listed(ListFilter(min_lifetime_value=middle), "en"))
    assert {one.customer_id for one in some} == {
        one.customer_id for one in whole if one.lifetime_value and one.lifetime_value[0].value >= middle
    }


def test_a_list_without_lifetime_value_is_neither_filtered_nor_ordered_by_it() -> None:
    plain = scores([0.5, 0.4])
    with pytest.raises(UsageError, match="cannot filter the list by min_lifetime_value: these scores"):
        at_risk(plain, ListFilter(min_lifetime_value=1.0))
    with pytest.raises(UsageError, match="cannot order by lifetime_value: these scores tell no") as refused:
        at_risk(plain, ListFilter(order_by="lifetime_value"))
    assert translated(refused.value.message, "ja") == (
        "顧客生涯価値（LTV）順に並べられません：このスコアに顧客生涯価値（LTV）がありません。"
        "イベントに金額がない、再び購入した顧客が少なすぎる、[value] months が空、"
        "または顧客生涯価値に対応する前のモデルのいずれかです。別の並び順を選んでください。"
    )


def test_the_command_line_offers_every_order_there_is() -> None:
    assert tuple(ORDERS.choices) == get_args(ListOrder)


def test_low_evidence_is_a_range_wherever_people_read_it() -> None:
    sure, unsure = (LifetimeValue(12, 1000.0, 400.0, 2500.0, level) for level in ("normal", "low"))
    assert lifetime_text(sure, "JPY", "ja") == "1,000円"
    assert lifetime_text(unsure, "JPY", "ja") == "400円〜2,500円"
    assert lifetime_text(unsure, "USD", "en") == "$400.00–$2,500"
    assert lifetime_text(None, "USD", "en") == "–"
    one = SimpleNamespace(lifetime_value=[unsure])
    row = ListRow(one, None, "en")  # type: ignore[arg-type]
    assert COLUMNS["lifetime_value"].cell(row) is None
    assert COLUMNS["lifetime_value"].cell(ListRow(SimpleNamespace(lifetime_value=[sure]), None, "en")) == 1000  # type: ignore[arg-type]
    assert [
        CELLS[f"lifetime_{name}"](one, None) for name in ("value", "value_low", "value_high", "evidence")
    ] == [  # type: ignore[arg-type]
        None,
        "400.00",
        "2500.00",
        "low",
    ]


def test_totals_are_told_by_tier_and_month_of_joining_and_add_up() -> None:
    joined = [600 + place for place in range(40)]
    totals = lifetime_totals(valued([float(n) for n in range(40)], joined))
    whole = {one.months: one for one in totals if one.cut == "all"}
    assert whole[12].total == sum(range(40))
    assert whole[12].low < whole[12].total < whole[12].high
    assert whole[24].high / whole[24].total > whole[12].high / whole[12].total, "less is known of its level"
    by_month = [one for one in totals if one.cut == "joined" and one.months == 12]
    assert sum(one.total for one in by_month) == pytest.approx(whole[12].total)
    assert by_month[0].group == EARLIER
    assert by_month[0].customers == 4
    assert by_month[-1].group == "2023-04"
    assert {(one.customers < FEWEST, one.low is None, one.high is None) for one in totals} == {
        (False, False, False),
        (True, True, True),
    }
    assert lifetime_totals(valued([np.nan, np.nan], [-1, -1])) == (), "nobody has a value"
    assert lifetime_totals(scores([0.5])) == ()


def test_the_report_has_a_table_of_it(tmp_path: Path) -> None:
    rows = [f"c{n} 2024-{month:02}-1{n}T10:00 purchase 1500" for n in range(9) for month in (10, 11)]
    data = report_data(store(tmp_path, "\n".join(rows)), active_days=60, horizon_days=30)
    totals = lifetime_totals(valued([100.0, *[50.0] * 30, 10.0], [600, *[601] * 30, 602]))
    shown = reply(replace(data, request=replace(data.request, lifetime=totals)), "ja")
    assert [one.total for one in shown.lifetime if one.cut == "all"] == [1610.0, 3220.0]
    text = page(shown, "ja")
    assert "顧客生涯価値（LTV）" in text
    assert "2020-02" in text
    amount = format_figure("amount")
    note = lifetime_note(shown.lifetime, amount, "ja")
    assert "全顧客の合計の水準の範囲は12か月で" in note
    assert "24か月は、この長さの実績がまだなく根拠が限定的なため、水準の範囲で示しています" in note
    assert note.endswith("30名未満の区分には範囲を示しません。")
    assert "80" not in note
    joined = {(one.group, one.months): one for one in shown.lifetime if one.cut == "joined"}
    assert per_customer_text(joined["2020-01", 12], amount, "ja") == amount(100.0)
    for write in (per_customer_text, total_text):
        assert write(joined["2020-01", 24], amount, "ja") == "–", "one customer and low evidence"
        assert "〜" in write(joined["2020-02", 24], amount, "ja")
    assert amount(joined["2020-02", 24].total) not in total_text(joined["2020-02", 24], amount, "ja")
    lines = [*csv.DictReader(io.StringIO(as_csv(shown, "en").removeprefix("\ufeff")))]
    mine = [one for one in lines if (one["cut"], one["group"]) == ("joined", "2020-02")]
    first, second = joined["2020-02", 12], joined["2020-02", 24]
    assert {(one["measure"], one["name"]): one["value"] for one in mine} == {
        ("lifetime_value_12_months", "Lifetime value, 12 months"): "50.0",
        ("lifetime_value_12_months_low", "Lifetime value, 12 months, low"): str(first.per_customer_low),
        ("lifetime_value_12_months_high", "Lifetime value, 12 months, high"): str(first.per_customer_high),
        ("lifetime_value_24_months_low", "Lifetime value, 24 months, low"): str(second.per_customer_low),
        ("lifetime_value_24_months_high", "Lifetime value, 24 months, high"): str(second.per_customer_high),
    }
    small = [one for one in lines if (one["cut"], one["group"]) == ("joined", "2020-01")]
    assert [(one["measure"], one["value"], one["customers"]) for one in small] == [
        ("lifetime_value_12_months", "100.0", "1")
    ]
    assert "顧客生涯価値" not in page(replace(shown, lifetime=[]), "ja")


def test_a_rule_takes_the_customers_who_will_be_worth_most() -> None:
    best, rest = rule("best", 'lifetime_value = "top 25%"'), rule("rest", 'lifetime_value = "> 0"')
    playbook, planned = made(HEAD + best + rest, valued([10.0, 90.0, 30.0, 20.0, np.nan]))
    assert rules_of(playbook, planned) == ["rest", "best", "rest", "rest", None]


def test_a_rule_by_rank_ranks_those_who_can_still_leave_and_one_by_amount_takes_the_lapsed_too() -> None:
    some = valued([10.0, 90.0, 30.0, 20.0, 80.0, 70.0], lapsed=[4, 5])
    rules = rule("best", 'lifetime_value = "top 50%"'), rule("worth", 'lifetime_value = "> 75"')
    playbook, planned = made(HEAD + "".join(rules), some)
    assert rules_of(playbook, planned) == [None, "best", "best", None, "worth", None]
    lowest = rule("lowest", 'lifetime_value = "bottom 50%"')
    playbook, planned = made(HEAD + lowest, some)
    assert rules_of(playbook, planned) == ["lowest", None, None, "lowest", None, None]


def test_a_rule_by_rank_for_the_lapsed_alone_is_refused_as_they_have_no_rank() -> None:
    left = 'stage = "lapsed"'
    with pytest.raises(ConfigurationError, match="'best' can never match: its conditions exclude each other"):
        validate_rules(parse(HEAD + rule("best", left, 'lifetime_value = "top 20%"'), "p.toml"), VOCABULARY)
    worth = rule("worth", left, 'lifetime_value = "> 10"')
    ranked = rule("ranked", 'lifetime_value = "top 100%"')
    validate_rules(parse(HEAD + ranked + worth, "p.toml"), VOCABULARY)


@pytest.mark.parametrize("kind", DEFAULTS)
def test_the_comments_of_a_playbook_list_every_condition_on_a_number(kind: str) -> None:
    text = default_text(kind)
    assert [name for name in NUMBERS if f"#   when.{name} " not in text] == []


def test_a_rule_about_it_is_refused_where_nobody_has_one() -> None:
    with pytest.raises(
        ConfigurationError, match="asks for what nobody has: these scores tell no lifetime value"
    ):
        validate_rules(
            parse(HEAD + rule("best", 'lifetime_value = "> 10"'), "playbook.toml"),
            replace(VOCABULARY, lifetime_value=False),
        )
