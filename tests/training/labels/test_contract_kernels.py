"""The compiled loops over contracts compute what a plain reading of the rows gives."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

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
from training.labels.kernels import Futures, rows_of_keys
from training.labels.plain_contract_kernels import (
    UNDECIDED,
    contract_places,
    plain_outcomes,
    plain_standings,
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


class OneDate(NamedTuple):
    """The events of customers as `current_standings` reads them."""

    offsets: NDArray[np.int64]
    instants: NDArray[np.int64]
    recorded: NDArray[np.int64]
    kinds: NDArray[np.int32]
    of_kind: NDArray[np.uint8]
    details: NDArray[np.int32]
    contracts: NDArray[np.int32]


def events_of_one_date(customers: list[list[ContractRow]], as_of: int, *, late: bool) -> OneDate:
    """Every event is of a kind of its own; every second one spells the same plan in another way."""
    flat = [row for rows in customers for row in rows]
    instants, recorded, retracted = (
        np.array([getattr(row, name) for row in flat], np.int64) for name in ("at", "recorded", "retracted")
    )
    spelled = [row.plan if i % 2 else OTHER_SPELLING[row.plan] for i, row in enumerate(flat)]
    kinds, plans, ids = (
        np.array(codes, np.int32) for codes in (range(len(flat)), spelled, [row.id for row in flat])
    )
    return OneDate(
        np.cumsum([0, *map(len, customers)]),
        instants,
        known_from(recorded, retracted, as_of) if late else recorded[:0],
        kinds,
        np.array([*(row.role for row in flat), 0], np.uint8),
        plans,
        ids,
    )


OTHER_SPELLING = {0: 3, 1: 4, 2: 5, -1: 6}
"""The code of the same plan in another spelling; that of none is blank."""
PLAN_OF = np.array([0, 1, 2, 0, 1, 2, -1, -1], np.int32)


def standings_of_one_date(
    events: OneDate, terms: ContractTerms, is_plan: NDArray[np.bool_], as_of: int
) -> list[int]:
    plain, undecided = plain_standings(*events, as_of)
    assert undecided == (plain == UNDECIDED).sum()
    if terms.term != FOREVER:
        plain = np.full_like(plain, UNDECIDED)
    id_of = np.array([0, 1, -1], np.int32)
    coded = events.details, PLAN_OF, events.contracts, id_of
    codes: list[int] = current_standings(*events[:5], *coded, is_plan, *terms, as_of, plain).tolist()
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
    events = events_of_one_date(customers, as_of, late=late)
    assert standings_of_one_date(events, terms, rows.is_plan, as_of) == plain
    n = len(customers)
    left = outcomes(found, np.arange(n), np.full(n, as_of), np.full(n, as_of + 5), terms.change)
    assert left.tolist() == [contract_outcome(mine, as_of, as_of + 5, **rules) for mine in about]
    if terms.term == FOREVER:
        futures = Futures(np.arange(-1, n), np.full(n + 1, as_of), np.full(n + 1, as_of + 5))
        offsets, instants, _, *coded = events
        kinds, of_kind, details, ids = coded
        of_one_date = plain_outcomes(offsets, instants, kinds, details, ids, of_kind, terms.change, futures)
        decided = of_one_date[1:] != UNDECIDED
        assert of_one_date[0] == 0
        assert (of_one_date[1:][decided] == left[decided]).all()
    if not late:  # what is known of the past does not change by what comes
        past = [[row for row in rows if row.at < as_of] for rows in about]
        before = [
            contract_status(mine, rest, as_of, **rules) for mine, rest in zip(past, others, strict=True)
        ]
        assert codes.tolist() == before


def at(row: ContractRow) -> int:
    return row.at


def test_a_customer_with_one_contract_at_a_time_is_decided_without_reading_names() -> None:
    began, changed, renewed, ended = (ContractRow(at, role, plan=0) for at, role in enumerate((1, 16, 17, 2)))
    events = events_of_one_date([[began, ended], [began, changed, renewed], []], 5, late=False)
    events = events._replace(details=PLAN_OF[events.details])  # one spelling
    codes, undecided = plain_standings(*events, 5)
    assert (codes.tolist(), undecided) == ([1, 0, -1], 0)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(-1, 99), max_size=60), st.sets(st.integers(0, 99)), st.integers(0, 60))
def test_the_rows_about_contracts_are_found_among_any_number_of_kinds(
    kinds: list[int], about: set[int], first: int
) -> None:
    of_kind = np.array([(2 if kind in about else 8) for kind in range(100)] + [0], np.uint8)
    first = min(first, len(kinds))
    offsets = np.array([0, first, len(kinds)])
    places, begins = contract_places(np.array(kinds, np.int32), of_kind, offsets)
    wanted = [place for place, kind in enumerate(kinds) if kind in about]
    assert places.tolist() == wanted
    assert begins.tolist() == [0, sum(place < first for place in wanted), len(wanted)]


@given(st.sets(st.integers(-5, 40)), st.lists(st.integers(-9, 50)), st.booleans())
def test_the_places_of_customers_are_found_in_any_order(
    keys: set[int], wanted: list[int], ascending: bool
) -> None:
    known = sorted(keys)
    wanted = sorted(wanted) if ascending else wanted
    places = [known.index(key) if key in keys else -1 for key in wanted]
    assert rows_of_keys(np.array(known, np.int64), np.array(wanted, np.int64)).tolist() == places
