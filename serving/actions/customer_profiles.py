"""The profile of every scored customer: what rules test and what an approach can mention, as one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalog.definitions import Indicator
from features.event_store import EventStore
from features.events.consent import ALL_CHANNELS, ChannelBits, ConsentRules
from features.events.history import History
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import DAY, Timeline
from serving.actions import talking_points
from serving.actions.contact_state import NEVER, ContactRegister, ContactState
from serving.actions.item_similarity import ItemSimilarity
from serving.actions.lifecycle import movement, stages
from serving.actions.loyalty import loyalty
from serving.actions.playbook import Playbook
from serving.actions.rules.conditions import ranks
from serving.reports.answer_times import AnswerTimes, answer_times
from serving.reports.customer_metrics import attitude
from serving.reports.event_index import EventIndex
from serving.schemas.terms import NO_INQUIRY, NONE, UNKNOWN
from serving.state.scores.score_file import Scores
from training.bundle.model_bundle import Bundle
from training.explanation.reasons import reason_of
from training.labels.settings import Churn

WITHOUT_HISTORY: dict[str, int | bool] = {
    "attitude": UNKNOWN,
    "returned": False,
    "inquiry": NO_INQUIRY,
    "loyalty_in_two": False,
}
"""The profile of a scored customer whom the store no longer has; all else is null.

Whether they may be contacted is not known, so they are not (`ContactState.masks`).
"""


@dataclass(frozen=True, eq=False)
class CustomerProfiles:
    """The scored customers, in the order of the scores."""

    table: pa.Table
    """One row each: stage, attitude, movement, loyalty, talking points."""
    reasons: tuple[str, ...]
    """The possible subjects of a main reason."""
    channels: tuple[str, ...] = ()
    """Every channel of the project's events, ascending."""
    bits: ChannelBits = field(default_factory=lambda: ChannelBits(()))
    """The channels that the column `forbidden_channels` has bits for."""

    def column(self, name: str) -> NDArray[np.generic]:
        """The numbers of a column that has no nulls."""
        numbers: NDArray[np.generic] = self.table.column(name).to_numpy()
        return numbers


def customer_profiles(
    store: EventStore,
    scores: Scores,
    bundle: Bundle,
    playbook: Playbook,
    indicators: Sequence[Indicator],
    progress: Callable[[str, float], None] | None = None,
    contacts: ContactState | None = None,
    *,
    engine: Engine = HERE,
) -> CustomerProfiles:
    """Compute every scored customer's profile from the events before the scores' as-of date, by bucket.

    Consent and last contacts are those of `contacts`, as of now; by the names of attributes where None.
    """
    if contacts is None:
        contacts = ContactRegister(
            ConsentRules.of((), playbook.do_not_contact), playbook.contact_kinds
        ).state(store, engine=engine)
    as_of, timeline = scores.facts.as_of, Timeline(bundle.timezone)
    by_name = {indicator.name: indicator for indicator in indicators}
    inquiry = by_name.get("inquiry")
    times = answer_times(store, () if inquiry is None else inquiry.kinds, as_of, engine=engine)
    since = as_of - playbook.stages.returned_days * DAY
    new = partial(_ProfileParts, bundle.churn, playbook, by_name, times, timeline, as_of, since)
    found = map_partitions(store, new, "looking at customers", until=as_of, progress=progress, engine=engine)
    table = pa.concat_tables(found.parts).unify_dictionaries()
    table = talking_points.drop_left_censored_anniversaries(table, bundle.churn)
    table = table.append_column("unused_feature", found.features.recommend())
    table = table.append_column("next_category", found.categories.recommend())
    table = profiles_of(table, scores.answers.key)
    table = with_contacts(table, contacts)
    return _with_scores(table, scores, bundle, playbook, tuple(sorted(found.channels)), contacts.bits)


