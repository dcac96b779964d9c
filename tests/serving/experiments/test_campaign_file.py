"""The campaign file: written whole, read back, rewritten by erasure alone, and merged by aliases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.errors import DataError
from features.storage.customer_ids import CustomerAliases
from serving.experiments.assignment import CONTROL, TREATMENT
from serving.experiments.campaign_file import (
    ASSIGNMENT_SCHEMA,
    Assignment,
    AssignmentFacts,
    ErasedAssignments,
    erase_customers,
    load,
    save,
)
from serving.experiments.merged_customers import current_assignment
from serving.state.trace_search import TraceSearch


def assignment(keys: list[int], arms: list[int], plans: list[str]) -> Assignment:
    columns: dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]] = {
        one.name: np.zeros(len(keys)) for one in ASSIGNMENT_SCHEMA
    }
    columns |= {"key": np.array(keys), "arm": np.array(arms, np.int8)}
    facts = AssignmentFacts("spring", ("low", "high"), ("plan",))
    return Assignment.of(columns, facts, [None] * len(keys), {"plan": pa.array(plans)})


def test_rows_are_sorted_by_key_and_read_back(tmp_path: Path) -> None:
    save(tmp_path / "a.arrow", assignment([5, 2, 9], [TREATMENT, CONTROL, TREATMENT], ["gold", "red", "red"]))
    found = load(tmp_path / "a.arrow")
    assert found.keys.tolist() == [2, 5, 9]
    assert (found.treated.tolist(), found.control.tolist()) == ([5, 9], [2])
    assert found.segment("plan").to_pylist() == ["red", "gold", "red"]
    assert found.arms_of(np.array([9, 3, 2])).tolist() == [TREATMENT, -1, CONTROL]
    assert found.facts == AssignmentFacts("spring", ("low", "high"), ("plan",))


def test_an_erased_customer_leaves_a_count_and_no_value_that_only_they_had(tmp_path: Path) -> None:
    file = tmp_path / "a.arrow"
    save(file, assignment([2, 5, 9], [CONTROL, TREATMENT, TREATMENT], ["red", "only-hers", "red"]))
    (tmp_path / ".half.arrow").write_bytes(b"half")
    (tmp_path / "damaged.arrow").write_bytes(b"no")
    assert erase_customers(tmp_path, [5, 77]) == ErasedAssignments(("spring",), ("damaged.arrow",))
    found = load(file)
    assert found.keys.tolist() == [2, 9]
    assert found.facts.erased == {"treatment": 1, "control": 0}
    assert TraceSearch("only-hers").search(file) is False
    assert b"only-hers" not in file.read_bytes()
    assert erase_customers(tmp_path, [5]) == ErasedAssignments((), ())
    assert not list(tmp_path.glob(".*"))
    erase_customers(tmp_path, [2, 9])
    assert len(load(file)) == 0
    assert load(file).arms_of(np.array([2])).tolist() == [-1]


def test_a_damaged_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.arrow").write_bytes(b"no")
    with pytest.raises(DataError, match=r"cannot read the assignment in .*a.arrow"):
        load(tmp_path / "a.arrow")


def test_two_customers_who_are_one_keep_the_earlier_arm_and_count_as_contamination() -> None:
    arms = [CONTROL, TREATMENT, TREATMENT, CONTROL]
    drawn = assignment([1, 4, 6, 8], arms, ["a", "b", "c", "d"])
    found = current_assignment(drawn, CustomerAliases({}, {1: 6, 4: 20}))
    assert found.assignment.keys.tolist() == [6, 8, 20]
    assert found.assignment.arm.tolist() == [CONTROL, CONTROL, TREATMENT]
    assert found.merged == 1
    assert found.contaminated.tolist() == [6]
    assert current_assignment(drawn, CustomerAliases()).assignment is drawn
