"""Who a customer key stands for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from features.storage.customer_ids import Customers


def test_keys_count_up_in_order_of_first_sight():
    customers = Customers()
    assert customers.assign(pa.array(["bob", "ann", "bob", "髙橋"])).tolist() == [0, 1, 0, 2]
    assert customers.assign(pa.array(["zoe", "ann"])).tolist() == [3, 1]
    assert customers.names(np.array([2, 0])).to_pylist() == ["髙橋", "bob"]


def test_asking_for_a_key_gives_none_to_a_stranger():
    customers = Customers(pa.array(["ann"]))
    assert customers.keys(pa.array(["bob", "ann", None])).tolist() == [-1, 0, -1]
    assert len(customers) == 1


def test_ids_that_look_alike_are_different_customers():
    names = ["a", "A", " a", "a ", "", "1", "01", "１", "a\0", "e\u0301", "é"]
    assert Customers().assign(pa.array(names)).tolist() == list(range(len(names)))


def test_a_customer_who_was_erased_has_no_name_and_comes_back_under_another_key():
    customers = Customers(pa.array(["ann", None, "bob"]))
    assert customers.names(np.array([0, 1, 2])).to_pylist() == ["ann", None, "bob"]
    assert customers.assign(pa.array(["eve"])).tolist() == [3]


def test_texts_may_come_in_any_arrow_form():
    coded = pa.array(["ann", "bob", "ann"]).dictionary_encode()
    for ids in (coded, pa.chunked_array([["ann"], ["bob", "ann"]]), pa.array(["x", "ann", "bob", "ann"])[1:]):
        assert Customers().assign(ids).tolist() == [0, 1, 0]


@settings(deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.text(max_size=12)))))
def test_keys_are_those_of_a_dictionary(batches):
    customers, expected = Customers(), {}
    for batch in batches:
        wanted = [-1 if name is None else expected.setdefault(name, len(expected)) for name in batch]
        assert customers.assign(pa.array(batch, pa.string())).tolist() == wanted
    assert customers.names(np.arange(len(expected))).to_pylist() == list(expected)
