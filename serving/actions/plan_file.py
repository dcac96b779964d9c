"""The plan as a file beside the scores it was made for: one immutable Arrow table, customers by key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import ModelError
from features.events.consent import refuses_channel
from features.timeline import Timeline
from serving.actions.playbook import LoyaltyProgramme, Playbook, PlaybookFile, PlaybookRule, parse
from serving.schemas.terms import NO_RULE
from serving.state.atomic_write import in_one_step
from serving.state.remote.state_files import delete
from training.explanation.project_words import NO_WORDS, ProjectWords

if TYPE_CHECKING:
    from serving.actions.customer_profiles import CustomerProfiles
    from serving.actions.rules.rule_matching import ActionPlan

MOST_SHARE = 2 / 3
"""A favourite category that more of the customers have says nothing about one of them."""
FOLDER = "plans"
"""Beside the folder of the scores."""
OUTCOME, MADE_OUTCOME = "outcome", "made_outcome"
"""The columns with the outcome that holds, and with that of when the plan was made, once they differ."""
REFUSED_CHANNELS = "refused_channels"
"""The column with the channels that a customer refuses, by name and `;`; older files have none."""


@dataclass(frozen=True)
class PlanOrigin:
    """What a plan was made with."""

    playbook: str
    """The text of the playbook."""
    as_of: int
    tiers: tuple[str, ...]
    reasons: tuple[str, ...]
    timezone: str
    contacts: str = ""
    """The data version and the rules of consent that its outcomes hold for; empty in older files."""
    attributes: tuple[str, ...] | None = None
    """Every attribute that a customer had; None in older files."""
    channels: tuple[str, ...] | None = None
    """Every channel of the events; None in older files."""


@dataclass(frozen=True, eq=False)
class StoredPlan:
    """The plan of every scored customer, rows in the order of the scores, with the playbook that made it."""

    table: pa.Table
    playbook: Playbook
    origin: PlanOrigin
    words: ProjectWords = NO_WORDS
    """The names that its sentences are written with; no part of the file."""

    @staticmethod
    def of(
        profiles: CustomerProfiles,
        plan: ActionPlan,
        playbook: PlaybookFile,
        *,
        as_of: int,
        tiers: tuple[str, ...],
        timezone: str,
        contacts: str = "",
        refused: Sequence[tuple[str, ...]] | None = None,
        attributes: tuple[str, ...] | None = None,
    ) -> StoredPlan:
        """The profiles with each customer's rule, outcome, place in the list and refused channels."""
        place = np.empty(len(plan.order), dtype=np.int64)
        place[plan.order] = np.arange(len(plan.order))
        table = profiles.table
        for name, values in (("rule", plan.rule), ("outcome", plan.outcome), ("place", place)):
            table = table.append_column(name, pa.array(values))
        if refused is not None:
            texts = pa.array([";".join(channels) for channels in refused], pa.string())
            table = table.append_column(REFUSED_CHANNELS, texts.dictionary_encode())
        origin = PlanOrigin(
            playbook.text, as_of, tiers, profiles.reasons, timezone, contacts, attributes, profiles.channels
        )
        return StoredPlan(table.unify_dictionaries().combine_chunks(), playbook.playbook, origin)

    def with_outcomes(self, outcome: NDArray[np.generic]) -> StoredPlan:
        """The same with the outcomes that hold now; those of when it was made stay beside them."""
        place = self.table.schema.get_field_index(OUTCOME)
        before = self.table.column(place)
        if np.array_equal(outcome, before.to_numpy()):
            return self
        table = self.table.set_column(place, OUTCOME, pa.array(outcome.astype(before.to_numpy().dtype)))
        if MADE_OUTCOME not in table.column_names:
            table = table.append_column(MADE_OUTCOME, before)
        return replace(self, table=table)

    @property
    def made_outcomes(self) -> NDArray[np.int8]:
        """int8[n]: the outcomes of when the plan was made."""
        name = MADE_OUTCOME if MADE_OUTCOME in self.table.column_names else OUTCOME
        outcomes: NDArray[np.int8] = self.table.column(name).to_numpy()
        return outcomes

    @property
    def as_of(self) -> int:
        return self.origin.as_of

    @cached_property
    def timeline(self) -> Timeline:
        """The calendar of the model that made the scores."""
        return Timeline(self.origin.timezone)

    @cached_property
    def shared_favourite(self) -> str | None:
        """The favourite category of most customers (`MOST_SHARE`), if there is one."""
        favourites = self.table.column("favourite_category").drop_null()
        counts = [(one["counts"], one["values"]) for one in favourites.value_counts().to_pylist()]
        number, name = max(counts, default=(0, None))
        return name if number > max(1, MOST_SHARE * len(favourites)) else None

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        keys: NDArray[np.int64] = self.table.column("key").to_numpy()
        return keys

    def without(self, keys: NDArray[np.int64]) -> StoredPlan:
        """The same without the rows of these keys."""
        gone = np.isin(self.keys, keys)
        return replace(self, table=self.table.filter(pa.array(~gone))) if gone.any() else self

    @cached_property
    def without_customers(self) -> StoredPlan:
        """The same playbook and words without any row."""
        return replace(self, table=self.table.slice(0, 0))

    def rows(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Each customer's row, −1 for one the plan does not have."""
        if not len(self.keys):
            return np.full(len(keys), -1, dtype=np.int64)
        if np.array_equal(self.keys, keys):  # all scores, as filters ask: a search takes 60 ms for a million
            return np.arange(len(keys))
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1).astype(np.int64)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The rows in the order of the list."""
        order: NDArray[np.int64] = np.argsort(self.table.column("place").to_numpy(), kind="stable")
        return order

    def places(self, rows: NDArray[np.int64]) -> list[int]:
        """The places of some rows in the list, from 0."""
        places: list[int] = self.table.column("place").to_numpy()[rows].tolist()
        return places

    def refused_channels(self, keys: NDArray[np.int64]) -> list[tuple[str, ...]] | None:
        """The channels that each customer refused when the plan was made; all for one it does not have.

        None where the file is of a time when it did not say so.
        """
        if REFUSED_CHANNELS not in self.table.column_names:
            return None
        rows = self.rows(keys)
        texts = iter(self.table.column(REFUSED_CHANNELS).take(pa.array(rows[rows >= 0])).to_pylist())
        found = [next(texts) if row >= 0 else "all" for row in rows.tolist()]
        return [tuple(text.split(";")) if text else () for text in found]

    def refuse(self, keys: NDArray[np.int64], channel: str) -> NDArray[np.bool_] | None:
        """bool[n]: who refused a channel when the plan was made, or every one where none is given.

        Whom the plan does not have counts as one who refuses. None where the file does not say it.
        """
        if REFUSED_CHANNELS not in self.table.column_names:
            return None
        if not len(self.keys):
            return np.ones(len(keys), np.bool_)
        texts = self.table.column(REFUSED_CHANNELS).combine_chunks()
        names = [tuple(text.split(";")) if text else () for text in texts.dictionary.to_pylist()]
        forbids = np.array([refuses_channel(one, channel) for one in names], np.bool_)
        rows = self.rows(keys)
        refused: NDArray[np.bool_] = rows < 0
        there = np.flatnonzero(~refused)
        refused[there] = forbids[texts.indices.to_numpy()[rows[there]]]
        return refused

    def rule_of(self, number: int) -> PlaybookRule | None:
        return None if number == NO_RULE else self.playbook.rules[number]

    def programme_of(self, number: int | None) -> LoyaltyProgramme | None:
        return None if number is None else self.playbook.loyalty[number]


def save(file: Path, plan: StoredPlan) -> None:
    """Write a plan in one step, in the place of an earlier one for the same scores."""
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, plan.table.replace_schema_metadata({"origin": json.dumps(asdict(plan.origin))}))


def delete_customer(folder: Path, key: int) -> None:
    """Rewrite every plan without this customer; one that cannot be read is deleted."""
    for file in [*folder.glob("*.arrow"), *folder.glob(".*.arrow")]:
        try:
            plan = load(file)
        except ModelError:
            delete(file)
            continue
        (row,) = plan.rows(np.array([key])).tolist()
        if row >= 0:
            _write(file, _without(plan.table, row))


def _without(table: pa.Table, row: int) -> pa.Table:
    """The table without a row, and without the texts that only this row had."""
    rest = pa.concat_tables([table[:row], table[row + 1 :]])
    columns = [
        column.cast(pa.string()).dictionary_encode() if pa.types.is_dictionary(column.type) else column
        for column in rest.columns
    ]
    return pa.table(columns, names=rest.column_names, metadata=table.schema.metadata)


def _write(file: Path, table: pa.Table) -> None:
    table = table.unify_dictionaries().combine_chunks()
    with in_one_step(file) as unfinished, pa.ipc.new_file(str(unfinished), table.schema) as writer:
        writer.write_table(table)


def find(file: Path) -> StoredPlan | None:
    """The plan made for a score file, None where none was made."""
    return load(file) if file.is_file() else None


def load(file: Path) -> StoredPlan:
    """Read a plan; raises `ModelError` where the file is damaged."""
    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
        values = json.loads(table.schema.metadata[b"origin"])
        values = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
        origin = PlanOrigin(**values)
        return StoredPlan(table, parse(origin.playbook, str(file)).playbook, origin)
    except (OSError, pa.ArrowInvalid, AttributeError, KeyError, TypeError, ValueError):
        raise ModelError(
            f"cannot read the plan in {file}: the file is damaged. Run `kizuna plan` again."
        ) from None
