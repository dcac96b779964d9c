"""A table of an experiment that was run elsewhere, one row a customer, read from a Parquet or CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.errors import DataError, UsageError

EACH_ROW = "row"
"""In the place of a customer column: each row is a customer."""
LEVELS = 30
"""A text covariate with more different values is refused."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExperimentTable:
    """The customers of an experiment with their arms, outcomes and covariates."""

    arms: dict[str, NDArray[np.bool_]]
    """Who is in each arm, by its name."""
    outcomes: dict[str, Floats]
    """NaN where not known."""
    covariates: dict[str, Floats]
    """NaN where not known. A text becomes a column of 0 and 1 for each value but the most frequent."""
    features: pa.Table
    """The columns that uplift models may read, as they are in the file."""


def read_experiment(
    file: Path,
    *,
    customer: str,
    arm: str,
    outcomes: Sequence[str],
    covariates: Sequence[str] = (),
    features: Sequence[str] = (),
) -> ExperimentTable:
    """Read the columns of an experiment from a file that ends in .parquet or .csv.

    `customer` names the column of customers, or is `row` where each row is one. Raises `UsageError` for
    columns that are not there and `DataError` for a table that cannot be used: a customer twice, a row
    without an arm, an outcome that is not numeric.
    """
    table = _read(file, {customer, arm})
    by_row = customer == EACH_ROW and EACH_ROW not in table.column_names
    for option, names in (
        ("--customer", () if by_row else (customer,)),
        ("--arm", (arm,)),
        ("--outcome", outcomes),
        ("--covariate", covariates),
        ("--feature", features),
    ):
        for name in names:
            _require(table, file, option, name)
    if not table.num_rows:
        raise DataError(f"cannot load {file}: it has no rows. Give a table with one row a customer.")
    if not by_row:
        _refuse_repeats(table.column(customer), file, customer)
    return ExperimentTable(
        _arms(table.column(arm), file, arm),
        {name: _numbers(table.column(name), file, "outcome", name) for name in outcomes},
        {
            label: values
            for name in covariates
            for label, values in _covariate(table.column(name), file, name)
        },
        table.select(list(features)),
    )


def _read(file: Path, as_text: set[str]) -> pa.Table:
    """The whole table; the columns `as_text` of a CSV file keep their characters, 007 too."""
    ending = file.suffix.lower()
    if ending not in (".parquet", ".csv"):
        raise UsageError(
            f"cannot load {file}: its name ends neither in .parquet nor in .csv. "
            "Give a file of one of the two."
        )
    if not file.is_file():
        raise UsageError(f"cannot load {file}: there is no such file. Check the path.")
    try:
        if ending == ".parquet":
            return pq.read_table(file)
        types = pacsv.ConvertOptions(column_types=dict.fromkeys(as_text, pa.string()))
        return pacsv.read_csv(file, convert_options=types)
    except (pa.ArrowInvalid, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"cannot load {file}: it cannot be read as {ending[1:]} ({reason}). "
            "Write it anew, a CSV file in UTF-8."
        ) from error


def _require(table: pa.Table, file: Path, option: str, name: str) -> None:
    count = table.column_names.count(name)
    if count > 1:
        raise DataError(f"cannot load {file}: it has {count} columns '{name}'. Rename one of them.")
    if not count:
        columns = ", ".join(f"'{column}'" for column in table.column_names)
        raise UsageError(
            f"cannot load {file}: {option} names the column '{name}', which it does not have. "
            f"Its columns are {columns}."
        )


def _refuse_repeats(customers: pa.ChunkedArray, file: Path, name: str) -> None:
    if customers.null_count:
        raise DataError(
            f"cannot load {file}: {customers.null_count} rows have no customer in '{name}'. "
            "Fill it, or give --customer row where each row is a customer."
        )
    counts = pc.value_counts(customers)
    most = pc.max(counts.field("counts")).as_py()
    if most > 1:
        repeated = pc.sum(pc.greater(counts.field("counts"), 1)).as_py()
        raise DataError(
            f"cannot load {file}: {repeated} customers of '{name}' have several rows, one of them {most}. "
            "Give one row a customer: a customer who counts twice makes the intervals too narrow."
        )


def _arms(column: pa.ChunkedArray, file: Path, name: str) -> dict[str, NDArray[np.bool_]]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    names = pc.utf8_trim_whitespace(column.cast(pa.string()))
    absent = pc.sum(pc.fill_null(pc.equal(names, ""), True)).as_py()
    if absent:
        raise DataError(
            f"cannot load {file}: {absent} rows have no arm in '{name}'. Leave them out, or write their arm."
        )
    codes = names.combine_chunks().dictionary_encode()
    places = codes.indices.to_numpy(zero_copy_only=False)
    return {
        arm: places == place for place, arm in sorted(enumerate(codes.dictionary.to_pylist()), key=_second)
    }


def _second(pair: tuple[int, str]) -> str:
    return pair[1]


def _covariate(column: pa.ChunkedArray, file: Path, name: str) -> list[tuple[str, Floats]]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return [(name, _numbers(column, file, "covariate", name))]
    counts = sorted(
        pc.value_counts(column.drop_null()).to_pylist(), key=lambda one: (-one["counts"], one["values"])
    )
    if len(counts) > LEVELS:
        raise DataError(
            f"cannot load {file}: the covariate '{name}' has {len(counts)} different texts, and {LEVELS} can "
            "be used. Leave it out, or group its values."
        )
    texts = np.asarray(column.to_pylist(), dtype=object)
    columns = [
        (f"{name} = {one['values']}", (texts == one["values"]).astype(np.float64)) for one in counts[1:]
    ]
    missing = np.array([text is None for text in texts])
    return columns + ([(f"{name} is missing", missing.astype(np.float64))] if missing.any() else [])


def _numbers(column: pa.ChunkedArray, file: Path, role: str, name: str) -> Floats:
    """A column of numbers, or of yes and no, as floats; NaN where there is none."""
    kind = column.type
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    ):
        example = column.drop_null()[0].as_py()
        raise DataError(
            f"cannot load {file}: the {role} '{name}' is not numeric, as '{example}' shows. "
            "Give numbers, or 1 for yes and 0 for no."
        )
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    values = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    if np.isinf(values).any():
        raise DataError(f"cannot load {file}: the {role} '{name}' is infinite in some rows. Correct them.")
    return values
