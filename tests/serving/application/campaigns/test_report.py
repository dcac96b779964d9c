"""The report of a campaign: review dates reached and pending, arms, groups, gains, and bad days."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.errors import DataError, Forbidden, UsageError
from features.event_store import EventStore
from serving.application.campaigns.draft import draft_campaign
from serving.application.campaigns.list_campaigns import read_campaign
from serving.application.campaigns.report import campaign_report
from serving.application.campaigns.start import start_campaign
from serving.application.campaigns.stop import stop_campaign
from serving.application.campaigns.stored_results import stored_campaign
from serving.application.data.erase import erase
from serving.application.permissions import COMMAND_LINE, Actor
from serving.application.workspace import Workspace
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from serving.presentation.campaign_report.csv_rows import report_csv
from serving.presentation.campaign_report.page import page
from serving.presentation.campaign_report.terminal import show
from serving.schemas.campaign_responses import CampaignReport, OutcomeEffect, ReviewResult
from serving.schemas.json_text import to_json
from serving.state.campaigns.campaign_index import newest_result, save_result
from tests.serving import shop
from tests.serving.application.campaigns.test_start import opened
from tests.serving.campaign_shop import NOW, START, at
from training.explanation.project_words import NO_WORDS


@pytest.fixture
def place(spring: Workspace) -> Workspace:
    return spring


@pytest.fixture(scope="module")
def found(started_template: Path, tmp_path_factory: pytest.TempPathFactory) -> CampaignReport:
    folder = Path(shutil.copytree(started_template, tmp_path_factory.mktemp("told") / "shop"))
    return campaign_report(at(opened(folder), NOW), COMMAND_LINE, "spring")


def effect(review: ReviewResult, outcome: str) -> OutcomeEffect:
    (one,) = [one for one in review.effects if one.outcome == outcome]
    return one


def contact(place: Workspace, arm: str, days: int = 1, detail: str = "spring") -> list[str]:
    """Store a call of 500 to each customer of an arm, `days` after the start."""
    assignment = read_campaign(place, COMMAND_LINE, "spring").assignment
    assert assignment is not None
    keys = assignment.treated if arm == "treatment" else assignment.control
    names: list[str] = place.store.customers.names(keys).to_pylist()
    rows = pa.table(
        {
            "customer_id": names,
            "occurred_at": [f"2024-10-{1 + days:02}T12:00:00"] * len(names),
            "kind": ["call_made"] * len(names),
            "value": [500.0] * len(names),
            "detail": [detail] * len(names),
        }
    )
    place.store.add(rows, source="calls", timeline=place.project.timeline, now=place.clock())
    return names


SERVICE = """
[touch]
high = { en = "Person", ja = "担当者" }
[actions]
answer = { en = "Answer", ja = "回答" }
[owners]
support = { en = "Support", ja = "サポート" }
[[rules]]
name = "answer an inquiry"
touch = "high"
action = "answer"
channel = "phone"
owner = "support"
deadline_days = 1
service = true
"""


def test_contacts_of_rules_for_service_are_told_apart_for_both_arms(spring: Workspace) -> None:
    (spring.project.folder / "playbook.toml").write_text(SERVICE, encoding="utf-8")
    contact(spring, "treatment")
    for arm in ("treatment", "control"):
        contact(spring, arm, days=2, detail="answer an inquiry")
    contact(spring, "control", days=3, detail="newsletter")
    report = campaign_report(reopened(spring), COMMAND_LINE, "spring")
    treatment, control = report.arms
    assert (treatment.contacts, treatment.service_contacts, treatment.other_contacts) == (
        treatment.counted,
        treatment.counted,
        0,
    )
    assert (control.contacts, control.service_contacts, control.other_contacts) == (
        0,
        control.counted,
        control.counted,
    )
    assert report.contaminated == 0


def test_a_report_that_was_stored_before_service_was_counted_is_still_read(spring: Workspace) -> None:
    stored = json.loads(to_json(campaign_report(spring, COMMAND_LINE, "spring")))
    for arm in stored["arms"]:
        del arm["service_contacts"]
    save_result(spring.database, "spring", json.dumps(stored), spring.clock())
    older = stored_campaign(spring, COMMAND_LINE, "spring").report
    assert older is not None
    assert [arm.service_contacts for arm in older.arms] == [0, 0]


def reopened(place: Workspace) -> Workspace:
    return replace(place, store=EventStore(place.project.state))


def test_review_dates_that_the_data_reach_are_told_and_the_others_say_when(found: CampaignReport) -> None:
    assert [review.months for review in found.reviews] == [1, 3]
    assert [(one.months, one.date) for one in found.pending] == [(6, "2025-04-01"), (12, "2025-10-01")]
    assert [review.after_hold for review in found.reviews] == [False, True]
    assert found.hold_ends == "2024-11-30"
    assert [look.months for look in found.sequence] == [1, 2, 3, 4, None]


def test_every_outcome_has_its_arms_difference_ratio_and_plain_difference(found: CampaignReport) -> None:
    for review in found.reviews:
        assert [one.outcome for one in review.effects] == [
            "retained",
            "churned_value",
            "spend",
            "active_days",
            "tier",
        ]
        for one in review.effects:
            assert one.low is not None
            assert one.high is not None
            assert one.low < one.difference < one.high
            assert one.difference == pytest.approx(one.treatment - one.control)
            plain = one.unadjusted
            assert plain.difference == pytest.approx(plain.treatment - plain.control)


def test_the_plain_figures_are_the_means_of_the_arms(place: Workspace) -> None:
    review = campaign_report(place, COMMAND_LINE, "spring").reviews[1]
    assignment = read_campaign(place, COMMAND_LINE, "spring").assignment
    assert assignment is not None
    keys = {"treatment": assignment.treated, "control": assignment.control}
    with (place.project.folder / "data" / "orders.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if START <= row["ordered_at"] < "2025-01-01"]
    for arm, members in keys.items():
        names = set(place.store.customers.names(members).to_pylist())
        spent = sum(float(row["amount"]) for row in rows if row["customer"] in names and row["amount"])
        # 30 days before 2025-01-01; the record begins by day, so both ends are midnights.
        bought = {
            row["customer"]
            for row in rows
            if row["customer"] in names and row["ordered_at"] >= "2024-12-02" and row["kind"] == "purchase"
        }
        assert getattr(effect(review, "spend").unadjusted, arm) == pytest.approx(spent / len(names))
        assert getattr(effect(review, "retained").unadjusted, arm) == pytest.approx(len(bought) / len(names))


def test_intervals_at_review_dates_are_wider_than_those_of_one_date_and_narrower_than_the_sequence(
    found: CampaignReport,
) -> None:
    review = effect(found.reviews[0], "spend")
    look = found.sequence[0].effects[-1]
    assert look.outcome == "spend"
    assert look.difference == review.difference
    assert look.low is not None
    assert look.high is not None
    assert review.low is not None
    assert review.high is not None
    assert look.low < review.low < review.high < look.high


def test_tiers_and_deciles_and_declared_segments_are_declared_and_others_exploratory(
    place: Workspace,
) -> None:
    report = campaign_report(place, COMMAND_LINE, "spring", by=("plan",))
    kinds = {(group.by, group.declared) for group in report.reviews[0].groups}
    assert kinds == {("tier", True), ("risk_decile", True), ("segment:plan", True), ("segment:plan", False)}
    sizes = [
        group.treatment + group.control for group in report.reviews[0].groups if group.by == "risk_decile"
    ]
    assert sum(sizes) == sum(arm.counted for arm in report.arms)
    with pytest.raises(UsageError, match=r"cannot report by the attribute 'colour'.* There are: plan"):
        campaign_report(place, COMMAND_LINE, "spring", by=("colour",))


def test_contacts_give_exposure_cost_and_the_effect_on_those_reached(place: Workspace) -> None:
    names = contact(place, "treatment")
    report = campaign_report(reopened(place), COMMAND_LINE, "spring")
    treatment, control = report.arms
    assert (treatment.reached, treatment.contacts, control.reached) == (len(names), len(names), 0)
    assert report.contaminated == 0
    review = report.reviews[0]
    assert review.gain is not None
    assert review.gain.cost == 500 * len(names)
    assert review.gain.money_gained is not None
    assert review.gain.money_gained.value == pytest.approx(
        effect(review, "spend").difference * treatment.counted
    )
    (retained, *_) = review.reached
    # All of the treatment arm and nobody else was reached: the effect on them is that of the arms.
    assert (retained.reached_treatment, retained.reached_control) == pytest.approx((1.0, 0.0))
    assert retained.difference == pytest.approx(effect(review, "retained").difference)


def test_control_customers_who_were_contacted_stay_in_their_arm_and_are_said(place: Workspace) -> None:
    before = campaign_report(place, COMMAND_LINE, "spring")
    names = contact(place, "control")
    report = campaign_report(reopened(place), COMMAND_LINE, "spring")
    assert report.contaminated == len(names)
    assert report.arms[1].counted == before.arms[1].counted
    assert effect(report.reviews[0], "spend").difference == effect(before.reviews[0], "spend").difference
    assert any("control customers were contacted all the same" in note for note in report.notes)


def test_a_customer_erased_in_mid_campaign_leaves_no_name_and_is_counted(place: Workspace) -> None:
    assignment = read_campaign(place, COMMAND_LINE, "spring").assignment
    assert assignment is not None
    (name,) = place.store.customers.names(assignment.control[:1]).to_pylist()
    before = campaign_report(place, COMMAND_LINE, "spring")
    erase(place, COMMAND_LINE, name)
    report = campaign_report(reopened(place), COMMAND_LINE, "spring")
    control, earlier = report.arms[1], before.arms[1]
    assert (control.assigned, control.erased, control.counted) == (
        earlier.assigned,
        1,
        earlier.counted - 1,
    )
    assert "1 customers were erased since the start: they are in no figure." in report.notes
    assert name not in to_json(report)


def test_scores_that_were_replaced_since_the_start_change_nothing(place: Workspace) -> None:
    before = campaign_report(place, COMMAND_LINE, "spring")
    shop.score_all(place.project.folder, place.project.folder / "bundle", dates=("2025-02-01",))
    assert campaign_report(place, COMMAND_LINE, "spring") == before


def test_the_newest_report_is_kept_and_one_with_exploratory_groups_is_not(place: Workspace) -> None:
    report = campaign_report(place, COMMAND_LINE, "spring")
    campaign_report(place, COMMAND_LINE, "spring", by=("plan",))
    kept = newest_result(place.database, "spring")
    assert kept is not None
    assert kept.computed_at == place.clock()
    assert json.loads(kept.report) == json.loads(to_json(report))


def test_a_campaign_that_was_stopped_ends_its_hold_on_that_day(place: Workspace) -> None:
    stop_campaign(at(place, "2024-10-15"), COMMAND_LINE, "spring")
    report = campaign_report(place, COMMAND_LINE, "spring")
    assert report.hold_ends == "2024-10-15"
    assert [review.after_hold for review in report.reviews] == [True, True]


def test_before_any_data_of_the_time_after_the_start_there_is_nothing_to_compare(
    own_shop: Path,
) -> None:
    now = at(opened(own_shop), "2025-03-01")
    declaration = CampaignDeclaration(ListFilter(limit=1_000), control_share=0.5)
    start_campaign(now, COMMAND_LINE, "late", declaration, accept_few=True)
    report = campaign_report(now, COMMAND_LINE, "late")
    assert (report.reviews, report.sequence) == ([], [])
    assert len(report.pending) == 4
    assert any("there is nothing to compare yet" in note for note in report.notes)
    assert "There is nothing" not in page(report, "ja", NO_WORDS)
    show(report, "ja", NO_WORDS)


def test_a_campaign_of_two_customers_has_figures_and_no_intervals(own_shop: Path) -> None:
    shop.score_all(own_shop, own_shop / "bundle", dates=(START,))
    place = opened(own_shop)
    declaration = CampaignDeclaration(ListFilter(limit=2), control_share=0.5)
    start_campaign(at(place, START), COMMAND_LINE, "two", declaration, accept_few=True)
    report = campaign_report(at(place, NOW), COMMAND_LINE, "two")
    assert [arm.counted for arm in report.arms] == [1, 1]
    spend = effect(report.reviews[0], "spend")
    assert (spend.low, spend.high) == (None, None)
    assert spend.difference == spend.unadjusted.difference
    show(report, "en", NO_WORDS)
    assert "<svg" in page(report, "en", NO_WORDS)
    assert "NaN" not in to_json(report)


def test_drafts_unknown_names_and_callers_without_permission_are_refused(place: Workspace) -> None:
    draft_campaign(
        place, COMMAND_LINE, "later", CampaignDeclaration(ListFilter(limit=100), control_share=0.5)
    )
    with pytest.raises(DataError, match=r"it was drafted, but not started"):
        campaign_report(place, COMMAND_LINE, "later")
    with pytest.raises(UsageError, match=r"cannot find the campaign 'nowhere'"):
        campaign_report(place, COMMAND_LINE, "nowhere")
    with pytest.raises(Forbidden):
        campaign_report(place, Actor("nobody", "key", frozenset()), "spring")


def test_a_missing_assignment_is_said(place: Workspace) -> None:
    for file in (place.project.state / "campaigns").glob("*.arrow"):
        file.unlink()
    with pytest.raises(DataError, match=r"cannot"):
        campaign_report(place, COMMAND_LINE, "spring")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_form_of_the_report_tells_the_same(
    found: CampaignReport, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show(found, language, NO_WORDS)
    shown = capsys.readouterr().out
    html = page(found, language, NO_WORDS)
    words = ("Effect after 1 month", "Effect of contact 3 months earlier")
    if language == "ja":
        words = ("1か月後の効果", "3か月前の接触の効果")
    for word in words:
        assert word in shown
        assert word in html
    assert html.count("<svg") > 5
    assert "<script" not in html
    rows = list(csv.DictReader(io.StringIO("".join(report_csv(found)).removeprefix("\ufeff"))))
    reviews = [row for row in rows if row["part"] == "review"]
    assert len(reviews) == 10
    assert float(reviews[2]["difference"]) == found.reviews[0].effects[2].difference


def test_the_command_writes_files_by_their_ending(
    place: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.inputs.services import answer, kizuna

    folder = place.project.folder
    told = answer(capsys, folder, "campaign", "report", "spring")
    assert [review["months"] for review in told["reviews"]] == [1, 3]
    for ending in ("html", "csv", "json"):
        file = tmp_path / f"told.{ending}"
        assert kizuna(folder, "campaign", "report", "spring", "--output", str(file)) == 0
        assert file.stat().st_size > 1_000
    assert kizuna(folder, "campaign", "report", "spring", "--output", str(tmp_path / "told.pdf")) == 2
    assert "its name ends in none of .html, .csv, .json" in capsys.readouterr().err


def test_nothing_in_the_report_is_infinite_or_not_a_number(found: CampaignReport) -> None:
    text = to_json(found)
    assert "NaN" not in text
    assert "Infinity" not in text
    assert np.isfinite([one.difference for review in found.reviews for one in review.effects]).all()
