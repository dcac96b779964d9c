"""Score files: immutable, whole or not there, and silent about whom a key stands for."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ModelError, UsageError
from serving.lists.filters import ListFilter
from serving.lists.ranking import at_risk
from serving.state.scores.score_file import Scores, load, save, without_customer
from serving.state.scores.score_metadata import ScoreMetadata, UpliftSource
from serving.state.scores.score_table import SCHEMA, ScoreTable
from training.bundle.level_uncertainty import ExpectedLeavers

FACTS = ScoreMetadata(
    as_of=1_738_368_000_000_000,
    model_version="3",
    fingerprint="0123456789ab",
    data_version="data7",
    newest=1_738_300_000_000_000,
    evidence="normal",
    amounts=True,
    tiers=("dormant", "cooling", "casual"),
    scored_at=1_738_400_000_000_000,
)


def answers(n: int, seed: int = 0) -> ScoreTable:
    """n customers, two thirds of whom can still leave."""
    chance = np.random.default_rng(seed)
    status = chance.choice([0, 0, 1], n).astype(np.int8)
    inside = status == 0
    probability = np.where(inside, chance.random(n), np.nan)
    expected = np.where(inside, chance.gamma(2, 20, n), np.nan)
    return ScoreTable(
        key=np.arange(n, dtype=np.int64) * 3,
        status=status,
        churn_probability=probability,
        tier=chance.integers(0, 3, n).astype(np.int8),
        predicted_tier=np.where(inside, 1, -1).astype(np.int8),
        expected_value=expected,
        value_at_risk=probability * expected,
        reason_features=chance.integers(-1, 9, (n, 3)).astype(np.int16),
        reason_values=chance.random((n, 3)),
        reason_contributions=chance.random((n, 3)),
    )


def same(one: ScoreTable, other: ScoreTable) -> bool:
    return all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True) for n in SCHEMA.names)


def test_what_is_saved_is_what_is_read(tmp_path: Path) -> None:
    name = save(tmp_path, answers(1_000), FACTS)
    assert name == "20250201T000000Z-model3-datadata7.arrow"
    found = load(tmp_path / name)
    assert same(found.answers, answers(1_000))
    assert found.facts == FACTS
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing temporary is left"


def test_a_score_file_may_be_read_by_the_service_under_another_user(tmp_path: Path) -> None:
    assert (tmp_path / save(tmp_path, answers(3), FACTS)).stat().st_mode & 0o777 == 0o644


def test_a_million_customers_are_opened_without_reading_them(tmp_path: Path) -> None:
    file = tmp_path / save(tmp_path, answers(1_000_000), FACTS)
    assert file.stat().st_size < 110_000_000
    found = load(file).answers
    for name in SCHEMA.names:
        column = getattr(found, name)
        assert not column.flags.owndata, name
        assert not column.flags.writeable, name


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / save(tmp_path, answers(100), FACTS)
    content = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes({"empty": b"", "cut": content[:-200], "other": b"x" * 999}[damage])
    with pytest.raises(ModelError) as refused:
        load(file)
    assert str(refused.value) == (
        f"cannot read the scores in {file}: the file is missing or damaged. Run `kizuna score` again."
    )


def test_a_reader_keeps_what_it_opened_while_the_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / save(tmp_path, answers(100), FACTS)
    opened = load(file)
    save(tmp_path, answers(100, seed=1), FACTS)
    assert same(opened.answers, answers(100))
    assert same(load(file).answers, answers(100, seed=1))


def test_erasing_takes_one_row_and_leaves_the_others_alone(tmp_path: Path) -> None:
    file = tmp_path / save(tmp_path, answers(50), FACTS)
    assert without_customer(file, 30)
    assert not without_customer(file, 30)
    found = load(file)
    assert found.row(30) is None
    assert same(found.answers, answers(50).take(np.delete(np.arange(50), 10)))
    assert found.facts == FACTS


@given(
    risk=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 2.5]), min_size=1, max_size=40),
    limit=st.integers(1, 50),
)
def test_the_list_is_ordered_by_value_at_risk_with_ties_by_key(risk: list[float], limit: int) -> None:
    some = answers(len(risk))
    stake = np.array(risk)
    changed = ScoreTable(**{n: getattr(some, n) for n in SCHEMA.names} | {"value_at_risk": stake})
    rows = at_risk(Scores(changed, FACTS), ListFilter(limit=limit))
    inside = [row for row in range(len(risk)) if some.status[row] == 0]
    assert rows.tolist() == sorted(inside, key=lambda row: (-risk[row], some.key[row]))[:limit]


def test_without_amounts_the_list_goes_by_probability() -> None:
    facts = ScoreMetadata(**{**vars(FACTS), "amounts": False})
    scores = Scores(answers(100), facts)
    found = scores.answers.churn_probability[at_risk(scores, ListFilter())]
    assert (np.diff(found) <= 0).all()
    with pytest.raises(UsageError) as refused:
        at_risk(scores, ListFilter(order_by="value_at_risk"))
    assert str(refused.value) == (
        "cannot order by value_at_risk: the events carry no amounts, so nobody's value is known. "
        "Order by churn_probability."
    )


def test_only_the_cohort_is_listed_and_filters_hold() -> None:
    scores = Scores(answers(300), FACTS)
    everyone = at_risk(scores, ListFilter())
    assert set(everyone) == set(scores.cohort)
    rows = at_risk(scores, ListFilter(min_probability=0.4, tiers=("dormant", "casual")))
    assert (scores.answers.churn_probability[rows] >= 0.4).all()
    assert set(scores.answers.tier[rows]) == {0, 2}
    with pytest.raises(UsageError) as refused:
        at_risk(scores, ListFilter(tiers=("golden",)))
    assert str(refused.value) == (
        "cannot list the tier 'golden': there is none of that name. The tiers are dormant, cooling, casual."
    )


def test_a_disk_that_fills_up_while_saving_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the same write fails in the same place."""
    file = tmp_path / save(tmp_path, answers(2_000), FACTS)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from serving.state.scores.score_file import load, save\n"
        "scores = load(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n    save(Path(sys.argv[1]).parent, scores.answers, scores.facts)\n"
        "except OSError:\n    sys.exit(9)\n"
    )
    before = file.read_bytes()
    assert subprocess.run([sys.executable, "-c", code, str(file)], check=False).returncode == 9
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name], "nothing half-written is left"
    assert same(load(file).answers, answers(2_000))


