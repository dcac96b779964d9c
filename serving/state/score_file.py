"""The score file: every known customer's scores at one as-of date, as one immutable Arrow file.

Rows are sorted by customer key and memory-mapped, so a million of them cost no memory until they are read.
A file names no customer; `features/storage/customer_ids.py` knows whom a key stands for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import ModelError
from features.events.schema import ATTRIBUTE
from serving.schemas.responses import Contacts, Evidence
from serving.state.atomic_write import in_one_step
from training.bundle.level_uncertainty import ExpectedLeavers
from training.bundle.lifetime.lifetime_values import LifetimeHorizons, LifetimeValues
from training.bundle.lifetime.score_columns import (
    LIFETIME_COLUMNS,
    column_of,
    lifetime_of,
    numbers_of,
    with_lifetime,
)
from training.bundle.list_policy import ListOrder, ranking
from training.labels.cohort import IN_COHORT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REASONS = 3
"""How many reasons a customer has at most."""

FEW = 8
"""Customers of whom it is faster to read number by number than to take all columns of all."""

SCHEMA = pa.schema(
    [
        ("key", pa.int64()),
        ("status", pa.int8()),
        ("churn_probability", pa.float64()),
        ("tier", pa.int8()),
        ("predicted_tier", pa.int8()),
        ("expected_value", pa.float64()),
        ("value_at_risk", pa.float64()),
        ("reason_features", pa.list_(pa.int16(), REASONS)),
        ("reason_values", pa.list_(pa.float64(), REASONS)),
        ("reason_contributions", pa.list_(pa.float64(), REASONS)),
    ]
)

UpliftColumn = Literal["uplift", "incremental_value"]
UPLIFT_COLUMNS: tuple[UpliftColumn, ...] = ("uplift", "incremental_value")
UPLIFT_SCHEMA = pa.schema([(name, pa.float64()) for name in UPLIFT_COLUMNS])
"""The columns that follow in a file whose scores were made with an uplift model in use; others lack them."""

Numbers = list[float]
_Spend = tuple[Numbers, Numbers, Numbers]
ScoreRow = tuple[int, float, int, int, float, float, list[int], Numbers, Numbers, float, float, *_Spend]
"""The columns of `SCHEMA` from `status` on, of one customer, then those of `UPLIFT_SCHEMA`, NaN without, then
`LIFETIME_COLUMNS`, empty without."""


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """The scores of n customers; row i of every array is the customer `key[i]`."""

    key: Ints
    status: NDArray[np.int8]
    """Position in `STATUSES`, -1 for a customer of whom nothing was known."""
    churn_probability: Floats
    """NaN outside the cohort."""
    tier: NDArray[np.int8]
    predicted_tier: NDArray[np.int8]
    """-1 outside the cohort."""
    expected_value: Floats
    """What the customer would spend over the horizon if they stayed; NaN where not known."""
    value_at_risk: Floats
    reason_features: NDArray[np.int16]
    """[n, 3], positions in the bundle's columns, the most important first; -1 for no further reason."""
    reason_values: Floats
    reason_contributions: Floats
    attributes: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    """Each customer's last known value as a position in `ScoreMetadata.attributes`, -1 for none."""
    uplift: Floats | None = None
    """How much contact changes the outcome that an uplift model was learned on, positive where it helps; NaN
    outside the cohort, None where no uplift model was in use."""
    incremental_value: Floats | None = None
    """The money that contact is expected to gain; None and NaN as `uplift`, NaN too where not known."""
    lifetime: LifetimeValues | None = None
    """None where the bundle tells no lifetime value."""

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: Ints) -> ScoreTable:
        attributes = {name: codes[rows] for name, codes in self.attributes.items()}
        columns = {name: getattr(self, name)[rows] for name in self._columns}
        lifetime = None if self.lifetime is None else self.lifetime.take(rows)
        return ScoreTable(**columns, attributes=attributes, lifetime=lifetime)

    @property
    def _columns(self) -> tuple[str, ...]:
        """The names of its columns, without the attributes."""
        return (*SCHEMA.names, *(UPLIFT_COLUMNS if self.uplift is not None else ()))

    def iter_rows(self, rows: Ints | None = None) -> Iterator[ScoreRow]:
        """Each customer's scores, or those of these rows, as plain numbers."""
        whole = self if rows is None or len(rows) <= FEW else self.take(rows)
        columns = [getattr(whole, name) for name in whole._columns[1:]]
        missing = () if self.uplift is not None else (math.nan,) * len(UPLIFT_COLUMNS)
        spend = [getattr(whole.lifetime, name) for name in LIFETIME_COLUMNS] if whole.lifetime else []
        none: tuple[list[float], ...] = () if spend else ([],) * len(LIFETIME_COLUMNS)
        if whole is not self or rows is None:
            unknown = (repeat(nothing, len(whole)) for nothing in missing)
            last = (repeat(nothing, len(whole)) for nothing in none)
            numbers, lists = ([column.tolist() for column in part] for part in (columns, spend))
            return cast("Iterator[ScoreRow]", zip(*numbers, *unknown, *lists, *last, strict=True))
        each = (
            [
                *(column[row].tolist() for column in columns),
                *missing,
                *(column[row].tolist() for column in spend),
                *none,
            ]
            for row in rows.tolist()
        )
        return cast("Iterator[ScoreRow]", each)

    def table(self) -> pa.Table:
        """The same as Arrow, in the columns of `SCHEMA`, those of `UPLIFT_SCHEMA` where there is uplift, then
        one for each attribute.
        """
        schema = SCHEMA if self.uplift is None else pa.schema([*SCHEMA, *UPLIFT_SCHEMA])
        table = pa.table([column_of(getattr(self, one.name), one.type) for one in schema], schema=schema)
        if self.lifetime is not None:
            table = with_lifetime(table, self.lifetime)
        for name, codes in self.attributes.items():
            table = table.append_column(ATTRIBUTE + name, pa.array(codes))
        return table

    @staticmethod
    def joined(parts: list[ScoreTable]) -> ScoreTable:
        """All parts, sorted by customer key."""
        names = sorted({name for part in parts for name in part.attributes})
        none = [np.full(len(part), -1, dtype=np.int32) for part in parts]
        attributes = {
            name: np.concatenate([p.attributes.get(name, n) for p, n in zip(parts, none, strict=True)])
            for name in names
        }
        columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in SCHEMA.names}
        spend = [part.lifetime for part in parts if part.lifetime is not None]
        whole = ScoreTable(
            **columns, attributes=attributes, lifetime=LifetimeValues.joined(spend) if spend else None
        )
        return whole.take(np.argsort(whole.key, kind="stable"))


