"""A first model that may leak is refused, or taken with a reason that stands wherever this is told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from features.event_store import EventStore
from serving.cli.context import CliContext
from tests.inputs.services import answer, kizuna
from tests.inputs.test_leaks import ROWS, Value, region, service
from training.data.attribute_dates import OF_TOTALS, attribute_findings
from training.evaluation.leaks import leaks_by_date

REASON = "the rank is the one of the contract <signed> at the start"
VISITS = Counter(customer for customer, _, kind in ROWS if kind == "visit")


def rank(n: int, _: bool) -> str:
    """A member rank by all visits that there ever were."""
    visits = VISITS[f"m{n:03d}"]
    return "gold" if visits >= 60 else "silver" if visits >= 20 else "bronze"


def visits(n: int, _: bool) -> str:
    return str(VISITS[f"m{n:03d}"])


def points(n: int, _: bool) -> str:
    """Points for visits, and a gift of up to ten."""
    return str(100 * VISITS[f"m{n:03d}"] + (n * 37) % 1_000)


def likes_visits(n: int, _: bool) -> str:
    """An honest answer at sign-up that goes with more visits, and does not tell their number."""
    return "often" if (n * 7919) % 100 < min(85, 15 + VISITS[f"m{n:03d}"]) else "seldom"


@pytest.mark.parametrize(
    ("made", "named"),
    [(rank, True), (visits, True), (points, True), (likes_visits, False), (region, False)],
    ids=["a rank", "a number", "points", "an honest answer", "a region"],
)
def test_an_attribute_made_of_what_customers_did_later_is_a_leak_however_it_is_dated(
    made: Value, named: bool, tmp_path: Path
) -> None:
    opened = CliContext(service(tmp_path, {"made": made})).project
    as_of = opened.timeline.instant("2025-01-01")
    found = attribute_findings(EventStore(opened.state), opened.churn, opened.timeline, as_of)
    assert [one.figures["attribute"] for one in found if one.name == OF_TOTALS] == ["made"] * named
    for leak in leaks_by_date(found):
        assert leak.english.startswith("leak: the attribute 'made' is dated at sign-up for all of its")
        assert "number of 'visit'" in leak.english
        assert "「visit」の件数" in leak.japanese


def test_a_rank_of_all_visits_refuses_the_first_champion_and_a_reason_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = service(tmp_path, {"rank": rank, "region": region}, ["[features]\nwindows = [30]\n"])
    findings = [one["name"] for one in answer(capsys, folder, "doctor")["findings"]]
    assert OF_TOTALS in findings

    refused = answer(capsys, folder, "train")
    assert not refused["promoted"]
    assert "'rank' is dated at sign-up for all of its 500 customers" in refused["refusals"][0]
    assert "`kizuna train --accept-leak REASON`" in refused["refusals"][0]
    assert kizuna(folder, "score") == 5  # there is no champion
    capsys.readouterr()

    taken = answer(capsys, folder, "train", "--accept-leak", REASON)
    assert taken["promoted"]
    (entry,) = [one for one in answer(capsys, folder, "audit")["asked"] if "accept-leak" in one["action"]]
    assert entry["details"] == f"version {taken['model_version']}: {REASON}"
    log = [json.loads(line) for line in (folder / "state" / "promotions.jsonl").read_text().splitlines()]
    assert [line["promoted"] for line in log] == [False, True]
    assert log[-1]["accepted_leak"] == REASON
    for language in ("en", "ja"):
        cards = [card.read_text("utf-8") for card in folder.glob(f"mlruns/**/model_card.{language}.html")]
        shown = REASON.replace("<", "&lt;").replace(">", "&gt;")
        assert sum(shown in card for card in cards) == 1
