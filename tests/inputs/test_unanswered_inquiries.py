"""An inquiry without minutes to its answer is open only where answers are known, and not for ever."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.inputs.services import DATES, answer, change, copied, kizuna, plan_of, simulated
from tests.serving import shop

MINUTES = "kind, minutes as value, channel, agent as place"
RECORDED = "topic as detail, answered_at as recorded_at,"


def asking(minutes: str) -> Any:
    """An edit of kizuna.toml: what the tickets say of the minutes to their answer."""

    def edit(text: str) -> str:
        assert MINUTES in text
        text = text.replace(MINUTES, MINUTES.replace("minutes as", f"{minutes} as"))
        return text.replace(RECORDED, "topic as detail,") if minutes != "minutes" else text

    return edit


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated service whose tickets never say when they were answered."""
    return simulated(tmp_path_factory.mktemp("silent") / "service", edit=asking("cast(null as double)"))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated service as it is."""
    return simulated(tmp_path_factory.mktemp("untouched") / "service", customers=400)


def rules(plan: dict[str, dict[str, Any]]) -> Counter[str]:
    return Counter(row["rule"] for row in plan.values() if row["outcome"] == "planned")


def test_without_any_minutes_nobody_has_an_open_inquiry_and_doctor_says_so(
    silent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(capsys, silent)
    assert rules(plan)["open-inquiry"] == 0
    asked = [row["hooks"]["last_inquiry"] for row in plan.values() if row["hooks"]["last_inquiry"]]
    assert asked
    assert {one["answered"] for one in asked} == {None}
    assert not [line for row in plan.values() for line in row["hook_sentences"] if "no answer yet" in line]
    assert not answer(capsys, silent, "plan", "--hook", "unanswered_inquiry")["customers"]
    (finding,) = [
        one for one in answer(capsys, silent, "doctor")["findings"] if one["name"] == "no_answer_times"
    ]
    assert finding["inquiries"] > 100
    report = answer(capsys, silent, "report")
    (rate,) = [one for one in report["measures"] if one["name"] == "answered_rate"]
    assert rate["figure"] is None


def test_an_untouched_service_keeps_the_open_inquiries_of_its_last_days(
    untouched: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(capsys, untouched)
    still = {
        who: row["hooks"]["last_inquiry"]["on"]
        for who, row in plan.items()
        if row["hooks"]["last_inquiry"] and row["hooks"]["last_inquiry"]["answered"] is False
    }
    assert still
    assert min(still.values()) >= "2024-12-02"
    assert rules(plan)["open-inquiry"] >= 1
    assert not [one for one in answer(capsys, untouched, "doctor")["findings"] if "answer" in one["name"]]


def test_an_open_inquiry_goes_stale_after_the_days_that_the_playbook_names(
    untouched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = copied(untouched, tmp_path / "service")
    assert kizuna(own, "playbook") == 0
    book = own / "playbook.toml"
    text = book.read_text(encoding="utf-8")
    opened = {}
    for days in (1, 30, 3650):
        book.write_text(text.replace("open_inquiry_days = 30", f"open_inquiry_days = {days}"), "utf-8")
        plan = plan_of(capsys, own)
        opened[days] = {
            row["hooks"]["last_inquiry"]["on"]
            for row in plan.values()
            if row["hooks"]["last_inquiry"] and row["hooks"]["last_inquiry"]["answered"] is False
        }
    assert opened[1] <= opened[30] <= opened[3650]
    assert not [day for day in opened[1] if day < "2024-12-31"]


def test_where_only_calls_never_say_it_calls_are_unknown_and_tickets_stay_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    minutes = (
        "case when channel = 'phone' or happened_at >= timestamp '2024-12-20' then null else minutes end"
    )
    service = simulated(tmp_path / "service", edit=asking(minutes))
    plan = plan_of(capsys, service)
    answers = Counter(
        row["hooks"]["last_inquiry"]["answered"]
        for row in plan.values()
        if row["hooks"]["last_inquiry"] and row["hooks"]["last_inquiry"]["on"] >= "2024-12-20"
    )
    assert answers[False] > 0
    assert answers[True] == 0
    change(service, lambda text: text.replace("channel = 'phone' or ", ""))
    shop.ingest(service)
    shop.score_all(service, service / "bundle", dates=DATES)
    without = plan_of(capsys, service)
    known = sum(
        row["hooks"]["last_inquiry"] is not None and row["hooks"]["last_inquiry"]["answered"] is False
        for row in without.values()
    )
    assert known > answers[False]