def test_uplift_is_kept_with_where_it_came_from_and_scores_without_it_have_no_column(tmp_path: Path) -> None:
    some = answers(30)
    uplift = np.where(some.status == 0, np.linspace(-0.1, 0.1, 30), np.nan)
    source = UpliftSource("abcdef012345", "retained", 3, ("spring", "summer"), 7)
    with_uplift = replace(some, uplift=uplift, incremental_value=uplift * some.expected_value)
    name = save(tmp_path, with_uplift, replace(FACTS, uplift=source))
    assert name == "20250201T000000Z-model3-datadata7-upliftabcdef012345.arrow"
    found = load(tmp_path / name)
    assert found.facts.uplift == source
    assert np.array_equal(found.answers.uplift, uplift, equal_nan=True)
    assert without_customer(tmp_path / name, 30)
    rest = load(tmp_path / name)
    assert np.array_equal(rest.answers.uplift, np.delete(uplift, 10), equal_nan=True)
    for rows in (None, np.array([2, 5]), np.arange(12)):
        expected = uplift if rows is None else uplift[rows]
        assert np.array_equal([row[9] for row in with_uplift.iter_rows(rows)], expected, equal_nan=True)
        assert all(np.isnan(row[9:11]).all() for row in some.iter_rows(rows))
    plain = load(tmp_path / save(tmp_path, some, FACTS))
    assert (plain.answers.uplift, plain.answers.incremental_value, plain.facts.uplift) == (None, None, None)
    assert plain.answers.table().column_names == SCHEMA.names


def test_the_expected_leavers_are_kept_and_files_from_before_have_none(tmp_path: Path) -> None:
    facts = replace(FACTS, expected_leavers=ExpectedLeavers(31.5, 20.0, 44.25))
    assert load(tmp_path / save(tmp_path, answers(40), facts)).facts == facts
    older = vars(FACTS) | {}
    del older["expected_leavers"]
    assert ScoreMetadata(**older).expected_leavers is None
