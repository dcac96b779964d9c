"""Learning without contact: probabilities, honesty about time, determinism, refusals and the model card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import pytest

from features.errors import DataError
from features.event_store import EventStore
from serving.presentation.training import reply, summary_lines
from tests.experiments import experiments
from tests.training.contacted_shop import ContactedShop, contacted_shop
from tests.training.simulated import NOW, plan
from tests.training.worlds import day
from training.bundle.model_bundle import Bundle
from training.data.contact_weights import ContactAssignments
from training.evaluation.champion_comparison import NotComparable, champion_on
from training.evaluation.evaluate import Evaluation
from training.registry.model_card.card import cards
from training.train import TrainingResult, learn, train
from training.training_config import TrainingConfig
from training.tuning import Tuning


@dataclass(frozen=True)
class Learned:
    shop: ContactedShop
    store: EventStore
    config: TrainingConfig
    """Of learning without contact."""
    usual: tuple[Bundle, Evaluation]
    without: tuple[Bundle, Evaluation]


@lru_cache(maxsize=1)
def learned() -> Learned:
    """One shop learned both ways; shared because it takes seconds."""
    there = contacted_shop()
    store = there.shop.store(Path(mkdtemp()) / "state")
    keys = store.customers.keys(pa.array([f"c{n:04}" for n in range(len(there.shop.rates))]))
    usual = plan()
    config = replace(
        usual,
        churn=usual.churn.model_copy(update={"contacts": "without_contact"}),
        assignments=there.assignments(keys),
    )
    return Learned(there, store, config, learn(store, usual, until=None), learn(store, config, until=None))


def test_probabilities_are_nearer_to_the_risk_without_contact() -> None:
    known = learned()
    rows = known.usual[1].rows  # the cohort of the test dates
    names = known.store.customers.names(rows.keys).to_pylist()
    truth = known.shop.shop.churn_probability()[[int(name[1:]) for name in names]]
    bundles = (known.usual[0], known.without[0])
    usual, without = (bundle.predict(rows.matrix).churn_probability for bundle in bundles)
    assert usual.mean() < truth.mean() - 0.1
    assert abs(without.mean() - truth.mean()) < 0.5 * abs(usual.mean() - truth.mean())
    assert np.abs(without - truth).mean() < 0.8 * np.abs(usual - truth).mean()


def test_base_rate_and_drift_are_those_of_the_weighted_rows() -> None:
    bundle, evidence = learned().without
    rows = evidence.rows
    assert rows.weight is not None
    assert bundle.base_rate == pytest.approx(np.average(rows.churned, weights=rows.weight))
    assert bundle.base_rate > learned().usual[0].base_rate + 0.05
    assert bundle.figures["base_rate"] == bundle.base_rate
    mean = np.average(evidence.probability, weights=rows.weight)
    assert bundle.figures["mean_probability"] == pytest.approx(mean)


def test_the_bundle_says_what_was_left_out_and_what_cannot_be_corrected() -> None:
    bundle, _ = learned().without
    facts = bundle.settings["without_contact"]
    assert bundle.contacts == "without_contact"
    assert facts["left_out"] > 0
    assert facts["control_customers"] > 100
    assert facts["effective_rows"] < facts["rows"]
    assert "call_made" not in facts["other_contacts"]  # calls were made by campaigns alone


def test_contacts_outside_campaigns_are_counted_and_stay() -> None:
    known = learned()
    starts = known.config.assignments
    assert starts is not None
    first = replace(known.config, assignments=_some(starts, starts.campaign != starts.campaign.max() - 1))
    facts = learn(known.store, first, until=None)[0].settings["without_contact"]
    assert facts["other_contacts"]["call_made"] > 0


def test_the_same_data_give_the_same_bundle_byte_for_byte() -> None:
    known = learned()
    arms = known.config.assignments
    assert arms is not None
    other_order = np.random.default_rng(0).permutation(len(arms))
    again = learn(known.store, replace(known.config, assignments=_some(arms, other_order)), until=None)[0]
    assert again.fingerprint == known.without[0].fingerprint


def test_assignments_change_no_byte_where_contacts_are_learned_as_they_were() -> None:
    known = learned()
    config = replace(plan(), assignments=known.config.assignments)
    bundle = learn(known.store, config, until=None)[0]
    assert bundle.fingerprint == known.usual[0].fingerprint
    assert bundle.contacts == "as_they_were"
    assert "contacts" not in bundle.settings["churn"]


def test_campaigns_that_start_later_change_nothing() -> None:
    known = learned()
    until = day(250)
    arms = known.config.assignments
    assert arms is not None
    past = learn(known.store, replace(known.config, assignments=_some(arms, arms.start < until)), until=until)
    every = learn(known.store, known.config, until=until)
    assert past[0].fingerprint == every[0].fingerprint


@pytest.mark.parametrize("arms", ["none", "later"])
def test_without_any_campaign_by_then_it_is_refused_with_a_way_out(arms: str) -> None:
    known = learned()
    table = None if arms == "none" else known.config.assignments
    until = day(200)
    if table is not None:
        table = _some(table, table.start >= until)
    with pytest.raises(DataError) as refused:
        learn(known.store, replace(known.config, assignments=table), until=until)
    assert str(refused.value) == (
        'cannot learn the risk without contact ([churn] contacts = "without_contact"): no campaign with a '
        "control group had been started by then, so nothing tells what contacts changed. Start one with "
        "`kizuna campaign start NAME` and train again when its review date is reached, or write contacts = "
        '"as_they_were" in [churn].'
    )


def test_a_model_of_the_other_question_is_no_champion_to_compare_with() -> None:
    known = learned()
    candidate, evidence = known.without
    found = champion_on(evidence, candidate, known.usual[0], "3", unasked)
    assert found.not_comparable is NotComparable.WITH_CONTACTS
    other = champion_on(known.usual[1], known.usual[0], candidate, "4", unasked)
    assert other.not_comparable is NotComparable.WITHOUT_CONTACT


def test_the_model_card_says_which_risk_it_is_in_both_languages() -> None:
    known = learned()
    usual, without = cards(known.usual[0], None), cards(known.without[0], None)
    assert "Contacts as they were: whom a contact kept counts" in usual["model_card.en.md"]
    assert "接触の扱い：実績どおり" in usual["model_card.ja.md"]
    facts = known.without[0].settings["without_contact"]
    english, japanese = without["model_card.en.md"], without["model_card.ja.md"]
    assert "Without contact: the probability is the risk if no campaign contacts the customer." in english
    assert f"{facts['left_out']:,} rows of {facts['campaigns']} campaigns" in english
    assert f"対照群{facts['control_customers']:,}名の{facts['control_rows']:,}行" in japanese


def unasked() -> np.ndarray:
    raise AssertionError("a champion that is not compared was refitted")


def _some(table: ContactAssignments, chosen: np.ndarray) -> ContactAssignments:
    return ContactAssignments(
        *(
            getattr(table, name)[chosen]
            for name in ("campaign", "keys", "start", "end", "treated", "control_probability")
        )
    )


def test_what_train_prints_says_which_rows_it_learned_from_in_both_languages() -> None:
    known = learned()

    def result(bundle: Bundle) -> TrainingResult:
        return TrainingResult(True, "3", "run", (), (), {}, bundle, {})

    facts = known.without[0].settings["without_contact"]
    english, japanese = (
        "\n".join(summary_lines(result(known.without[0]), language)) for language in ("en", "ja")
    )
    assert "Learned without contact, the risk if no campaign contacts anybody: " in english
    assert f"{facts['left_out']:,} rows of treatment arms are left out" in english
    assert f"対照群{facts['control_customers']:,}名" in japanese
    assert reply(result(known.without[0])).contacts == "without_contact"
    usual = reply(result(known.usual[0]))
    assert (usual.contacts, usual.without_contact) == ("as_they_were", None)
    assert "without contact" not in "\n".join(summary_lines(result(known.usual[0])))


def test_little_data_and_a_search_for_settings_learn_from_the_weights_too(tmp_path: Path) -> None:
    known = learned()
    assert known.without[1].figures["shape/trees/log_loss"] > 0  # few customers: the shape was chosen
    search = Tuning(2, tmp_path / "tuning.db")
    tuned = learn(known.store, known.config, until=day(260), tuning=search)[0]
    assert tuned.contacts == "without_contact"


def test_a_training_without_contact_is_kept_loaded_again_and_named_in_the_registry(tmp_path: Path) -> None:
    known, tracking = learned(), experiments(tmp_path)
    result = train(known.store, known.config, tracking, now=NOW)
    assert result.bundle.fingerprint == known.without[0].fingerprint
    (model,) = tracking.registered()
    assert model.tags["contacts"] == "without_contact"
    champion = tracking.champion()
    assert champion is not None
    assert Bundle.load(champion[1]).contacts == "without_contact"
