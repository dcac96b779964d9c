"""Contracts of customers who had one at a time, with nothing to decide: compiled loops over all their events.

Inputs: the arrays of a `History`; `of_kind`, uint8[kinds + 1], what an event of each kind means to the label
(`cohort.kind_roles`); the codes of details as they are, in whatever spelling.
Outputs: what `contract_kernels` gives for one date, or `UNDECIDED` where two contracts may overlap, names
differ, or a row is a pause, a trial or one of several at an instant.
Invariant: what is not `UNDECIDED` is the same however names are spelled, as equal codes are equal names.
Plain versions: `contract_status`, `contract_outcome` of `tests.reference`; a test compares them.
Read on only to change the speed: the rows need not be gathered, nor the names be read.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from training.labels.cohort import AMOUNT, CHANGED, COMPLETED, ENDED, PAUSED, RESUMED, STARTED, TRIAL

UNDECIDED = 3
_CONTRACT_BITS = np.uint8(0xFF ^ AMOUNT)
_BEGINS, _ENDS, _NOTHING = range(3)
_BLOCK = 8


@njit(cache=True, nogil=True)
def _step(role, named, runs, plan):  # type: ignore[no-untyped-def]
    """What one row does to a contract, and the plan it is on afterwards."""
    starts, stops = role & (STARTED | CHANGED), role & (ENDED | COMPLETED)
    if role & (PAUSED | RESUMED | TRIAL) or (starts and stops):
        return UNDECIDED, plan
    if starts and not runs:
        return _BEGINS, named
    if not runs:
        return _NOTHING, plan
    other = named >= 0 and named != plan
    if stops:
        return UNDECIDED if other else _ENDS, plan
    if (role & STARTED and (other or not role & CHANGED)) or (other and plan < 0):
        return UNDECIDED, plan
    return _NOTHING, named if other else plan


@njit(cache=True, nogil=True)
def contract_places(kinds, of_kind, offsets):  # type: ignore[no-untyped-def]
    """int64[k]: the places of the rows about contracts, and int64[c + 1]: where those of a customer begin."""
    n, about = len(kinds), of_kind & _CONTRACT_BITS
    # Most blocks have none: a mask of the kinds modulo 64 says so, in vector instructions.
    mask = np.uint64(0)
    for kind in range(len(about)):
        if about[kind]:
            mask |= np.uint64(1) << np.uint64(kind & 63)
    whole, hits = n // _BLOCK, 0
    blocks = np.empty(whole + 1, np.int64)
    for block in range(whole):
        bits = np.uint64(0)
        for i in range(block * _BLOCK, block * _BLOCK + _BLOCK):
            bits |= mask >> (np.uint64(kinds[i]) & np.uint64(63))
        blocks[hits] = block
        if bits & np.uint64(1):
            hits += 1
    blocks[hits] = whole
    places, count = np.empty((hits + 1) * _BLOCK, np.int64), 0
    for block in blocks[: hits + 1]:
        for i in range(block * _BLOCK, min(block * _BLOCK + _BLOCK, n)):
            if about[kinds[i]]:
                places[count] = i
                count += 1
    begins, row = np.zeros(len(offsets), np.int64), 0
    for c in range(len(offsets) - 1):
        while row < count and places[row] < offsets[c + 1]:
            row += 1
        begins[c + 1] = row
    return places[:count].copy(), begins


@njit(cache=True, nogil=True)
def plain_standings(offsets, instants, recorded, kinds, of_kind, details, contracts, as_of):  # type: ignore[no-untyped-def]
    """int8[customers] as `contract_kernels.standings`, or `UNDECIDED`; and how many are undecided."""
    customers, late, undecided = len(offsets) - 1, len(recorded) > 0, 0
    places, begins = contract_places(kinds, of_kind, offsets)
    out = np.full(customers, -1, dtype=np.int8)
    for c in range(customers):
        for i in range(offsets[c], offsets[c + 1]):
            if instants[i] >= as_of:
                break
            if not late or recorded[i] < as_of:
                out[c] = 2
                break
        runs, plan, before = False, np.int32(-1), np.int64(0)
        for row in range(begins[c], begins[c + 1]):
            i = places[row]
            at = instants[i]
            if at >= as_of:
                break
            if late and recorded[i] >= as_of:
                continue
            step = UNDECIDED
            if (out[c] == 2 or at != before) and not (len(contracts) and contracts[i] >= 0):
                named = details[i] if len(details) else np.int32(-1)
                step, plan = _step(of_kind[kinds[i]] & _CONTRACT_BITS, named, runs, plan)
            if step == UNDECIDED:
                out[c] = UNDECIDED
                undecided += 1
                break
            if step != _NOTHING:
                runs = step == _BEGINS
            out[c], before = 0 if runs else 1, at
    return out, undecided


@njit(cache=True, nogil=True)
def plain_outcomes(offsets, instants, kinds, details, contracts, of_kind, change, futures):  # type: ignore[no-untyped-def]
    """int8[p]: 1 for who left in their horizon (`contract_kernels.outcomes`), 0 for others or `UNDECIDED`."""
    customers, starts, ends = futures
    places, begins = contract_places(kinds, of_kind, offsets)
    out = np.zeros(len(customers), np.int8)
    for p in range(len(customers)):
        c = customers[p]
        if c < 0:
            continue
        runs, plan, before = False, np.int32(-1), np.int64(0)
        # An end in the horizon waits for a start that makes it a change of plan.
        waits, ended, churned = False, np.int64(0), False
        for row in range(begins[c], begins[c + 1]):
            i = places[row]
            at = instants[i]
            if at >= ends[p] and not (waits and at - ended <= change):
                break
            role, step = of_kind[kinds[i]] & _CONTRACT_BITS, UNDECIDED
            if (row == begins[c] or at != before) and not (len(contracts) and contracts[i] >= 0):
                step, plan = _step(role, details[i] if len(details) else np.int32(-1), runs, plan)
            before = at
            if step == UNDECIDED:
                out[p], waits = UNDECIDED, False
                break
            if step == _BEGINS:
                if waits and at - ended > change:
                    break
                runs, waits = True, False
            elif step == _ENDS:
                runs, waits, ended, churned = False, at >= starts[p], at, (role & ENDED) != 0
        if waits and churned:
            out[p] = 1
    return out
