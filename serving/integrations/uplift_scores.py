"""Uplift of scored customers by the uplift model in use, and the money that contact is expected to gain.

The features are computed by the functions that computed them when a campaign was drawn, so a customer has the
same uplift, bit for bit, whether taken from the assignment or from the scores of that as-of date.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.schema import ATTRIBUTE
from features.execution.base import Engine
from features.execution.local import HERE
from features.timeline import Timeline
from serving.experiments.baseline import baseline_covariates
from serving.experiments.uplift_rows import NUMBERS, TIER, uplift_features
from serving.state.campaigns.uplift_index import UpliftRecord, load_texts
from serving.state.scores.score_file import Scores
from serving.state.scores.score_metadata import UpliftSource
from serving.state.scores.score_table import ScoreTable
from training.causal.uplift_text import StoredUplift, of_texts
from training.labels.settings import Churn

Floats = NDArray[np.float64]

LESS_IS_BETTER = ("churned_value",)
"""Outcomes of which less is wanted: their uplift has the other sign, so that positive is what helps."""
MONEY = ("spend", "churned_value")
"""Outcomes that are money themselves."""
PROBABILITIES = ("retained", "response")


@dataclass(frozen=True, eq=False)
class UpliftedScores:
    """Scores with their uplift, or as they were and why there is none."""

    scores: Scores
    why_not: str | None = None


def with_uplift(
    store: EventStore,
    state: Path,
    record: UpliftRecord,
    scores: Scores,
    churn: Churn,
    timeline: Timeline,
    *,
    engine: Engine = HERE,
) -> UpliftedScores:
    """The scores with `uplift` and `incremental_value` of everybody who can still leave.

    `churn` is the definition of the model that scored. The scores stay as they are where the uplift model was
    learned later than their as-of date, under another definition of churn or other tiers, or asks for what is
    known of nobody. Raises `ModelError` where the files of the model are damaged.
    """
    model = of_texts(load_texts(state, record.fingerprint))
    why_not = _why_not(record, scores, churn, timeline)
    if why_not is not None:
        return UpliftedScores(scores, f"the uplift model is not used, so nobody has an uplift: {why_not}")
    answers, facts = scores.answers, record.facts
    difference = np.full(len(answers), np.nan)
    difference[scores.cohort] = predicted_uplift(store, model, scores, churn, engine=engine)
    uplift, value = contact_effect(facts.outcome, difference, answers.expected_value)
    source = UpliftSource(record.fingerprint, facts.outcome, facts.months, facts.campaigns, record.learned_at)
    table: ScoreTable = replace(answers, uplift=uplift, incremental_value=value)
    return UpliftedScores(Scores(table, replace(scores.facts, uplift=source)))


def predicted_uplift(
    store: EventStore, model: StoredUplift, scores: Scores, churn: Churn, *, engine: Engine = HERE
) -> Floats:
    """float64[k]: what contact changes in the outcome of each customer of the cohort, in its order."""
    rows, answers = scores.cohort, scores.answers
    baseline = baseline_covariates(store, churn, answers.key[rows], scores.facts.as_of, engine=engine)
    known = {"tenure_days": baseline.tenure_days, "past_spend": baseline.past_spend}
    columns = {
        name: known[name] if name in known else getattr(answers, name)[rows].astype(np.float64)
        for name in (*NUMBERS, TIER)
    }
    segments = {
        text.name.removeprefix(ATTRIBUTE): scores.attribute(text.name.removeprefix(ATTRIBUTE), rows)
        for text in model.book.texts
    }
    return model.model.predict(model.book.encode(uplift_features(columns, segments)))


def contact_effect(outcome: str, difference: Floats, expected_value: Floats) -> tuple[Floats, Floats]:
    """float64[n] twice: the uplift, positive where contact helps, and the money that it is expected to gain.

    Of a rate the uplift is a difference of probabilities, within −1 and 1. Of `retained` the money is the
    uplift × what the customer would spend over the horizon if they stayed; of an outcome that is money it is
    the uplift itself; of any other it is not known (NaN).
    """
    uplift = -difference if outcome in LESS_IS_BETTER else difference
    if outcome in PROBABILITIES:
        uplift = np.clip(uplift, -1.0, 1.0)
    if outcome in MONEY:
        return uplift, uplift
    return uplift, uplift * expected_value if outcome == "retained" else np.full(len(uplift), np.nan)


def _why_not(record: UpliftRecord, scores: Scores, churn: Churn, timeline: Timeline) -> str | None:
    """Why an uplift model cannot be used for these scores, None where it can."""
    facts, own = record.facts, scores.facts
    if own.as_of < facts.known_from:
        return (
            f"it was learned from what was known until {timeline.name(facts.known_from)}, "
            "which is later than the as-of date. Score a later day."
        )
    if json.loads(facts.churn) != json.loads(json.dumps(churn.to_json())):
        return (
            "it was learned under another definition of churn than the model that scored. "
            "Run `kizuna campaign learn` again."
        )
    if TIER in facts.features and facts.tiers != own.tiers:
        return (
            f"it was learned with the tiers {', '.join(facts.tiers)}, and the model that scored has "
            f"{', '.join(own.tiers)}. Run `kizuna campaign learn` on newer campaigns."
        )
    unknown = [name for name in facts.features if not _known(name, scores)]
    if unknown:
        return (
            f"it reads {', '.join(unknown)}, which is known of nobody any more. "
            "Run `kizuna campaign learn` again."
        )
    return None


def _known(feature: str, scores: Scores) -> bool:
    """Whether the scores know a feature of anybody."""
    if feature.startswith(ATTRIBUTE):
        return feature.removeprefix(ATTRIBUTE) in scores.facts.attributes
    if feature in ("expected_value", "value_at_risk"):
        return scores.facts.amounts
    return True
