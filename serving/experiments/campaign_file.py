"""The campaign file: who was assigned to which arm, and what was known of each on that day.

One immutable Arrow file a campaign, rows sorted by customer key. It names no customer. It is in use from the
moment in which the campaign's row in the database names it; only erasure rewrites it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import DataError
from features.events.schema import ATTRIBUTE
from serving.experiments.assignment import ARMS, CONTROL, TREATMENT
from serving.state.atomic_write import in_one_step
from serving.state.remote.state_files import delete

FOLDER = "campaigns"
"""Beside the folder of the scores."""
TOUCH = "touch"
"""The column of the touch model that the plan had in mind."""
ASSIGNMENT_SCHEMA = pa.schema(
    [
        ("key", pa.int64()),
        ("arm", pa.int8()),
        ("stratum", pa.int32()),
        ("risk_decile", pa.int8()),
        ("churn_probability", pa.float64()),
        ("expected_value", pa.float64()),
        ("value_at_risk", pa.float64()),
        ("tier", pa.int8()),
        ("tenure_days", pa.float64()),
        ("past_spend", pa.float64()),
    ]
)
"""Numbers are NaN, and codes −1, where nothing is known. `past_spend` is over the horizon before the as-of
date. Then follow `touch` and a column for each declared attribute, both text, null where there is none."""


@dataclass(frozen=True)
class AssignmentFacts:
    """What a campaign file says of itself."""

    campaign: str
    tiers: tuple[str, ...]
    """The names that the column `tier` counts into."""
    segments: tuple[str, ...] = ()
    """The attributes that were declared, each with a column of its name (`segment`)."""
    erased: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ARMS, 0))
    """Customers by arm who were erased since; they have no row any more."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """The customers of a campaign with their arms."""

    table: pa.Table
    facts: AssignmentFacts

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """int64[n], ascending."""
        return self.column("key").astype(np.int64, copy=False)

    @cached_property
    def arm(self) -> NDArray[np.int8]:
        """int8[n]: `TREATMENT` or `CONTROL`."""
        return self.column("arm").astype(np.int8, copy=False)

    @property
    def treated(self) -> NDArray[np.int64]:
        """The keys of the treatment arm."""
        treated: NDArray[np.int64] = self.keys[self.arm == TREATMENT]
        return treated

    @property
    def control(self) -> NDArray[np.int64]:
        """The keys of the control arm."""
        control: NDArray[np.int64] = self.keys[self.arm == CONTROL]
        return control

    def column(self, name: str) -> NDArray[np.generic]:
        """The numbers of a column of `ASSIGNMENT_SCHEMA`."""
        numbers: NDArray[np.generic] = self.table.column(name).to_numpy()
        return numbers

    def floats(self, name: str) -> NDArray[np.float64]:
        """float64[n]: a column of `ASSIGNMENT_SCHEMA`."""
        return self.column(name).astype(np.float64, copy=False)

    def segment(self, name: str) -> pa.ChunkedArray:
        """The value of a declared attribute for each customer, null where there is none."""
        return self.table.column(ATTRIBUTE + name)

    def arms_of(self, keys: NDArray[np.int64]) -> NDArray[np.int8]:
        """int8[k]: the arm of each of some customers, −1 for one who is not in the campaign."""
        if not len(self):
            return np.full(len(keys), -1, np.int8)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self) - 1)
        return np.where(self.keys[places] == keys, self.arm[places], -1).astype(np.int8)

    @staticmethod
    def of(
        columns: Mapping[str, NDArray[np.generic]],
        facts: AssignmentFacts,
        touch: Sequence[str | None],
        segments: Mapping[str, pa.Array],
    ) -> Assignment:
        """From the columns of `ASSIGNMENT_SCHEMA`, in any order of customers."""
        arrays = [pa.array(columns[one.name], one.type) for one in ASSIGNMENT_SCHEMA]
        table = pa.table(arrays, schema=ASSIGNMENT_SCHEMA)
        table = table.append_column(TOUCH, pa.array(touch, pa.string()).dictionary_encode())
        for name, values in segments.items():
            table = table.append_column(ATTRIBUTE + name, values.cast(pa.string()).dictionary_encode())
        order = np.argsort(columns["key"], kind="stable")
        return Assignment(table.take(pa.array(order)), facts)


def save(file: Path, assignment: Assignment) -> None:
    """Write a campaign file in one step; it lasts through a power cut when this returns."""
    file.parent.mkdir(parents=True, exist_ok=True)
    table = assignment.table.unify_dictionaries().combine_chunks()
    table = table.replace_schema_metadata({"facts": json.dumps(asdict(assignment.facts))})
    with in_one_step(file) as unfinished, pa.ipc.new_file(str(unfinished), table.schema) as writer:
        writer.write_table(table, max_chunksize=max(table.num_rows, 1))


def load(file: Path) -> Assignment:
    """Read a campaign file; raises `DataError` where it is missing or damaged."""
    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
        facts = json.loads(table.schema.metadata[b"facts"])
        for name in ("tiers", "segments"):
            facts[name] = tuple(facts[name])
        return Assignment(table, AssignmentFacts(**facts))
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        raise DataError(
            f"cannot read the assignment in {file}: the file is missing or damaged. "
            "Restore it from a backup; without it nobody knows who is in the control group."
        ) from None


@dataclass(frozen=True)
class ErasedAssignments:
    """What erasing customers did to the campaign files."""

    campaigns: tuple[str, ...]
    """The campaigns that had them; each goes on counting them by arm."""
    deleted: tuple[str, ...]
    """Files that could not be read, and were deleted."""


def erase_customers(folder: Path, keys: Sequence[int]) -> ErasedAssignments:
    """Rewrite every campaign file without these customers.

    The file goes on counting them by arm. What nobody else has of a segment's values goes with them. A file
    that a broken run left unfinished is deleted.
    """
    for unfinished in folder.glob(".*.arrow"):
        unfinished.unlink(missing_ok=True)
    erased, deleted = [], []
    for file in sorted(folder.glob("*.arrow")):
        try:
            assignment = load(file)
        except DataError:
            delete(file)
            deleted.append(file.name)
            continue
        arms = assignment.arms_of(np.array(keys, np.int64))
        if not (arms >= 0).any():
            continue
        save(file, _without(assignment, np.array(keys, np.int64)))
        erased.append(assignment.facts.campaign)
    return ErasedAssignments(tuple(erased), tuple(deleted))


def _without(assignment: Assignment, keys: NDArray[np.int64]) -> Assignment:
    gone = np.isin(assignment.keys, keys)
    counts = {
        arm: assignment.facts.erased.get(arm, 0) + int((assignment.arm[gone] == code).sum())
        for code, arm in enumerate(ARMS)
    }
    rest = assignment.table.filter(pa.array(~gone))
    columns = [
        column.cast(pa.string()).dictionary_encode() if pa.types.is_dictionary(column.type) else column
        for column in rest.columns
    ]
    table = pa.table(columns, names=rest.column_names)
    return Assignment(table, replace(assignment.facts, erased=counts))
