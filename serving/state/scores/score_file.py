"""The score file: every known customer's scores at one as-of date, as one immutable Arrow file.

Rows are sorted by customer key and memory-mapped, so a million of them cost no memory until they are read.
A file names no customer; `features/storage/customer_ids.py` knows whom a key stands for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.errors import ModelError
from features.events.schema import ATTRIBUTE
from serving.state.atomic_write import in_one_step
from serving.state.remote.state_files import fetch
from serving.state.scores.score_metadata import ScoreMetadata, UpliftSource
from serving.state.scores.score_table import (
    SCHEMA,
    UPLIFT_COLUMNS,
    Floats,
    Ints,
    ScoreTable,
    UpliftColumn,
    drop_unused_values,
)
from training.bundle.level_uncertainty import ExpectedLeavers
from training.bundle.lifetime.lifetime_values import LifetimeHorizons
from training.bundle.lifetime.score_columns import lifetime_of, numbers_of
from training.bundle.list_policy import ListOrder, ranking
from training.labels.cohort import IN_COHORT


@dataclass(frozen=True, eq=False)
class Scores:
    """The answers of one file, and where they came from."""

    answers: ScoreTable
    facts: ScoreMetadata

    def row(self, key: int) -> int | None:
        """Where this customer is, None when they were not known at the as-of date."""
        place = int(np.searchsorted(self.answers.key, key))
        return place if place < len(self.answers) and self.answers.key[place] == key else None

    def rows(self, keys: Ints) -> Ints:
        """int64[n]: where each of these customers is, -1 for those who were not known."""
        from features.storage.key_lookup import key_positions  # compiled: not needed to read a score

        return np.asarray(key_positions(self.answers.key, keys))

    def without(self, keys: Ints) -> Scores:
        """The same without the rows of these keys; itself where it has none of them."""
        places = self.rows(keys)
        gone = places[places >= 0]
        if not len(gone):
            return self
        return Scores(self.answers.take(np.delete(np.arange(len(self.answers)), gone)), self.facts)

    def knows(self, name: UpliftColumn) -> bool:
        """Whether anybody has a number in a column of uplift."""
        column: Floats | None = getattr(self.answers, name)
        return column is not None and not bool(np.isnan(column).all())

    def attribute(self, name: str, rows: Ints) -> pa.Array:
        """The value of an attribute of these customers as text, null where there is none."""
        codes = self.answers.attributes[name][rows]
        return pa.array(self.facts.attributes[name], pa.string()).take(pa.array(codes, mask=codes < 0))

    @cached_property
    def cohort(self) -> Ints:
        """The rows of the customers who can still leave."""
        return np.flatnonzero(self.answers.status == IN_COHORT)

    @cached_property
    def by_value_at_risk(self) -> Ints:
        return self._ranked(self.answers.value_at_risk)

    @cached_property
    def by_churn_probability(self) -> Ints:
        return self._ranked(self.answers.churn_probability)

    @cached_property
    def by_uplift(self) -> Ints:
        return self._ranked(self.uplift_column("uplift"))

    @cached_property
    def by_incremental_value(self) -> Ints:
        return self._ranked(self.uplift_column("incremental_value"))

    @cached_property
    def by_lifetime_value(self) -> Ints:
        return self._ranked(self.lifetime_value)

    def ranked(self, order: ListOrder) -> Ints:
        """The cohort's rows in the order of a list; ties by customer key."""
        ranked: Ints = getattr(self, f"by_{order}")
        return ranked

    @cached_property
    def lifetime_value(self) -> Floats:
        """float64[n]: lifetime value over the fewest months, NaN where there is none."""
        lifetime = self.answers.lifetime
        return np.full(len(self.answers), np.nan) if lifetime is None else lifetime.value[:, 0]

    def uplift_column(self, name: UpliftColumn) -> Floats:
        """float64[n]: a column that only scores with an uplift model have; NaN for everybody without one."""
        column: Floats | None = getattr(self.answers, name)
        return np.full(len(self.answers), np.nan) if column is None else column

    def _ranked(self, measure: Floats) -> Ints:
        ranked: Ints = self.cohort[ranking(measure[self.cohort])]
        return ranked


def save(folder: Path, answers: ScoreTable, facts: ScoreMetadata) -> str:
    """Write a score file in one step and return its name; a file half-written is never seen."""
    stamp = np.datetime64(facts.as_of, "us").astype("datetime64[s]").item().strftime("%Y%m%dT%H%M%SZ")
    # Another uplift model gives other scores: their own name, so that a list that is read on stays the same.
    uplift = "" if facts.uplift is None else f"-uplift{facts.uplift.fingerprint}"
    name = f"{stamp}-model{facts.model_version}-data{facts.data_version}{uplift}.arrow"
    metadata = asdict(facts)
    if facts.uplift is None:
        del metadata["uplift"]
    table = answers.table().replace_schema_metadata({"facts": json.dumps(metadata)})
    folder.mkdir(parents=True, exist_ok=True)
    with in_one_step(folder / name) as unfinished, pa.ipc.new_file(str(unfinished), table.schema) as writer:
        writer.write_table(table, max_chunksize=max(table.num_rows, 1))
    return name


def load(file: Path) -> Scores:
    """The scores of a file, memory-mapped."""
    try:
        with pa.memory_map(str(fetch(file))) as source:
            table = pa.ipc.open_file(source).read_all()
        facts = json.loads(table.schema.metadata[b"facts"])
        learned = facts.get("uplift")
        names = SCHEMA.names + ([] if learned is None else [*UPLIFT_COLUMNS])
        columns = {name: numbers_of(table.column(name)) for name in names}
        attributes = {
            name: numbers_of(table.column(ATTRIBUTE + name)) for name in facts.get("attributes", {})
        }
        if learned is not None:
            facts["uplift"] = UpliftSource(**learned | {"campaigns": tuple(learned["campaigns"])})
        if (leavers := facts.get("expected_leavers")) is not None:
            facts["expected_leavers"] = ExpectedLeavers(**leavers)
        lifetime = None
        if (horizons := facts.get("lifetime")) is not None:
            facts["lifetime"] = LifetimeHorizons(**{name: tuple(one) for name, one in horizons.items()})
            lifetime = lifetime_of(table, facts["lifetime"])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        raise ModelError(
            f"cannot read the scores in {file}: the file is missing or damaged. Run `kizuna score` again."
        ) from None
    values = {name: tuple(known) for name, known in facts.get("attributes", {}).items()}
    facts |= {"tiers": tuple(facts.get("tiers", ())), "attributes": values}
    scores = ScoreTable(**columns, attributes=attributes, lifetime=lifetime)  # type: ignore[arg-type] # SCHEMA has the types
    return Scores(scores, ScoreMetadata(**facts))


def without_customer(file: Path, key: int) -> bool:
    """Rewrite a score file without this customer; says whether it had to be.

    Attribute values that no remaining row has go too: an e-mail address or a birthday is known by one
    customer alone. That is also so where the customer has no row, but was known by their attributes.
    """
    scores = load(file)
    row = scores.row(key)
    rows = np.arange(len(scores.answers))
    answers = scores.answers if row is None else scores.answers.take(np.delete(rows, row))
    answers, values = drop_unused_values(answers, scores.facts.attributes)
    if row is None and values == scores.facts.attributes:
        return False
    save(file.parent, answers, replace(scores.facts, attributes=values))
    return True