@dataclass(frozen=True)
class UpliftSource:
    """The uplift model that a file's `uplift` came from."""

    fingerprint: str
    outcome: str
    """The outcome of campaigns that it was learned on, such as `retained`."""
    months: int
    """The review date, in months after the start."""
    campaigns: tuple[str, ...]
    learned_at: int
    """Microseconds UTC."""


@dataclass(frozen=True)
class ScoreMetadata:
    """Where scores came from. Instants in microseconds UTC."""

    as_of: int
    model_version: str
    fingerprint: str
    data_version: str
    newest: int | None
    """The newest event behind them."""
    covered_until: int | None = field(default=None, kw_only=True)
    """Until when the data can tell silence; what people note and the company does count for nothing."""
    evidence: Evidence
    contacts: Contacts = field(default="as_they_were", kw_only=True)
    """Which risk the model learned; files from before it was kept have none."""
    amounts: bool
    """Whether events carry amounts, so that there is a value at risk."""
    tiers: tuple[str, ...]
    """Names, lowest first."""
    scored_at: int
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values that each attribute has."""
    uplift: UpliftSource | None = field(default=None, kw_only=True)
    """None where no uplift model was in use."""
    expected_leavers: ExpectedLeavers | None = field(default=None, kw_only=True)
    """How many of the cohort are expected to leave; files from before it was kept have none."""
    lifetime: LifetimeHorizons | None = field(default=None, kw_only=True)
    """The horizons of lifetime value; files from before it was told have none."""

    @property
    def data_until(self) -> int | None:
        """The newest event of what customers did, as far as it is told apart from all others."""
        return min((one for one in (self.newest, self.covered_until) if one is not None), default=None)


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
    told = asdict(facts)
    if facts.uplift is None:
        del told["uplift"]
    table = answers.table().replace_schema_metadata({"facts": json.dumps(told)})
    folder.mkdir(parents=True, exist_ok=True)
    with in_one_step(folder / name) as unfinished, pa.ipc.new_file(str(unfinished), table.schema) as writer:
        writer.write_table(table, max_chunksize=max(table.num_rows, 1))
    return name


def load(file: Path) -> Scores:
    """The scores of a file, memory-mapped."""
    try:
        with pa.memory_map(str(file)) as source:
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


def drop_unused_values(
    answers: ScoreTable, values: Mapping[str, tuple[str, ...]]
) -> tuple[ScoreTable, dict[str, tuple[str, ...]]]:
    """Scores and the values of their attributes, without the values that no row has."""
    codes, used_values = {}, {}
    for name, known in values.items():
        used = np.zeros(len(known) + 1, dtype=bool)
        used[answers.attributes[name]] = True
        used[-1] = False  # the code of no value, -1
        renumbered = np.append(np.cumsum(used[:-1]) - 1, -1).astype(np.int32)
        codes[name] = renumbered[answers.attributes[name]]
        used_values[name] = tuple(value for value, one in zip(known, used, strict=False) if one)
    return replace(answers, attributes=codes), used_values
