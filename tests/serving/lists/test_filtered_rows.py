"""Rows that fit a filter, kept as bits: places and counts are those of a plain search."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.lists.filtered_rows import BLOCK, MOST_KEPT, FilterCache, FilteredRows, ListTotals
from serving.lists.filters import ListFilter
from serving.lists.ranking import at_risk
from serving.schemas.terms import IN_CONTROL, OUTCOMES, PLANNED
from serving.state.scores.score_file import Scores
from tests.serving.state.scores.test_score_file import FACTS, answers

SUBJECTS = ("purchase",) * 4 + ("inquiry",) * 3 + ("tenure",) * 2


@given(
    n=st.sampled_from([0, 1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK]),
    share=st.sampled_from([0.0, 0.001, 0.5, 1.0]),
    start=st.integers(0, 3 * BLOCK),
    length=st.integers(0, 2 * BLOCK),
    seed=st.integers(0, 5),
)
def test_places_are_those_of_a_plain_search(n: int, share: float, start: int, length: int, seed: int) -> None:
    fits = np.random.default_rng(seed).random(n) < share
    plain = np.flatnonzero(fits)
    rows = FilteredRows.of(np.arange(n), fits, ListTotals(len(plain), None, None))
    assert rows.places(start, start + length).tolist() == plain[start : start + length].tolist()
    for place in (0, start, n):
        assert rows.count_before(place) == int(np.count_nonzero(fits[:place]))


def test_the_rows_of_a_filter_are_those_of_the_list_and_kept_for_the_last_filters() -> None:
    scores = Scores(answers(500), FACTS)
    cache = FilterCache(scores, SUBJECTS, None)
    chosen = [ListFilter(min_probability=least / 100) for least in range(MOST_KEPT + 5)]
    for choice in chosen:
        found = cache.rows_of(choice)
        places = found.places(0, found.totals.customers)
        assert found.ranking[places].tolist() == at_risk(scores, choice, SUBJECTS).tolist()
    assert cache.rows_of(chosen[-1]) is found
    assert cache.rows_of(chosen[0].model_copy(update={"limit": 3})) is cache.rows_of(chosen[0])
    assert len(cache._kept) == MOST_KEPT


def test_totals_count_who_is_planned_refused_and_in_a_control_group_whatever_else_holds() -> None:
    scores = Scores(answers(500), FACTS)
    random = np.random.default_rng(3)
    codes, refused = random.integers(-1, len(OUTCOMES), 500).astype(np.int8), random.random(500) < 0.3
    for choice in (ListFilter(), ListFilter(min_probability=0.4), ListFilter(limit=7)):
        rows = at_risk(scores, choice, SUBJECTS)
        whole = FilterCache(scores, SUBJECTS, None, lambda: codes, lambda: refused).totals(choice)
        assert whole.customers == len(rows)
        assert whole.planned == np.count_nonzero(codes[rows] == PLANNED)
        assert whole.control == np.count_nonzero(codes[rows] == IN_CONTROL)
        assert whole.refused == np.count_nonzero(refused[rows])
        alone = FilterCache(scores, SUBJECTS, None, None, lambda: refused).totals(choice)
        assert (alone.planned, alone.control, alone.refused) == (0, 0, whole.refused)
    assert whole.customers == 7
