"""Numbers as people write them: one rule for a column, or no row of it."""

from __future__ import annotations

import math
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import DataError
from features.event_store import EventStore
from features.events.parsing.source_text import SourceText
from features.events.validation import validate_rows
from features.events.validation_counts import ValidationCounts
from features.ingestion.sources import Source
from features.timeline import Timeline

UTC = Timeline()
NOW = UTC.instant("2026-01-01")


def read(
    *texts: Any, decimal: str | None = None, tally: ValidationCounts | None = None
) -> list[float | str | None]:
    """What a column of texts is read as: a number, None for no value, the reason where a row is refused."""
    tally = tally or ValidationCounts("shop", texts=SourceText("shop", decimal=decimal))
    names = [f"c{n}" for n in range(len(texts))]
    rows = pa.table({"customer_id": names, "occurred_at": ["2024-03-01"] * len(texts),
                     "kind": ["purchase"] * len(texts), "value": pa.array(texts, pa.string())})  # fmt: skip
    good, _ = validate_rows(rows, UTC, NOW, tally)
    found = dict(zip(good["customer_id"].to_pylist(), good["value"].to_pylist(), strict=True))
    return [found.get(name, "refused") for name in names]


@pytest.mark.parametrize(("texts", "numbers"), [
    (["1.488,69", "236,48", "-1.000", "12.500"], [1488.69, 236.48, -1000, 12500]),
    (["1,488.69", "236.48", "-1,000", "12,500"], [1488.69, 236.48, -1000, 12500]),
    (["1 488,69", "236,48", "12 500"], [1488.69, 236.48, 12500]),
    (["1'488.69", "12’500", "7"], [1488.69, 12500, 7]),
    (["1\u202f488,69", "1\u00a0000"], [1488.69, 1000]),
    (["1,23,456.78", "12,34,567"], [123456.78, 1234567]),
    (["1.234.567", "12.500"], [1234567, 12500]),
    (["0.500", "12.500"], [0.5, 12.5]), (["1234.500", "12.500"], [1234.5, 12.5]),
    (["0,500", "12,500"], [0.5, 12.5]), (["1,200", "3,400"], [1200, 3400]), (["1.5", "12.500"], [1.5, 12.5]),
    (["7,920円", "￥１，２００", "¥500", "JPY 80"], [7920, 1200, 500, 80]), (["¥1.200", "¥300"], [1200, 300]),
    (["$1,234.50", "-$3", "$-4", "($5.25)"], [1234.5, -3, -4, -5.25]), (["12,50 €", "€ 3"], [12.5, 3]),
    (["CHF 12.-", "CHF 1'200.50"], [12, 1200.5]), (["500", "▲500", "△1,200", "−7", "12-", "(8)"],
     [500, -500, -1200, -7, -12, -8]),
    (["1e3", "2.5E-1", "+5", ".5", "5."], [1000, 0.25, 5, 0.5, 5]), (["12%", "12.5 %"], [0.12, 0.125]),
    (["10 - Extremely likely", "9（とても満足）", "5", "0: never", "８点"], [10, 9, 5, 0, 8]),
    (["3", "-", "N/A", "null", "なし", "", None], [3, None, None, None, None, None, None]),
    (["000123", "12"], [123, 12]),
])  # fmt: skip
def test_numbers_are_read_by_the_evidence_of_their_column(texts, numbers):
    assert read(*texts) == pytest.approx(numbers)


@pytest.mark.parametrize("text", ["12abc", "1,2,3", "1.2.3", "約500", "1 2", "3 people", "2 - 3 people",
                                  "12千円",
                                  "1..2", "--5", "$5 €", "1,,000", "5 % 3", "12:30"])  # fmt: skip
def test_a_text_of_which_only_a_part_is_a_number_is_refused(text):
    assert read("1.5", text)[1] == "refused"


def test_points_that_may_part_thousands_or_decimals_are_refused_with_what_to_write():
    sentence = (
        "cannot ingest source 'shop': '1.000' in its column value may be 1.000 or 1000, and no row of the "
        "column tells which. Say it in kizuna.toml, under the source 'shop': `decimal = \".\"` for 1.000, "
        '`decimal = ","` for 1000.'
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        read("1.000", "12.500")
    assert read("1.000", "12.500", decimal=".") == [1, 12.5]
    assert read("1.000", "12.500", decimal=",") == [1000, 12500]


@pytest.mark.parametrize(("texts", "words"), [
    (["1.488,69", "236.48"], "holds '236.48' and '1.488,69', and no rule reads both"),
    (["$5", "500円"], "mixes currencies, as in '$5' and '500円'"),
    (["12%", "0.5"], "mixes '12%' and '0.5'"),
    (["5 (store A)", "5 (store B)"], "no labels of a scale: 5 is"),
    (["5 - good", "4 - good"], "no labels of a scale"),
])  # fmt: skip
def test_a_column_that_contradicts_itself_is_refused_with_both_texts(texts, words):
    with pytest.raises(DataError, match=re.escape(words)):
        read(*texts)


def test_a_setting_that_the_column_contradicts_is_named():
    with pytest.raises(DataError, match=r"holds '236,48'\. kizuna\.toml says a point before decimals"):
        read("236,48", decimal=".")


def test_words_for_no_value_are_counted():
    tally = ValidationCounts("shop")
    read("3", "-", "-", "なし", tally=tally)
    assert tally.texts.notes("UTC") == (
        "2 rows say '-' in value: no value", "1 rows say 'なし' in value: no value",
    )  # fmt: skip


def test_the_rule_holds_over_files_batches_and_later_ingests(tmp_path):
    def ingest(*values: str) -> Any:
        text = "\n".join(f"c{n};2024-03-01 0{n}:00;{value}" for n, value in enumerate(values))
        (tmp_path / "a.csv").write_text("c;t;v\n" + text)
        query = (
            "select c as customer_id, t as occurred_at, 'purchase' as kind, v as value "
            "from read_csv('a.csv', all_varchar=true)"
        )
        source = Source(name="shop", query=query)
        return store.ingest([source], [], folder=tmp_path, timeline=UTC, now=NOW)[0]

    def total() -> float:
        return math.fsum(value for history in store.histories() for value in history.values.tolist())

    store = EventStore(tmp_path / "state", buckets=2)
    assert ingest("1.488,69", "236,48").quarantined == 0
    assert total() == pytest.approx(1725.17)
    ingest("1.000", "12.500", "7")  # alone it would be ambiguous
    assert total() == pytest.approx(1725.17 + 13507)
    with pytest.raises(DataError, match=r"holds '236\.48'\. What came in before has a comma before decimals"):
        ingest("236.48")


def grouped(number: float, thousands: str, decimal: str) -> str:
    return f"{number:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.integers(-(10**11), 10**11).map(lambda cents: cents / 100), min_size=1, max_size=20),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("", "."), ("", ",")]),
    st.sampled_from(["{}", "¥{}", "{} €", "USD {}", " {} "]),
)
def test_any_number_written_in_a_format_and_read_back_is_equal(numbers, marks, frame):
    assert read(*(frame.format(grouped(number, *marks)) for number in numbers)) == numbers


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e99, max_value=1e99), min_size=1)
)
def test_any_float_as_a_program_writes_it_is_read_back_to_the_bit(numbers):
    known = ValidationCounts("shop", texts=SourceText("shop", decimal="."))
    assert read(*map(repr, numbers), tally=known) == numbers
