"""What the product says of a simulated service, against the truth that it never reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from features.simulation.simulate import simulate
from serving.actions.customer_profiles import customer_profiles
from serving.actions.playbook import PlaybookRule, read
from serving.actions.rules.rule_matching import match_rules
from serving.actions.rules.vocabulary import RuleVocabulary
from serving.cli.context import CliContext
from serving.integrations.training import training_config
from serving.scoring.batch import score_customers
from serving.state.scores.score_file import Scores
from serving.state.scores.score_metadata import ScoreMetadata
from serving.state.scores.score_table import ScoreTable
from training.bundle.model_bundle import Bundle
from training.explanation.reasons import reason_of
from training.labels.cohort import IN_COHORT
from training.train import learn

DAY = "2024-12-01"
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Said:
    """Customers who could still leave on the day: what was said, and what was true."""

    said: NDArray[np.float64]
    true: NDArray[np.float64]
    """The chance of leaving within 30 days, from the hazards that came to be."""
    about: NDArray[np.str_]
    """[n, 3]: what the reasons that raise the risk are about."""
    caused: dict[str, NDArray[np.bool_]]
    """Who has each cause, begun in the last 90 days; and, under `ever …`, who ever had it."""
    stated_error: float
    planned: list[PlaybookRule]
    """The rules of the list's first 500 customers."""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    folder = tmp_path_factory.mktemp("service")
    simulate(folder, customers=5_000, months=24, seed=5)
    call = CliContext(folder)
    settings, timeline = call.project.settings, call.project.timeline
    call.store.ingest(settings.sources, settings.attributes, folder=folder, timeline=timeline, now=call.now)
    as_of = timeline.instant(DAY)
    bundle = learn(call.store, training_config(call.project), until=as_of)[0]
    parts = [score_customers(bundle, history, as_of) for history in call.store.histories(until=as_of)]
    answers = ScoreTable.joined([part.take(np.flatnonzero(part.status == IN_COHORT)) for part in parts])
    names = call.store.customers.names(answers.key)
    database = duckdb.connect(config={"file_search_path": str(folder)})
    database.execute("set TimeZone = 'Asia/Tokyo'")
    database.register("scored", pa.table({"customer_id": names, "place": np.arange(len(names))}))
    true = database.execute(f"""
        select 1 - exp(-sum(hazard / 86400 * greatest(
                   0, epoch(least("to"::timestamp, timestamp '{DAY}' + interval 30 days))
                      - epoch(greatest("from"::timestamp, timestamp '{DAY}'))
               ))) as p
        from scored join 'truth/hazard.parquet' using (customer_id) group by place order by place
    """).fetchnumpy()["p"]
    caused: dict[str, NDArray[np.bool_]] = {}
    for cause in ("slow_answers", "falling_use", "unused_features"):
        for name, since in (
            (cause, f"timestamp '{DAY}' - interval 90 days"),
            (f"ever {cause}", "timestamp '2000-01-01'"),
        ):
            found = database.execute(f"""
                select distinct place from scored join 'truth/causes.parquet' using (customer_id)
                where cause = '{cause}' and "from"::timestamp >= {since} and "from"::timestamp < '{DAY}'
            """).fetchnumpy()["place"]
            caused[name] = np.isin(np.arange(len(names)), found)
    columns = range(len(bundle.catalog.columns))
    about = np.array([*(reason_of(bundle, column, np.nan, 0.0).indicator for column in columns), "none"])
    raising = np.where(answers.reason_contributions > 0, answers.reason_features, -1)
    stated = bundle.figures["expected_calibration_error_high"]
    scores = Scores(answers, facts(bundle, as_of))
    playbook = read(None).playbook
    seen = customer_profiles(call.store, scores, bundle, playbook, call.project.indicators)
    levels = tuple(tuple(level.name for level in one.levels) for one in playbook.loyalty)
    made = match_rules(playbook, RuleVocabulary(bundle.tiers.names, seen.reasons, (), levels), seen, scores)
    planned = [playbook.rules[number] for number in made.rule[made.order[:500]].tolist()]
    return Said(answers.churn_probability, np.asarray(true), about[raising], caused, stated, planned)


def facts(bundle: Bundle, as_of: int) -> ScoreMetadata:
    return ScoreMetadata(
        as_of=as_of,
        model_version="1",
        fingerprint=bundle.fingerprint,
        data_version="",
        newest=as_of,
        evidence=bundle.evidence,
        amounts=bundle.models.value is not None,
        tiers=bundle.tiers.names,
        scored_at=as_of,
    )


def test_the_default_playbook_uses_five_actions_or_more_on_the_first_500_and_no_rule_takes_half(
    said: Said,
) -> None:
    assert len({rule.action for rule in said.planned} - {None}) >= 5
    (_, most), *_ = Counter(rule.name for rule in said.planned).most_common()
    assert most <= len(said.planned) / 2


def test_the_probability_is_within_its_stated_error_of_the_truth(said: Said) -> None:
    """By tenths of what was said; the truth has its own noise: the causes of the month to come."""
    tenth = np.digitize(said.said, np.quantile(said.said, np.arange(1, 10) / 10))
    gaps = [abs(said.said[tenth == t].mean() - said.true[tenth == t].mean()) for t in range(10)]
    noise = [said.true[tenth == t].std() / np.sqrt((tenth == t).sum()) for t in range(10)]
    assert np.mean(gaps) < said.stated_error + 2 * np.mean(noise)
    assert np.corrcoef(said.said, said.true)[0, 1] > 0.3


@pytest.mark.parametrize(
    ("cause", "indicator"),
    [("slow_answers", "inquiry"), ("falling_use", "usage"), ("unused_features", "usage")],
)
def test_a_planted_cause_ranks_among_the_reasons_of_those_it_was_planted_in(
    said: Said, cause: str, indicator: str
) -> None:
    named = (said.about == indicator).any(axis=1)
    rate, chance = named[said.caused[cause]].mean(), named[~said.caused[f"ever {cause}"]].mean()
    assert said.caused[cause].sum() > 30
    assert rate > chance + 0.25
