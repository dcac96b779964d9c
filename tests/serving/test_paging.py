"""The list in pages: filters hold, pages join without a gap, and old scores stay readable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import UsageError
from serving.lists.cursor import Cursor
from serving.lists.filters import ListFilter
from serving.lists.ranking import at_risk, page
from serving.state.scores.score_file import Scores
from tests.serving.running import serving
from tests.serving.shop import score_all
from tests.serving.state.scores.test_score_file import FACTS, answers

SUBJECTS = ("purchase",) * 4 + ("inquiry",) * 3 + ("tenure",) * 2


@settings(max_examples=60)
@given(
    n=st.integers(0, 200),
    limit=st.integers(1, 60),
    least=st.sampled_from([0.0, 0.5, 0.99]),
    tiers=st.lists(st.sampled_from(FACTS.tiers), max_size=2),
    indicators=st.lists(st.sampled_from(["purchase", "inquiry"]), max_size=2),
)
def test_pages_joined_are_the_whole_list(
    n: int, limit: int, least: float, tiers: list[str], indicators: list[str]
) -> None:
    scores = Scores(answers(n), FACTS)
    filters = {"min_probability": least, "tiers": tiers, "indicators": indicators}
    whole = at_risk(scores, ListFilter(**filters), SUBJECTS)
    joined, place = [], 0
    while place is not None:
        rows, place = page(scores, ListFilter(limit=limit, **filters), SUBJECTS, place)
        assert len(rows) <= limit
        joined += rows.tolist()
    assert joined == whole.tolist()


def test_a_list_by_main_reason_has_only_customers_whose_first_reason_it_is() -> None:
    scores = Scores(answers(500), FACTS)
    rows = at_risk(scores, ListFilter(indicators=("inquiry",)), SUBJECTS)
    assert len(rows)
    assert set(scores.answers.reason_features[rows, 0]) <= {4, 5, 6}
    with pytest.raises(UsageError) as refused:
        at_risk(scores, ListFilter(indicators=("weather",)), SUBJECTS)
    assert refused.value.message == (
        "cannot list the indicator 'weather': there is none of that name. "
        "The indicators are purchase, inquiry, tenure."
    )


@given(st.text(max_size=60))
def test_a_cursor_that_no_answer_gave_is_refused(text: str) -> None:
    known = str(Cursor("file.arrow", 5, 4, "abc"))
    assert Cursor.read(known) == Cursor("file.arrow", 5, 4, "abc")
    if text != known:
        with pytest.raises(
            UsageError, match=r"^cannot go on from this cursor: it is none that an answer gave\."
        ):
            Cursor.read(text)


def test_pages_stay_those_of_their_scores_while_new_ones_arrive(own_shop: Path) -> None:
    with serving(own_shop) as running:
        _, whole = running.post("/v1/at_risk", {"limit": 60})
        status, first = running.post("/v1/at_risk", {"limit": 20})
        score_all(own_shop, own_shop / "bundle", dates=("2025-01-20",))
        running.wait_for(lambda: running.ready()["as_of"] == "2025-01-20")
        status, second = running.post("/v1/at_risk", {"limit": 20, "cursor": first["next_cursor"]})
        assert (status, second["as_of"]) == (200, whole["as_of"])
        _, third = running.post("/v1/at_risk", {"limit": 20, "cursor": second["next_cursor"]})
        joined = [*first["customers"], *second["customers"], *third["customers"]]
        assert joined == whole["customers"][: len(joined)]
        assert [one["rank"] for one in joined] == list(range(1, len(joined) + 1))
        status, said = running.post(
            "/v1/at_risk", {"limit": 20, "min_probability": 0.5, "cursor": first["next_cursor"]}
        )
        assert (status, said["error"]["field"]) == (422, "cursor")
        assert said["error"]["message"] == (
            "cannot go on from this cursor: it belongs to a list with other filters. "
            "Send the filters of the page before, or leave the cursor out to start again."
        )


def test_a_list_can_be_narrowed_to_a_segment(own_shop: Path) -> None:
    with serving(own_shop) as running:
        _, gold = running.post("/v1/at_risk", {"limit": 1_000, "segment": {"plan": ["gold"]}})
        _, both = running.post("/v1/at_risk", {"limit": 1_000, "segment": {"plan": ["gold", "basic"]}})
        numbers = [int(one["customer_id"].removeprefix("c")) for one in gold["customers"]]
        assert numbers
        assert all(number % 6 == 0 for number in numbers), "every sixth customer is on the plan gold"
        assert len(both["customers"]) > len(numbers)
        status, content = running.send("GET", "/v1/at_risk.csv?segment.plan=gold")
        assert status == 200
        assert content.decode().count("\r\n") == len(numbers) + 1
        for asked, field, message in (
            ({"plan": ["silver"]}, "segment.plan", "The values are gold, basic."),
            ({"colour": ["red"]}, "segment", "The attributes are plan."),
        ):
            status, said = running.post("/v1/at_risk", {"segment": asked})
            assert (status, said["error"]["field"]) == (422, field)
            assert said["error"]["message"].endswith(message)


def test_a_page_of_a_million_stops_early() -> None:
    """Not a clock but the work: a short page looks at one stretch of the ranking."""
    some = answers(200_000)
    scores = Scores(some, FACTS)
    rows, place = page(scores, ListFilter(limit=100), SUBJECTS)
    assert (len(rows), place) == (100, 100)
    nobody, end = page(scores, ListFilter(limit=100, min_probability=1.0), SUBJECTS)
    assert (len(nobody), end) == (0, None)
    assert np.isfinite(some.value_at_risk[rows]).all()


def test_a_cursor_reads_no_file_that_was_never_in_use(own_shop: Path) -> None:
    with serving(own_shop) as running:
        _, first = running.post("/v1/at_risk", {"limit": 5})
        good = Cursor.read(first["next_cursor"])
        for file in ("../kizuna.db", "/etc/passwd", "other.arrow"):
            forged = str(Cursor(file, 0, 0, good.choice))
            status, said = running.post("/v1/at_risk", {"limit": 5, "cursor": forged})
            assert (status, said["error"]["field"]) == (422, "cursor")
            assert said["error"]["message"] == (
                "cannot go on from this cursor: its scores are not kept any more. "
                "Leave the cursor out to start again."
            )
