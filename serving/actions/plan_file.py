"""A plan as it is kept beside the scores it was made for: one immutable Arrow file, customers by key."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import ModelError, UsageError
from features.timeline import Timeline
from serving.actions.playbook import PREFERRED, LoyaltyProgramme, Playbook, parse
from serving.schemas.terms import HOOKS, NO_RULE, OPEN, OUTCOMES, SOON, STAGES
from serving.state.atomic_write import in_one_step

if TYPE_CHECKING:
    from serving.actions.customer_profiles import CustomerProfiles
    from serving.actions.rule_matching import ActionPlan

FOLDER = "plans"
"""Beside the folder of the scores."""


@dataclass(frozen=True, eq=False)
class StoredPlan:
    """A plan read back: rows in the order of the scores, and the playbook that made it."""

    table: pa.Table
    playbook: Playbook
    as_of: int
    tiers: tuple[str, ...]
    reasons: tuple[str, ...]
    timeline: Timeline

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.table.column("key").to_numpy()
        return found

    def rows(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each customer is, −1 where the plan does not have them."""
        if not len(self.keys):
            return np.full(len(keys), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1).astype(np.int64)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The rows in the order of the list."""
        found: NDArray[np.int64] = np.argsort(self.table.column("place").to_numpy(), kind="stable")
        return found

    def column(self, name: str, rows: Sequence[int] | NDArray[np.int64]) -> list[Any]:
        """What a column says of some rows."""
        values: list[Any] = self.table.column(name).take(pa.array(rows)).to_pylist()
        return values

    def rule_of(self, number: int) -> Any:
        return None if number == NO_RULE else self.playbook.rules[number]

    def programme_of(self, number: int | None) -> LoyaltyProgramme | None:
        return None if number is None else self.playbook.loyalty[number]


@dataclass(frozen=True)
class PlanOrigin:
    """What a plan was made with."""

    playbook: str
    """The text of the playbook."""
    as_of: int
    tiers: tuple[str, ...]
    reasons: tuple[str, ...]
    timezone: str


def save(file: Path, portraits: CustomerProfiles, plan: ActionPlan, origin: PlanOrigin) -> None:
    """Write a plan in one step, in the place of an earlier one for the same scores."""
    place = np.empty(len(plan.order), dtype=np.int64)
    place[plan.order] = np.arange(len(plan.order))
    table = portraits.table
    for name, values in (("rule", plan.rule), ("outcome", plan.outcome), ("place", place)):
        table = table.append_column(name, pa.array(values))
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, table.replace_schema_metadata({"origin": json.dumps(asdict(origin))}))


def delete_customer(folder: Path, key: int) -> None:
    """Rewrite every plan without this customer; one that cannot be read is deleted."""
    for file in [*folder.glob("*.arrow"), *folder.glob(".*.arrow")]:
        try:
            kept = load(file)
        except ModelError:
            file.unlink()
            continue
        (row,) = kept.rows(np.array([key])).tolist()
        if row >= 0:
            _write(file, _without(kept.table, row))


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
    """A plan that was kept."""
    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
        origin = json.loads(table.schema.metadata[b"origin"])
        playbook = parse(origin["playbook"], str(file)).playbook
        tiers, reasons = tuple(origin["tiers"]), tuple(origin["reasons"])
        return StoredPlan(table, playbook, origin["as_of"], tiers, reasons, Timeline(origin["timezone"]))
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        raise ModelError(
            f"cannot read the plan in {file}: the file is damaged. Run `kizuna plan` again."
        ) from None


@dataclass(frozen=True)
class PlanFilter:
    """What is wanted of a plan, by name; empty asks for nothing."""

    stages: Collection[str] = ()
    touch_models: Collection[str] = ()
    actions: Collection[str] = ()
    channels: Collection[str] = ()
    outcomes: Collection[str] = ()
    hooks: Collection[str] = ()
    """What must be there to take up; one of them is enough."""

    def __bool__(self) -> bool:
        return any(vars(self).values())


def rows_matching(kept: StoredPlan, cut: PlanFilter) -> NDArray[np.int64]:
    """The rows that are wanted, in the order of the list."""
    order = kept.order
    rows: NDArray[np.int64] = order[mask_matching(kept, cut)[order]]
    return rows


def mask_matching(kept: StoredPlan, cut: PlanFilter) -> NDArray[np.bool_]:
    """bool[n]: which rows fit; raises `UsageError` for a name that nothing has."""
    rules, book = kept.playbook.rules, kept.playbook
    rule = kept.table.column("rule").to_numpy()
    fits = np.ones(len(rule), dtype=np.bool_)
    if cut.stages:
        numbers = _numbers(cut.stages, STAGES, "stage", "stages")
        fits &= np.isin(kept.table.column("stage").to_numpy(), numbers)
    for asked, names, part, field in (
        (cut.touch_models, book.touch, "touch", "touch_models"),
        (cut.actions, book.actions, "action", "actions"),
    ):
        if asked:
            _numbers(asked, list(names), "touch model" if part == "touch" else part, field)
            fits &= np.isin(rule, [at for at, one in enumerate(rules) if getattr(one, part) in asked])
    if cut.channels:
        own = kept.table.column("preferred_channel")
        known = {*(one.channel for one in rules), *own.unique().to_pylist()} - {PREFERRED}
        _numbers(cut.channels, sorted(name for name in known if name), "channel", "channels")
        theirs = pc.is_in(own.cast(pa.string()), pa.array(list(cut.channels))).to_numpy(zero_copy_only=False)
        named = np.isin(rule, [at for at, one in enumerate(rules) if one.channel in cut.channels])
        preferred = np.isin(rule, [at for at, one in enumerate(rules) if one.channel == PREFERRED])
        fits &= named | preferred & theirs
    if cut.outcomes:
        numbers = _numbers(cut.outcomes, OUTCOMES, "outcome", "outcomes")
        fits &= np.isin(kept.table.column("outcome").to_numpy(), numbers)
    if cut.hooks:
        _numbers(cut.hooks, HOOKS, "hook", "hooks")
        fits &= np.any([_hooked(kept, name) for name in cut.hooks], axis=0)
    return fits


def _hooked(kept: StoredPlan, hook: str) -> NDArray[np.bool_]:
    """bool[n]: for whom there is this to take up."""
    if hook == "unanswered_inquiry":
        inquiry = kept.table.column("inquiry").to_numpy()
        open_: NDArray[np.bool_] = inquiry == OPEN
        return open_
    days = {"birthday": "birthday_in_days", "anniversary": "anniversary_in_days"}
    column = kept.table.column(days.get(hook, hook))
    there = pc.less_equal(column, SOON) if hook in days else column.is_valid()
    found: NDArray[np.bool_] = pc.fill_null(there, False).to_numpy()
    return found


def _numbers(asked: Collection[str], known: Sequence[str], what: str, field: str) -> list[int]:
    for name in asked:
        if name not in known:
            raise UsageError(
                f"cannot list the {what} '{name}': there is none of that name. There are {', '.join(known)}.",
                field=field,
            )
    return [known.index(name) for name in asked]
