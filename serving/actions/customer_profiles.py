"""What a playbook asks and a personal approach takes up of every scored customer, as one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.definitions import Indicator
from features.event_store import EventStore
from features.timeline import DAY, Timeline
from serving.actions import talking_points
from serving.actions.conditions import ranks
from serving.actions.item_similarity import ItemSimilarity
from serving.actions.lifecycle import movement, stages
from serving.actions.loyalty import loyalty
from serving.actions.playbook import Playbook
from serving.reports.customer_metrics import attitude
from serving.reports.event_index import EventIndex
from serving.schemas.terms import BIRTHDAY, NONE
from serving.state.score_file import Scores
from training.bundle.model_bundle import Bundle
from training.explanation.reasons import reason_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CustomerProfiles:
    """The scored customers, in the order of the scores."""

    table: pa.Table
    """One row each: stage, attitude, movement, loyalty, hooks."""
    reasons: tuple[str, ...]
    """What a main reason can be about."""

    def column(self, name: str) -> NDArray[np.generic]:
        """The numbers of a column that has no nulls."""
        found: NDArray[np.generic] = self.table.column(name).to_numpy()
        return found


def customer_profiles(
    store: EventStore,
    scores: Scores,
    bundle: Bundle,
    playbook: Playbook,
    indicators: Sequence[Indicator],
    progress: Callable[[str, float], None] | None = None,
) -> CustomerProfiles:
    """Look at every scored customer's history before the scores' as-of date, bucket by bucket."""
    as_of, timeline = scores.facts.as_of, Timeline(bundle.timezone)
    named = {indicator.name: indicator for indicator in indicators}
    contacts = [touch.kinds for touch in playbook.touch.values()]
    features, categories, parts = ItemSimilarity(), ItemSimilarity(), []
    since = as_of - playbook.stages.returned_days * DAY
    for done, history in enumerate(store.histories(until=as_of)):
        if progress:
            progress("looking at customers", done / len(store.buckets))
        facts = EventIndex(history, named, timeline)
        talking_points.add_feature_use(facts, as_of, features)
        columns = {
            "key": pa.array(history.keys),
            "attitude": pa.array(attitude(facts, as_of)),
            "returned": pa.array(talking_points.has_returned(facts, bundle.churn, since)),
            **talking_points.favourite_and_stopped_category(facts, as_of, categories),
            **talking_points.preferred_channel_and_hour(facts, as_of),
            **talking_points.tenure_and_anniversaries(facts, as_of, bundle.churn, BIRTHDAY),
            **talking_points.last_inquiry_and_survey(facts),
            **loyalty(facts, playbook.loyalty, as_of),
            **talking_points.contact_permission_and_recency(facts, playbook.do_not_contact, contacts),
        }
        parts.append(pa.table(columns))
    table = pa.concat_tables(parts).unify_dictionaries()
    table = talking_points.drop_left_censored_anniversaries(table, bundle.churn)
    table = table.append_column("unused_feature", features.recommend())
    table = table.append_column("next_category", categories.recommend())
    keys = table.column("key").to_numpy()
    order = np.argsort(keys, kind="stable")
    rows = order[np.searchsorted(keys[order], scores.answers.key)]
    return _with_scores(table.take(pa.array(rows)), scores, bundle, playbook)


def _with_scores(table: pa.Table, scores: Scores, bundle: Bundle, playbook: Playbook) -> CustomerProfiles:
    answers = scores.answers
    moved = movement(answers.tier, answers.predicted_tier)
    probability_rank, value_rank = ranks(answers.churn_probability), ranks(answers.expected_value)
    stage = stages(
        playbook.stages,
        answers.status,
        np.nan_to_num(table.column("tenure_days").to_numpy()),
        table.column("returned").to_numpy(),
        moved,
        answers.churn_probability,
        probability_rank,
    )
    about = [
        reason_of(bundle, column, np.nan, 0.0).indicator for column in range(len(bundle.catalog.columns))
    ]
    names = (*dict.fromkeys(about), NONE)
    of_column = np.array([*(names.index(name) for name in about), len(names) - 1])
    main = np.where(answers.reason_contributions[:, 0] > 0, answers.reason_features[:, 0], -1)
    for name, values in (
        ("stage", stage),
        ("movement", moved),
        ("probability_rank", probability_rank),
        ("value_rank", value_rank),
        ("main_reason", of_column[main].astype(np.int16)),
    ):
        table = table.append_column(name, pa.array(values))
    return CustomerProfiles(table, names)
