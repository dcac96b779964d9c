"""One function answers for a customer, however their history came in."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from features.errors import DataError, ModelError
from serving.cli.context import CliContext
from serving.scoring.batch import score, score_customers
from serving.state.active_model import ActiveModel, import_bundle, in_use
from serving.state.scores.score_file import load
from tests.serving import shop
from training.bundle.lifetime.score_columns import LIFETIME_COLUMNS
from training.bundle.model_bundle import Bundle
from training.labels.cohort import IN_COHORT

NUMBERS = ("churn_probability", "expected_value", "value_at_risk", "tier", "predicted_tier", "status")


def test_a_customer_alone_gets_the_row_of_the_batch_bit_for_bit(scored_shop: Path) -> None:
    call = CliContext(scored_shop)
    bundle = Bundle.load(scored_shop / "bundle")
    as_of = call.project.timeline.instant(shop.DATES[-1])
    whole, _ = score(call.store, ActiveModel("1", bundle), as_of, 0)
    for row in range(0, len(whole), 7):
        alone = score_customers(bundle, call.store.history_of([int(whole.key[row])]), as_of, threads=1)
        for name in NUMBERS:
            assert getattr(alone, name)[0].tobytes() == getattr(whole, name)[row].tobytes(), name
        for name in LIFETIME_COLUMNS:
            mine, theirs = (getattr(one.lifetime, name) for one in (alone, whole))
            assert mine[0].tobytes() == theirs[row].tobytes(), name


def test_scoring_twice_gives_the_same_answers(scored_shop: Path) -> None:
    call = CliContext(scored_shop)
    as_of = call.project.timeline.instant(shop.DATES[-1])
    champion = ActiveModel("1", Bundle.load(scored_shop / "bundle"))
    one, other = (score(call.store, champion, as_of, 0)[0].table() for _ in range(2))
    assert one.equals(other) or one.to_pandas().equals(other.to_pandas())


def test_events_that_come_while_scores_are_made_wait_for_the_next_scores(own_shop: Path) -> None:
    call = CliContext(own_shop)
    as_of = call.project.timeline.instant(shop.DATES[-1])
    champion = ActiveModel("1", Bundle.load(own_shop / "bundle"))
    before, facts = score(call.store, champion, as_of, 0)

    def ingest_midway(_: str, share: float) -> None:
        if share == 0:
            orders = own_shop / "data" / "orders.csv"
            late = [f"c{n:04d},2025-01-31 00:00:00,purchase,999,s1,toys,late{n}" for n in range(240)]
            orders.write_text(orders.read_text() + "\n".join(late) + "\n")
            shop.ingest(own_shop)

    during, then = score(call.store, champion, as_of, 0, ingest_midway)
    assert during.table().to_pandas().equals(before.table().to_pandas())
    assert then == facts
    assert call.store.version != facts.data_version


def test_events_after_the_date_change_nothing(own_shop: Path) -> None:
    call = CliContext(own_shop)
    as_of = call.project.timeline.instant(shop.DATES[0])
    champion = ActiveModel("1", Bundle.load(own_shop / "bundle"))
    before, _ = score(call.store, champion, as_of, 0)
    orders = own_shop / "data" / "orders.csv"
    late = [f"c{n:04d},2025-01-01 00:00:00,purchase,999,s1,toys,late{n}" for n in range(240)]
    orders.write_text(orders.read_text() + "\n".join(late) + "\n")
    shop.ingest(own_shop)
    after, facts = score(CliContext(own_shop).store, champion, as_of, 0)
    assert after.table().to_pandas().equals(before.table().to_pandas())
    assert facts.newest is not None
    assert facts.newest < as_of


def test_those_outside_the_cohort_have_a_status_and_a_tier_and_no_probability(scored_shop: Path) -> None:
    file = next(iter(sorted((scored_shop / "state" / "scores").glob("20250201*"))))
    answers = load(file).answers
    inside = answers.status == IN_COHORT
    assert set(answers.status) == {0, 1, 2}
    assert (answers.status == 2).sum() == 5
    for name in ("churn_probability", "expected_value", "value_at_risk"):
        assert np.isnan(getattr(answers, name)[~inside]).all()
        assert not np.isnan(getattr(answers, name)[inside]).any()
    assert (answers.churn_probability[inside] > 0).all()
    assert (answers.churn_probability[inside] < 1).all()
    assert (answers.predicted_tier[~inside] == -1).all()
    assert (answers.tier >= 0).all()
    assert (answers.reason_features[inside, 0] >= 0).all()


def test_when_nobody_can_leave_it_says_so(scored_shop: Path) -> None:
    call = CliContext(scored_shop)
    as_of = call.project.timeline.instant("2025-12-01")
    with pytest.raises(DataError) as refused:
        score(call.store, ActiveModel("1", Bundle.load(scored_shop / "bundle")), as_of, 0)
    assert str(refused.value) == (
        "cannot score as of 2025-12-01: no customer then could still leave. The newest event is of "
        "2025-02-03. Ingest newer events with `kizuna ingest`, or give another date with --as-of."
    )


def test_a_damaged_champion_is_refused_and_the_one_before_goes_on(own_shop: Path) -> None:
    project = CliContext(own_shop).project
    with CliContext(own_shop).records() as records:
        before = in_use(records, project.state)
        broken = Path(shutil.copytree(own_shop / "bundle", own_shop / "broken"))
        (broken / "churn.txt").write_text("nonsense")
        with pytest.raises(ModelError) as refused:
            import_bundle(project.state, "2", broken)
        assert str(refused.value).startswith(f"the bundle at {broken} is damaged: churn.txt does not match ")
        assert in_use(records, project.state) == before
        assert len(list((project.state / "bundles").iterdir())) == 1


def test_importing_the_same_champion_again_changes_nothing(own_shop: Path) -> None:
    call = CliContext(own_shop)
    with call.records() as records:
        first = import_bundle(call.project.state, "1", own_shop / "bundle")
        assert in_use(records, call.project.state) == first
    assert len(list((call.project.state / "bundles").iterdir())) == 1