@dataclass
class _ProfileParts:
    """The profiles of each bucket's customers, what they use and buy, and the channels seen."""

    churn: Churn
    playbook: Playbook
    indicators: Mapping[str, Indicator]
    times: AnswerTimes
    timeline: Timeline
    as_of: int
    since: int
    features: ItemSimilarity = field(default_factory=ItemSimilarity)
    categories: ItemSimilarity = field(default_factory=ItemSimilarity)
    parts: list[pa.Table] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)

    def add(self, history: History) -> None:
        self.channels.update(history.channel_names)
        index, as_of = EventIndex(history, self.indicators, self.timeline), self.as_of
        talking_points.add_feature_use(index, as_of, self.features)
        columns = {
            "key": pa.array(history.keys),
            "attitude": pa.array(attitude(index, as_of)),
            "returned": pa.array(talking_points.has_returned(index, self.churn, self.since)),
            **talking_points.favourite_and_stopped_category(index, as_of, self.categories),
            **talking_points.preferred_channel_and_hour(index, as_of),
            **talking_points.tenure_and_anniversaries(index, as_of, self.churn),
            **talking_points.last_inquiry_and_survey(
                index, as_of, self.times, self.playbook.open_inquiry_days
            ),
            **loyalty(index, self.playbook.loyalty, as_of),
        }
        self.parts.append(pa.table(columns))

    def merge(self, other: _ProfileParts) -> None:
        self.features.merge(other.features)
        self.categories.merge(other.categories)
        self.parts += other.parts
        self.channels |= other.channels


def profiles_of(table: pa.Table, keys: NDArray[np.int64]) -> pa.Table:
    """The rows of these customers, joined on `key`, in their order; `WITHOUT_HISTORY` for one without a row.

    Events may have been corrected since the customers were scored: one may have none left.
    """
    known = table.column("key").to_numpy()
    order = np.argsort(known, kind="stable")
    places = np.searchsorted(known[order], keys)
    inside = places < len(known)
    matching = np.zeros(len(keys), dtype=np.bool_)
    matching[inside] = known[order[places[inside]]] == keys[inside]
    rows = np.zeros(len(keys), dtype=np.int64)
    rows[matching] = order[places[matching]]
    joined = table.take(pa.array(rows, mask=~matching))
    joined = joined.set_column(joined.schema.get_field_index("key"), "key", pa.array(keys))
    if matching.all():
        return joined
    for name, value in WITHOUT_HISTORY.items():
        column = joined.column(name)
        filled = pc.fill_null(column, pa.scalar(value, column.type))
        joined = joined.set_column(joined.schema.get_field_index(name), name, filled)
    return joined


def with_contacts(table: pa.Table, contacts: ContactState) -> pa.Table:
    """The table with who must not be contacted, over which channels, and the contact nearest to now.

    Columns: `do_not_contact`, `forbidden_channels`, and for each touch model `contacted_0`, …
    """
    keys = table.column("key").to_numpy()
    masks = contacts.masks(keys)
    table = table.append_column("do_not_contact", pa.array(masks == ALL_CHANNELS))
    table = table.append_column("forbidden_channels", pa.array(masks))
    for number in range(len(contacts.contacted)):
        last = contacts.nearest_contacts(keys, number)
        column = pa.array(last, pa.timestamp("us", "UTC"), mask=last == NEVER)
        table = table.append_column(f"contacted_{number}", column)
    return table


def _with_scores(
    table: pa.Table,
    scores: Scores,
    bundle: Bundle,
    playbook: Playbook,
    channels: tuple[str, ...],
    bits: ChannelBits,
) -> CustomerProfiles:
    answers = scores.answers
    moved = movement(answers.tier, answers.predicted_tier)
    probability_rank, value_rank = ranks(answers.churn_probability), ranks(answers.expected_value)
    subjects = [
        reason_of(bundle, column, np.nan, 0.0).indicator for column in range(len(bundle.catalog.columns))
    ]
    names = (*dict.fromkeys(subjects), NONE)
    subject_of_column = np.array([*(names.index(name) for name in subjects), len(names) - 1])
    main = np.where(answers.reason_contributions[:, 0] > 0, answers.reason_features[:, 0], -1)
    for name, values in (
        ("movement", moved),
        ("probability_rank", probability_rank),
        ("value_rank", value_rank),
        ("main_reason", subject_of_column[main].astype(np.int16)),
    ):
        table = table.append_column(name, pa.array(values))
    return CustomerProfiles(with_stages(table, scores, playbook), names, channels, bits)


def with_stages(table: pa.Table, scores: Scores, playbook: Playbook) -> pa.Table:
    """The table with the stage of each customer by a playbook, in the place of one by another."""
    stage = stages(
        playbook.stages,
        scores.answers.status,
        np.nan_to_num(table.column("tenure_days").to_numpy()),
        table.column("returned").to_numpy(),
        table.column("movement").to_numpy(),
        scores.answers.churn_probability,
        table.column("probability_rank").to_numpy(),
    )
    if "stage" in table.column_names:
        return table.set_column(table.column_names.index("stage"), "stage", pa.array(stage))
    return table.append_column("stage", pa.array(stage))
