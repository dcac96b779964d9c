"""Identifiers that somebody may have meant: other spellings of one that is not known."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from features.storage.customer_ids import Customers

LONGEST = 20
"""Digits up to which leading zeros are tried."""


def similar_ids(customers: Customers, customer_id: str) -> list[str]:
    """The known identifiers that differ in leading zeros, width, case, blanks or a `.0` alone."""
    spellings = [one for one in dict.fromkeys(_spellings(customer_id)) if one and one != customer_id]
    keys = customers.keys(pa.array(spellings, pa.large_string()))
    return [spellings[place] for place in np.flatnonzero(keys >= 0).tolist()]


def _spellings(customer_id: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKC", customer_id).strip()
    if plain.removesuffix(".0").isdecimal():
        plain = plain.removesuffix(".0")
        digits = plain.lstrip("0") or "0"
        yield plain
        yield from (digits.zfill(width) for width in range(len(digits), max(LONGEST, len(digits)) + 1))
        return
    yield from (plain, plain.lower(), plain.upper(), plain.replace(" ", ""))
