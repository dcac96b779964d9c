"""The compiled loops over contracts compute what a plain reading of the rows gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.timeline import known_from
from tests.reference import ContractRow, contract_outcome, contract_status
from training.labels.contract_kernels import (
    FOREVER,
    ContractRows,
    ContractTerms,
    current_standings,
    outcomes,
    standings,
    stays,
)

ROLES = (1, 17, 2, 4, 16, 32, 64, 128, 8, 3)
ROWS = st.builds(
    ContractRow,
    at=st.integers(0, 14),
    role=st.sampled_from(ROLES),
    id=st.sampled_from([-1, -1, 0, 1]),
    plan=st.sampled_from([-1, 0, 1, 2]),
    recorded=st.sampled_from([-1, -1, 3, 7, 12]),
    retracted=st.sampled_from([1_000, 1_000, 4, 9]),
)
CUSTOMERS = st.lists(st.lists(ROWS, max_size=8), min_size=1, max_size=3)
RULES = st.fixed_dictionaries(
    {
        "change": st.integers(0, 4),
        "term": st.sampled_from([math.inf, 3, 5]),
        "plans": st.frozensets(st.sampled_from([0, 2])),
        "trials": st.booleans(),
    }
)


def compiled(
    customers: list[list[ContractRow]], rules: dict[str, Any], as_of: int, *, late: bool
) -> tuple[Any, ...]:
    flat = [row for rows in customers for row in rows]
    offsets = np.cumsum([0, *map(len, customers)])
    instants, recorded, roles, ids, plans = (
        np.array([getattr(row, name) for row in flat], kind)
        for name, kind in (
            ("at", np.int64), ("recorded", np.int64), ("role", np.uint8), ("id", np.int32), ("plan", np.int32)
        )
    )  # fmt: skip
    retracted = np.array([row.retracted for row in flat], np.int64)
    recorded = known_from(recorded, retracted, as_of) if late else recorded[:0]
    is_plan = np.array([plan in rules["plans"] for plan in range(3)])
    term = FOREVER if rules["term"] == math.inf else rules["term"]
    terms = ContractTerms(rules["change"], term, rules["trials"], *np.empty((2, 0), np.int64))
    about = np.flatnonzero(roles & ~np.uint8(8))
    rows = ContractRows(
        np.searchsorted(about, offsets), instants[about], recorded[about] if late else recorded,
        roles[about], ids[about], plans[about], is_plan,
    )  # fmt: skip
    return offsets, instants, recorded, rows, terms, stays(rows, terms)


def standings_of_one_date(
    customers: list[list[ContractRow]], terms: ContractTerms, is_plan: Any, as_of: int, *, late: bool
) -> list[int]:
    """Every event is of a kind of its own."""
    flat = [row for rows in customers for row in rows]
    offsets = np.cumsum([0, *map(len, customers)])
    instants, recorded, retracted = (
        np.array([getattr(row, name) for row in flat], np.int64) for name in ("at", "recorded", "retracted")
    )
    of_kind = np.array([*(row.role for row in flat), 0], np.uint8)
    kinds, plans, ids = (
        np.array(codes, np.int32)
        for codes in (range(len(flat)), [row.plan for row in flat], [row.id for row in flat])
    )
    plan_of, id_of = np.array([0, 1, 2, -1], np.int32), np.array([0, 1, -1], np.int32)
    recorded = known_from(recorded, retracted, as_of) if late else recorded[:0]
    codes: list[int] = current_standings(
        offsets, instants, recorded, kinds, of_kind, plans, plan_of, ids, id_of, is_plan, *terms, as_of
    ).tolist()
    return codes


@settings(deadline=None, max_examples=600)
@given(CUSTOMERS, RULES, st.integers(0, 16), st.booleans())
def test_statuses_and_labels_of_contracts_are_those_of_a_plain_reading(
    customers: list[list[ContractRow]], rules: dict[str, Any], as_of: int, late: bool
) -> None:
    customers = [
        sorted((row if late else ContractRow(row.at, row.role, row.id, row.plan) for row in rows), key=at)
        for rows in customers
    ]
    offsets, instants, recorded, rows, terms, found = compiled(customers, rules, as_of, late=late)
    codes = standings(offsets, instants, recorded, rows, terms, found, as_of)
    about = [[row for row in rows if row.role != 8] for rows in customers]
    others = [[(row.at, row.recorded, row.retracted) for row in rows if row.role == 8] for rows in customers]
    plain = [contract_status(mine, rest, as_of, **rules) for mine, rest in zip(about, others, strict=True)]
    assert codes.tolist() == plain
    assert standings_of_one_date(customers, terms, rows.is_plan, as_of, late=late) == plain
    n = len(customers)
    left = outcomes(found, np.arange(n), np.full(n, as_of), np.full(n, as_of + 5), terms.change)
    assert left.tolist() == [contract_outcome(mine, as_of, as_of + 5, **rules) for mine in about]
    if not late:  # what is known of the past does not change by what comes
        past = [[row for row in rows if row.at < as_of] for rows in about]
        before = [
            contract_status(mine, rest, as_of, **rules) for mine, rest in zip(past, others, strict=True)
        ]
        assert codes.tolist() == before


def at(row: ContractRow) -> int:
    return row.at
