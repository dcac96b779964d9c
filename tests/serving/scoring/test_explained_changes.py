"""An explanation says which reasons moved since the scores before, and names the events behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.cli.context import CliContext
from serving.cli.main import main
from serving.lists.filters import ListFilter
from serving.lists.score_reader import ScoreReader
from serving.schemas.responses import ExplainReply
from tests.serving import shop
from tests.serving.shapes import as_json, published


@pytest.fixture(scope="module")
def replies(scored_shop: Path) -> ScoreReader:
    call = CliContext(scored_shop)
    with call.records() as records:
        return ScoreReader.current(records, call.project, call.store)


def explained(replies: ScoreReader, scored_shop: Path) -> list[dict]:
    """What is said of the twenty likeliest to leave."""
    store = CliContext(scored_shop).store
    listed = replies.at_risk(ListFilter(limit=20), "en").customers
    return [as_json(replies.explain(one.customer_id, "en", store)) for one in listed]


def test_every_change_names_events_of_its_indicator_before_the_newer_date(
    replies: ScoreReader, scored_shop: Path
) -> None:
    changes = [change for reply in explained(replies, scored_shop) for change in reply["changes"]]
    assert len(changes) > 20
    for change in changes:
        if not change["actionable"]:
            continue
        assert change["events"], change
        assert max(event["occurred_at"] for event in change["events"]) < shop.DATES[1]
        for event in change["events"]:
            assert event["kind"] in {"purchase", "refund"}
            if event["role"] == "entered":
                assert event["occurred_at"] >= shop.DATES[0]
    roles = {event["role"] for change in changes for event in change["events"]}
    assert roles == {"entered", "left", "last"}


def test_the_reply_has_the_published_shape(replies: ScoreReader, scored_shop: Path) -> None:
    for reply in explained(replies, scored_shop):
        published(ExplainReply, reply)


def test_what_nobody_can_change_is_marked(replies: ScoreReader, scored_shop: Path) -> None:
    reasons = [reason for reply in explained(replies, scored_shop) for reason in reply["customer"]["reasons"]]
    for reason in reasons:
        given = reason["indicator"] in {"tenure", "profile", "calendar"}
        assert reason["actionable"] is not given
    assert any(reason["actionable"] for reason in reasons)
    assert not all(reason["actionable"] for reason in reasons)


@pytest.mark.parametrize(("language", "words"), [("en", "no longer counted: "), ("ja", "期間外: ")])
def test_the_command_shows_the_events_below_each_change(
    replies: ScoreReader, scored_shop: Path, capsys: pytest.CaptureFixture[str], language: str, words: str
) -> None:
    name = next(
        reply["customer"]["customer_id"]
        for reply in explained(replies, scored_shop)
        if any(change["left"] for change in reply["changes"])
    )
    with pytest.raises(SystemExit):
        main(["-C", str(scored_shop), "explain", name, "--language", language])
    assert words in capsys.readouterr().out
