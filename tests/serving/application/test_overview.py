"""The overview says what the list, the plan and the campaigns say, and what wants attention."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.timeline import DAY
from serving.application.customers.record_contact import record_contact
from serving.application.customers.refuse_contact import refuse_contact
from serving.application.customers.take_back_note import take_back_note
from serving.application.data.ingest import ingest
from serving.application.lists.at_risk import list_at_risk, whole_list
from serving.application.lists.last_report import LastReport, last_report
from serving.application.lists.make_plan import make_plan
from serving.application.lists.report import refresh_report
from serving.application.lists.score_overview import behaviour_by_attitude, score_overview
from serving.application.operation import overview as operation_overview
from serving.application.operation.overview import overview
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.console.texts import text
from serving.lists.filters import ListFilter
from serving.state.job_index import DONE, FAILED, INTERRUPTED, JobRecord, add_job, save_outcome
from serving.state.scores.score_file import load
from tests.serving import campaign_shop, shop


@pytest.fixture(scope="module")
def planned(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A shop with answers to a survey, scored twice and planned; not to be changed."""
    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("planned") / "shop"))
    with (folder / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write(
            '\n[[sources]]\nname = "surveys"\nquery = "select customer as customer_id, '
            "answered as occurred_at, 'nps' as kind, cast(score as double) as value "
            "from read_csv('data/answers.csv')\"\n"
        )
    rows = "".join(f"c{n:04d},2024-12-{n % 28 + 1:02d},{(n * 7) % 11}\n" for n in range(0, 240, 2))
    (folder / "data" / "answers.csv").write_text(f"customer,answered,score\n{rows}", encoding="utf-8")
    call = CliContext(folder)
    with open_workspace(call.project, lambda: call.now).database:
        place = at(folder)
        ingest(place, COMMAND_LINE)
        shop.score_all(folder, folder / "bundle")
        make_plan(place, COMMAND_LINE)
        yield place


def at(folder: Path, day: str = "2025-02-02") -> Workspace:
    project = CliContext(folder).project
    instant = project.timeline.instant(day)
    return open_workspace(project, lambda: instant)


def total(values: Iterator[float | None] | list[float | None]) -> float:
    return math.fsum(value for value in values if value is not None)


def test_tiers_and_value_at_risk_are_those_of_the_list(planned: Workspace) -> None:
    found = score_overview(planned, COMMAND_LINE).summary
    rows = list(whole_list(planned, COMMAND_LINE, ListFilter()).customers)
    assert found.customers == len(rows) == sum(one.customers for one in found.tiers)
    for tier in found.tiers:
        theirs = [row for row in rows if row.tier == tier.tier]
        assert tier.customers == len(theirs)
        assert tier.value_at_risk == pytest.approx(total([row.value_at_risk for row in theirs]))
    assert found.value_at_risk == pytest.approx(total([row.value_at_risk for row in rows]))
    top = list(list_at_risk(planned, COMMAND_LINE, ListFilter()).customers)
    assert found.top_customers == len(top) == 20
    assert found.top_value_at_risk == pytest.approx(total([row.value_at_risk for row in top]))


def test_moves_between_tiers_are_those_between_the_two_score_files(planned: Workspace) -> None:
    reader = planned.scores.current()
    assert reader.earlier is not None
    names = reader.scores.facts.tiers
    before, after = load(reader.earlier), reader.scores
    was = {int(before.answers.key[row]): names[before.answers.tier[row]] for row in before.cohort}
    is_ = {int(after.answers.key[row]): names[after.answers.tier[row]] for row in after.cohort}
    moves = score_overview(planned, COMMAND_LINE).summary.moves
    assert moves is not None
    assert moves.since == before.facts.as_of
    assert moves.same_model
    assert (moves.joined, moves.gone) == (len(is_.keys() - was.keys()), len(was.keys() - is_.keys()))
    pairs = [(was[key], is_[key]) for key in was.keys() & is_.keys()]
    assert moves.stayed == sum(a == b for a, b in pairs)
    assert {(one.before, one.after): one.customers for one in moves.moves} == {
        pair: pairs.count(pair) for pair in set(pairs) if pair[0] != pair[1]
    }
    assert moves.rose == sum(names.index(a) < names.index(b) for a, b in pairs)
    assert moves.fell == sum(names.index(a) > names.index(b) for a, b in pairs)


def test_each_cell_of_behaviour_by_attitude_counts_the_list_with_its_filters(planned: Workspace) -> None:
    cells = behaviour_by_attitude(planned, COMMAND_LINE)
    assert sum(cell.customers for cell in cells) == score_overview(planned, COMMAND_LINE).summary.customers
    assert len({cell.attitude for cell in cells if cell.customers}) == 4
    for cell in cells:
        choice = ListFilter(tiers=(cell.tier,), attitudes=(cell.attitude,))
        rows = list(whole_list(planned, COMMAND_LINE, choice).customers)
        assert cell.customers == len(rows)
        assert cell.value_at_risk == pytest.approx(total([row.value_at_risk for row in rows]))


def test_without_a_plan_no_attitude_is_known(own_shop: Path) -> None:
    assert behaviour_by_attitude(at(own_shop), COMMAND_LINE) == ()


def subjects(place: Workspace, **options: Any) -> list[str]:
    return [one.subject for one in overview(place, COMMAND_LINE, **options).attention]


def test_a_project_in_order_has_little_to_look_at(planned: Workspace) -> None:
    assert subjects(planned) == []


def test_what_is_broken_comes_before_what_is_late(planned: Workspace) -> None:
    later = replace(planned, clock=lambda: planned.clock() + 30 * DAY)
    assert subjects(later, trouble="the scores are damaged") == ["trouble", "scores_old"]
    (old,) = (one for one in overview(later, COMMAND_LINE).attention if one.subject == "scores_old")
    facts = planned.scores.current().scores.facts
    assert old.values == {"on": facts.data_until, "days": (later.clock() - (facts.data_until or 0)) // DAY}


def test_a_missing_plan_new_data_and_quarantined_rows_are_named(own_shop: Path) -> None:
    with (own_shop / "data" / "orders.csv").open("a", encoding="utf-8", newline="") as file:
        file.write("c0001,2025-01-31T10:00:00,purchase,5,s1,toys,late-1\r\n")
        file.writelines(f"c0001,never,purchase,0,s1,toys,bad-{n}\r\n" for n in range(500))
    place = at(own_shop)
    ingest(place, COMMAND_LINE)
    found = {one.subject: one for one in overview(place, COMMAND_LINE).attention}
    assert set(found) == {"quarantine", "scores_behind", "plan_missing"}
    assert found["quarantine"].values["rows"] >= 500


def test_an_overview_is_of_one_state_of_the_store_while_an_ingest_goes_on(
    planned: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = at(Path(shutil.copytree(planned.project.folder, tmp_path / "shop")))

    def report_then_ingest(workspace: Workspace, *args: Any, **options: Any) -> LastReport | None:
        found = last_report(workspace, *args, **options)
        with (place.project.folder / "data" / "orders.csv").open("a", encoding="utf-8", newline="") as file:
            file.write("c0001,2025-01-31T10:00:00,purchase,5,s1,toys,late-1\r\n")
        ingest(at(place.project.folder), COMMAND_LINE)
        return found

    monkeypatch.setattr(operation_overview, "last_report", report_then_ingest)
    assert "scores_behind" not in subjects(place)
    monkeypatch.undo()
    assert "scores_behind" in subjects(place)


def test_what_people_noted_is_no_newer_data_and_what_sources_bring_beside_it_is(
    planned: Workspace, tmp_path: Path
) -> None:
    planned = at(Path(shutil.copytree(planned.project.folder, tmp_path / "shop")))
    reader = planned.scores.current()
    names = reader.customers.names(reader.scores.answers.key[:3]).to_pylist()
    noted = refuse_contact(planned, COMMAND_LINE, names[0], token="a" * 20, text="by phone")
    assert noted.changed
    record_contact(
        planned, COMMAND_LINE, names[1], kind="call_made", at=planned.project.timeline.name(planned.clock()),
        token="b" * 20, text="will think about it",
    )  # fmt: skip
    refuse_contact(planned, COMMAND_LINE, names[2], token="c" * 20)
    take_back_note(planned, COMMAND_LINE, names[2], f"noted:{'c' * 20}:all")
    assert planned.store.version != reader.scores.facts.data_version
    assert "scores_behind" not in subjects(planned)
    with (planned.project.folder / "data" / "orders.csv").open("a", encoding="utf-8", newline="") as file:
        file.write("c0001,2025-01-31T10:00:00,purchase,5,s1,toys,late-1\r\n")
    ingest(planned, COMMAND_LINE)
    refuse_contact(planned, COMMAND_LINE, names[2], token="d" * 20)
    assert "scores_behind" in subjects(planned)


def test_the_sentence_on_newer_data_says_who_acts_and_how() -> None:
    sentence = text("today.attention_scores_behind", "ja", who="アナリストまたは管理者")
    assert sentence.endswith("アナリストまたは管理者が「スコアを算出する」を実行すると反映されます。")
    assert text("today.do_score", "ja") in sentence
    assert text("today.do_score", "en") in text("today.attention_scores_behind", "en")


def test_a_playbook_that_changed_or_broke_since_the_plan_is_named(planned: Workspace, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(planned.project.folder, tmp_path / "shop"))
    plan = planned.scores.current().plan
    assert plan is not None
    (folder / "playbook.toml").write_text(plan.origin.playbook + "\n# changed\n", encoding="utf-8")
    assert subjects(at(folder)) == ["playbook_changed"]
    (folder / "playbook.toml").write_text("[[rules]\n", encoding="utf-8")
    assert subjects(at(folder)) == ["playbook_broken"]


def test_a_source_that_ended_is_named_with_its_day(planned: Workspace, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(planned.project.folder, tmp_path / "shop"))
    refresh_report(at(folder), COMMAND_LINE, 12)
    (ended,) = overview(at(folder), COMMAND_LINE).attention
    assert (ended.subject, dict(ended.values)) == ("source_ended", {"source": "surveys", "day": "2024-12-27"})
    settings = (folder / "kizuna.toml").read_text(encoding="utf-8")
    closed = settings.replace('name = "surveys"', 'name = "surveys"\nclosed = true')
    (folder / "kizuna.toml").write_text(closed, encoding="utf-8")
    assert subjects(at(folder)) == []
    late = at(folder, "2026-01-01")
    found = last_report(late, COMMAND_LINE)
    assert found is not None
    assert found.all_silent
    assert "surveys" not in found.silent
    assert "source_ended" not in subjects(late), "the age of the data says it"


def test_a_review_date_is_due_until_its_effect_was_computed(started_template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(started_template, tmp_path / "shop"))
    place = at(folder, campaign_shop.NOW)
    (campaign,) = overview(place, COMMAND_LINE).campaigns
    timeline = place.project.timeline
    assert campaign.name == "spring"
    assert campaign.review_due == timeline.instant("2025-01-01")
    assert campaign.next_review == timeline.instant("2025-04-01")
    assert not campaign.holds_back
    assert "review_due" in subjects(place)
    (early,) = overview(at(folder, "2024-10-15"), COMMAND_LINE).campaigns
    assert (early.review_due, early.next_review) == (None, timeline.instant("2024-11-01"))
    assert early.holds_back


def test_a_job_that_failed_is_named_until_one_of_its_kind_is_done(own_shop: Path) -> None:
    place = at(own_shop)

    def ended(number: int, state: str) -> None:
        job = JobRecord(f"job-{number}", "ingest", "{}", "ann", "local", (), number)
        assert add_job(place.database, job, "ingest", number)
        save_outcome(place.database, job.id, state, number)

    ended(1, FAILED)
    first = overview(place, COMMAND_LINE).attention[0]
    assert (first.subject, dict(first.values)) == ("job_failed", {"kind": "ingest", "id": "job-1"})
    ended(2, INTERRUPTED)
    assert overview(place, COMMAND_LINE).attention[0].values["id"] == "job-2"
    ended(3, DONE)
    assert "job_failed" not in subjects(place)
