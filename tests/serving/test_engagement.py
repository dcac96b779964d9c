"""Report and plan of a scored shop, through the command as people use it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from serving.actions.plan_file import FOLDER, load
from serving.actions.playbook import read
from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.cli.main import main
from serving.lists.score_reader import ScoreReader
from serving.reports.compute import compute_report, report_inputs
from serving.schemas.report_responses import ReportReply
from serving.schemas.responses import AtRiskReply, ExplainReply
from serving.scoring.batch import score_customers
from tests.serving.running import serving
from tests.serving.shapes import published
from training.labels.cohort import IN_COHORT


def run(folder: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *words])
    return int(ended.value.code or 0)


def said(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> dict[str, Any]:
    assert run(folder, "--json", *words) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_a_report_expects_as_many_to_leave_as_the_scores_in_use(scored_shop: Path) -> None:
    call = CliContext(scored_shop)
    with call.records() as records:
        inputs = report_inputs(call.project, call.store, records, 3, call.now)
        scores = ScoreReader.current(records, call.project, call.store).scores
    assert inputs.expected_leavers == scores.facts.expected_leavers is not None


def test_tier_shares_and_flow_are_those_that_scoring_gives_on_the_same_dates(scored_shop: Path) -> None:
    call = CliContext(scored_shop)
    with call.records() as records:
        found = compute_report(call.store, report_inputs(call.project, call.store, records, 3, call.now))
        bundle = ScoreReader.current(records, call.project, call.store).bundle
    flow: Counter[tuple[int, int]] = Counter()
    sizes: Counter[int] = Counter()
    for history in call.store.histories():
        both = []
        for edge in (found.periods.period.start, found.periods.period.end):
            scored = score_customers(bundle, history, edge)
            both.append(np.where(scored.status == IN_COHORT, scored.tier, -1).tolist())
        flow.update(zip(*both, strict=True))
        sizes.update(both[1])
    assert found.movements.flow == flow
    del sizes[-1]
    for number, name in enumerate(found.tiers):
        share = found.wholes.estimate("tier_share", "wilson", found.periods.current, "tier", name)
        assert share is not None
        assert share.value == pytest.approx(sizes[number] / sizes.total())
    assert sum(found.movements.now.values()) == sizes.total()


def test_the_two_axes_hold_everyone_and_are_named_in_both_languages(
    scored_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    english, japanese = (said(capsys, scored_shop, "report", "--language", one) for one in ("en", "ja"))
    cells = english["axes"]
    assert len(cells) == 20
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", cell["words"]) for cell in japanese["axes"])
    assert all(cell["words"].isascii() for cell in cells)
    then = sum(cell["customers_at_start"] for cell in cells)
    leavers = sum(
        round(cell["churn_rate"] * cell["customers_at_start"]) for cell in cells if cell["churn_rate"]
    )
    (churn,) = [m["figure"] for m in english["measures"] if m["name"] == "churn_rate"]
    assert then == churn["customers"]
    assert leavers == round(churn["value"] * churn["customers"])


def test_an_attribute_is_shown_with_the_words_that_the_project_declares(
    own_shop: Path, tmp_path: Path
) -> None:
    file, settings = tmp_path / "report.html", own_shop / "kizuna.toml"
    assert run(own_shop, "report", "--output", str(file), "--language", "ja") == 0
    assert "<summary>plan</summary>" in file.read_text(encoding="utf-8")
    text = settings.read_text(encoding="utf-8")
    words = 'name = "plan"\nenglish = "Contract plan"\njapanese = "契約プラン"\n'
    settings.write_text(text.replace('name = "plan"\n', words), encoding="utf-8")
    for language, heading in (("ja", "契約プラン"), ("en", "Contract plan")):
        assert run(own_shop, "report", "--output", str(file), "--language", language) == 0
        assert f"<summary>{heading}</summary>" in file.read_text(encoding="utf-8")


def test_a_count_is_compared_without_an_interval_and_a_share_with_one(
    scored_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measures = {one["name"]: one for one in said(capsys, scored_shop, "report")["measures"]}
    count = measures["active_customers"]["figure"]["against_previous"]
    assert list(count) == ["value", "change"]
    share = measures["repeat_rate"]["figure"]["against_previous"]
    assert list(share) == ["value", "change", "low", "high"]


class Balanced(HTMLParser):
    """Checks that every element that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.charts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)
        self.charts += tag == "svg"
        assert not any(name in ("src", "href") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_report_as_a_page_stands_alone_with_a_chart_for_each_measure(
    scored_shop: Path, tmp_path: Path, language: str
) -> None:
    file = tmp_path / "report.html"
    assert run(scored_shop, "report", "--months", "6", "--output", str(file), "--language", language) == 0
    page = Balanced()
    page.feed(file.read_text(encoding="utf-8"))
    assert page.open == []
    assert page.charts > 8
    assert ("リピート率" in file.read_text(encoding="utf-8")) == (language == "ja")


def test_the_report_as_csv_and_json_says_the_same_figures(
    scored_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.csv"
    assert run(scored_shop, "report", "--output", str(file)) == 0
    rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"))))
    capsys.readouterr()
    answer_ = said(capsys, scored_shop, "report")
    (repeat,) = [m for m in answer_["measures"] if m["name"] == "repeat_rate"]
    whole = [row for row in rows if row["measure"] == "repeat_rate" and row["cut"] == "all"]
    assert [row["span"] for row in whole] == [answer_["period"], *(m["month"] for m in repeat["by_month"])]
    assert float(whole[0]["value"]) == repeat["figure"]["value"]
    lifetime = {row["measure"] for row in rows if row["measure"].startswith("lifetime_value_")}
    assert lifetime == {
        "lifetime_value_12_months",
        "lifetime_value_12_months_low",
        "lifetime_value_12_months_high",
    } | {
        "lifetime_value_24_months_low",  # evidence is low: a range and no value
        "lifetime_value_24_months_high",
    }
    assert {row["measure"] for row in rows} - lifetime == {m["name"] for m in answer_["measures"]}


def test_a_report_into_a_file_of_another_kind_is_refused(
    scored_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.docx"
    assert run(scored_shop, "report", "--output", str(file)) == 2
    assert capsys.readouterr().err.endswith(
        f"cannot tell in which format to write {file}: its name ends in none of .html, .csv and .json. "
        "Give it one of these endings.\n"
    )
    assert not file.exists()


def test_the_plan_says_stage_action_hooks_and_rule_for_everyone_on_the_list(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = said(capsys, own_shop, "at-risk", "--limit", "20")["customers"]
    planned = said(capsys, own_shop, "plan", "--limit", "20")["customers"]
    assert [one["customer_id"] for one in planned] == [one["customer_id"] for one in listed]
    assert [one["churn_probability"] for one in planned] == [one["churn_probability"] for one in listed]
    for one in planned:
        assert one["stage"]
        assert one["rule"]
        assert (one["outcome"] == "planned") == (one["left_out_because"] is None)
        assert one["hooks"]["favourite_category"] in ("food", "toys", "books")
        assert bool(one["hook_sentences"]) == (one["outcome"] == "planned")
    japanese = said(capsys, own_shop, "plan", "--limit", "20", "--language", "ja")["customers"]
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", one["action_words"] or "見送り") for one in japanese)


def test_people_read_the_planned_customers_before_those_left_out(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(own_shop, "plan", "--limit", "500", "--format", "csv") == 0
    text = capsys.readouterr().out.removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    left_out = [row["outcome"] != "planned" for row in rows]
    assert True in left_out
    assert False in left_out
    assert left_out == sorted(left_out)
    for group in (True, False):
        ranks = [int(row["rank"]) for row, out in zip(rows, left_out, strict=True) if out == group]
        assert ranks == sorted(ranks)


def test_the_plan_can_be_cut_and_the_rank_stays_that_of_the_list(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everyone = said(capsys, own_shop, "plan", "--limit", "500")["customers"]
    for name in ("touch", "action", "stage", "outcome"):
        wanted = Counter(one[name] for one in everyone if one[name]).most_common()[-1][0]
        cut = said(capsys, own_shop, "plan", "--limit", "500", f"--{name}", wanted)["customers"]
        expected = [(one["rank"], one["customer_id"]) for one in everyone if one[name] == wanted]
        assert [(one["rank"], one["customer_id"]) for one in cut] == expected
        assert cut
    has = {
        "stopped_category": lambda hooks: hooks["stopped_category"] is not None,
        "favourite_category": lambda hooks: hooks["favourite_category"] is not None,
        "unanswered_inquiry": lambda hooks: (
            bool(hooks["last_inquiry"]) and hooks["last_inquiry"]["answered"] is False
        ),
        "last_survey": lambda hooks: hooks["last_survey"] is not None,
        "anniversary": lambda hooks: (
            bool(hooks["anniversary"])
            and (date.fromisoformat(hooks["anniversary"]["on"]) - date.fromisoformat(hooks["today"])).days
            <= 30
        ),
    }
    for hook, there in has.items():
        cut = said(capsys, own_shop, "plan", "--limit", "500", "--hook", hook)["customers"]
        expected = [one["customer_id"] for one in everyone if there(one["hooks"])]
        assert [one["customer_id"] for one in cut] == expected, hook
    channel = next(one["action_channel"] for one in everyone if one["action_channel"])
    cut = said(capsys, own_shop, "plan", "--limit", "500", "--channel", channel)["customers"]
    assert {one["action_channel"] for one in cut} == {channel}


def test_the_plan_as_csv_opens_in_a_spreadsheet(own_shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.csv"
    assert run(own_shop, "plan", "--limit", "5", "--output", str(file), "--language", "ja") == 0
    rows = list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"))))
    assert rows[0][:4] == ["順位", "顧客ID", "離反確率", "リスク金額"]
    assert len(rows) == 6
    assert all(len(row) == len(rows[0]) for row in rows)


def test_the_projects_own_playbook_is_used_and_a_wrong_one_leaves_the_plan_as_it_was(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(own_shop, "playbook") == 0
    own = own_shop / "playbook.toml"
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace('name = "everyone-else"', 'name = "all-the-others"'), encoding="utf-8")
    capsys.readouterr()
    planned = said(capsys, own_shop, "plan", "--limit", "500")["customers"]
    assert "all-the-others" in {one["rule"] for one in planned}
    (kept,) = (own_shop / "state" / FOLDER).glob("*.arrow")
    before = kept.read_bytes()
    own.write_text(text.replace('when.stage = "onboarding"', 'when.stage = "fresh"'), encoding="utf-8")
    assert run(own_shop, "plan") == 3
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(
        r"line \d+: `when\.stage` of the rule 'newcomer' names 'fresh', which there is not", error
    )
    assert kept.read_bytes() == before
    assert run(own_shop, "playbook") == 2
    assert "it is there already" in capsys.readouterr().err


def test_a_rule_may_name_a_channel_that_nobody_prefers_at_present(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(own_shop, "playbook") == 0
    own = own_shop / "playbook.toml"
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace('when.stage = "lapsed"', 'when.channel = "phone"'), encoding="utf-8")
    capsys.readouterr()
    planned = said(capsys, own_shop, "plan", "--limit", "500")["customers"]
    assert {one["hooks"]["preferred_channel"] for one in planned} == {None}
    assert "gone" not in {one["rule"] for one in planned}
    own.write_text(text.replace('when.stage = "lapsed"', 'when.channel = "fone"'), encoding="utf-8")
    assert run(own_shop, "plan") == 3
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith(
            "`when.channel` of the rule 'regular-gone' names 'fone', which there is not. "
            'Write "phone" instead, or another of app, chat, community, email, phone, social, store, web, '
            "none."
        )
    )


def test_a_scored_customer_whose_events_were_all_corrected_away_is_not_contacted(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = said(capsys, own_shop, "at-risk", "--limit", "240")["customers"]
    gone = next(one["customer_id"] for one in listed if int(one["customer_id"][1:]) % 3)
    orders = own_shop / "data" / "orders.csv"
    orders.write_text(orders.read_text(encoding="utf-8").replace(gone, "another"), encoding="utf-8")
    assert said(capsys, own_shop, "ingest")["sources"]
    before = said(capsys, own_shop, "plan", "--limit", "500")["customers"]
    (one,) = [one for one in before if one["customer_id"] == gone]
    assert one["outcome"] == "do_not_contact"
    hooks = dict(one["hooks"])
    del hooks["today"]
    assert set(hooks.values()) == {None}
    assert sum(one["outcome"] == "do_not_contact" for one in before) == 1


def test_without_a_loyalty_programme_nobody_has_a_level(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = said(capsys, own_shop, "plan", "--limit", "500")["customers"]
    assert {str(one["hooks"]["loyalty"]) for one in planned} == {"None"}
    assert read(None).playbook.loyalty == ()


def test_the_plan_is_the_one_that_was_written(own_shop: Path) -> None:
    call = CliContext(own_shop)
    with call.workspace() as workspace:
        plan = make_plan(workspace, COMMAND_LINE).plan
    (file,) = (own_shop / "state" / FOLDER).glob("*.arrow")
    written = load(file)
    assert str(written.table.to_pydict()) == str(plan.table.to_pydict())  # NaN included
    assert (written.playbook, written.origin) == (plan.playbook, plan.origin)


def test_people_read_the_words_of_a_rule_and_its_name_where_it_has_none(
    own_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(own_shop, "playbook") == 0
    own = own_shop / "playbook.toml"
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace('en = "Has left"\nja = "離反済み"\n', ""), encoding="utf-8")
    capsys.readouterr()
    planned = said(capsys, own_shop, "plan", "--limit", "500", "--language", "ja")["customers"]
    words = {one["rule"]: one["rule_words"] for one in planned if one["rule"]}
    assert words.pop("gone") == "gone"
    assert words
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", one) for one in words.values())
    file = tmp_path / "plan.csv"
    assert run(own_shop, "plan", "--output", str(file), "--limit", "500", "--language", "ja") == 0
    rows = csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig")))
    assert {row["適用ルール"] for row in rows} - {""} == {"gone", *words.values()}


def test_a_plan_is_kept_with_the_playbook_that_made_it(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = said(capsys, own_shop, "plan", "--limit", "3")["customers"]
    (file,) = (own_shop / "state" / FOLDER).glob("*.arrow")
    kept = load(file)
    names = CliContext(own_shop).store.customers.names(kept.keys[kept.order[:3]]).to_pylist()
    assert names == [one["customer_id"] for one in planned]
    assert kept.rule_of(int(kept.table.column("rule")[int(kept.order[0])].as_py())).name == planned[0]["rule"]


def test_an_erased_customer_is_in_no_plan_and_the_others_stay(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = said(capsys, own_shop, "plan", "--limit", "10")["customers"]
    gone = before[0]["customer_id"]
    key = int(CliContext(own_shop).store.customers.keys(pa.array([gone]))[0])
    (file,) = (own_shop / "state" / FOLDER).glob("*.arrow")
    assert load(file).rows(np.array([key]))[0] >= 0
    assert f"state/{FOLDER}/{file.name}" in said(capsys, own_shop, "erase", gone)["checked"]
    assert load(file).rows(np.array([key]))[0] == -1
    assert len(load(file).keys) == len(
        CliContext(own_shop).store.customers.names(load(file).keys).drop_null()
    )


def test_an_unknown_touch_is_refused_with_those_there_are(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(own_shop, "at-risk", "--touch", "hug") == 2
    assert capsys.readouterr().err == (
        "cannot filter the list by `--touch`: no plan was made for these scores. Run `kizuna plan` first.\n"
    )
    for command in ("plan", "at-risk"):
        assert run(own_shop, command, "--touch", "hug") == 2
        assert capsys.readouterr().err.splitlines()[-1] == (
            "`--touch`: cannot list the touch model 'hug': there is none of that name. "
            "There are high, low, tech, community."
        )


def test_once_planned_the_list_and_the_explanation_carry_the_plan(
    own_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = said(capsys, own_shop, "at-risk", "--limit", "5")
    assert all(one["plan"] is None for one in before["customers"])
    planned = said(capsys, own_shop, "plan", "--limit", "5")["customers"]
    listed = said(capsys, own_shop, "at-risk", "--limit", "5")["customers"]
    parts = ("stage", "touch", "action", "action_channel", "rule", "hooks")
    assert [[one["plan"][part] for part in parts] for one in listed] == [
        [one[part] for part in parts] for one in planned
    ]
    first = listed[0]["customer_id"]
    assert said(capsys, own_shop, "explain", first)["customer"]["plan"]["rule"] == planned[0]["rule"]
    assert run(own_shop, "explain", first, "--language", "ja") == 0
    assert "次のアクション" in capsys.readouterr().out
    file = tmp_path / "list.csv"
    assert run(own_shop, "at-risk", "--limit", "5", "--output", str(file), "--language", "ja") == 0
    rows = list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"))))
    assert rows[0][-9:-5] == ["ステージ", "タッチモデル", "アクション", "チャネル"]
    assert all(len(row) == len(rows[0]) for row in rows)


def test_a_plan_for_older_scores_is_not_shown_beside_new_ones(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, own_shop, "plan")
    (file,) = (own_shop / "state" / FOLDER).glob("*.arrow")
    file.rename(file.with_name("another.arrow"))
    assert all(one["plan"] is None for one in said(capsys, own_shop, "at-risk")["customers"])


def test_the_list_shows_on_the_terminal_what_to_do(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = said(capsys, own_shop, "plan", "--limit", "1", "--outcome", "planned")["customers"]
    assert run(own_shop, "at-risk", "--outcome", "planned", "--limit", "1") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"→ {planned[0]['action_words'].split()[0]}" in shown


def test_the_service_notices_a_plan_and_cuts_its_list_by_it(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(own_shop) as running:
        status, answer_ = running.post("/v1/at_risk", {"stages": ["growing"]})
        assert (status, answer_["error"]["field"]) == (422, "stages")
        everyone = said(capsys, own_shop, "plan", "--limit", "500")["customers"]
        planned = [one for one in everyone if one["status"] == "cohort"]
        first = planned[0]

        def noticed() -> bool:
            return bool(running.post("/v1/at_risk", {"limit": 1})[1]["customers"][0]["plan"])

        running.wait_for(noticed)
        status, whole = running.post("/v1/at_risk", {"limit": 500})
        published(AtRiskReply, whole)
        assert [one["plan"]["rule"] for one in whole["customers"]] == [one["rule"] for one in planned]
        for field, part in (
            ("stages", "stage"),
            ("touch_models", "touch"),
            ("actions", "action"),
            ("channels", "action_channel"),
            ("outcomes", "outcome"),
        ):
            wanted = Counter(one[part] for one in planned if one[part]).most_common()[-1][0]
            cut = running.post("/v1/at_risk", {"limit": 500, field: [wanted]})[1]["customers"]
            expected = [one["customer_id"] for one in planned if one[part] == wanted]
            assert [one["customer_id"] for one in cut] == expected
            assert {one["plan"][part] for one in cut} == {wanted}
            status, file = running.send("GET", f"/v1/at_risk.csv?{field}={wanted}&language=ja")
            rows = list(csv.reader(io.StringIO(file.decode("utf-8-sig"))))
            assert [row[1] for row in rows[1:]] == expected
            assert rows[0][-9:-5] == ["ステージ", "タッチモデル", "アクション", "チャネル"]
        status, explained = running.post("/v1/explain", {"customer_id": first["customer_id"]})
        published(ExplainReply, explained)
        assert explained["customer"]["plan"]["hooks"] == first["hooks"]
        status, scored = running.post("/v1/score", {"customer_ids": [first["customer_id"], "nobody"]})
        assert [one["plan"] and one["plan"]["rule"] for one in scored["customers"]] == [first["rule"], None]
        status, refused = running.post("/v1/at_risk", {"actions": ["hug"]})
        assert (status, refused["error"]["field"]) == (422, "actions")
        status, report = running.post("/v1/report", {"months": 6, "language": "ja"})
        published(ReportReply, report)
        assert report == said(capsys, own_shop, "report", "--months", "6", "--language", "ja")
        assert running.post("/v1/report", {"months": 5})[0] == 422
