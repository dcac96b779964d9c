"""The filters of the list in the query of an address, read and written: `?tiers=loyal&segment.plan=gold`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_origin
from urllib.parse import parse_qsl, urlencode

from pydantic import ValidationError

from serving.lists.filters import DEFAULTS, ListFilter
from serving.lists.list_requests import AddressFilter, WholeListRequest
from serving.schemas.problems import invalid_request

REPEATED = frozenset(
    name for name, field in ListFilter.model_fields.items() if get_origin(field.annotation) is tuple
)
"""Filters that may stand several times in an address."""
SEGMENT = "segment."
"""What the name of an attribute's filter begins with."""

Pairs = Iterable[tuple[str, str]]


def list_request(query: str) -> WholeListRequest:
    """The filters in an address; one of several values is repeated, a segment is `segment.NAME=VALUE`."""
    try:
        return WholeListRequest.model_validate(_fields(parse_qsl(query, keep_blank_values=True)))
    except ValidationError as error:
        raise invalid_request(error, WholeListRequest) from None


def list_filter(pairs: Pairs) -> ListFilter:
    """The filter among the fields of a form; empty fields and those that are no filters count for nothing.

    Raises `UsageError` for a value that a filter cannot have.
    """
    given = [(name, value) for name, value in pairs if value and is_filter(name)]
    try:
        return AddressFilter.model_validate(_fields(given)).alone()
    except ValidationError as error:
        raise invalid_request(error, AddressFilter) from None


def is_filter(name: str) -> bool:
    """Whether a name in an address is that of a filter."""
    return name in ListFilter.model_fields or name.startswith(SEGMENT)


def filter_pairs(choice: ListFilter) -> list[tuple[str, str]]:
    """A filter as names and values of an address; those that filter nothing are left out."""
    pairs: list[tuple[str, str]] = []
    for name in ListFilter.model_fields:
        value = getattr(choice, name)
        if value == DEFAULTS[name]:
            continue
        if isinstance(value, Mapping):
            pairs += [(SEGMENT + one, text) for one, texts in value.items() for text in texts]
        elif isinstance(value, tuple):
            pairs += [(name, text) for text in value]
        else:
            pairs.append((name, str(value).removesuffix(".0")))
    return pairs


def filter_query(choice: ListFilter, *others: tuple[str, str]) -> str:
    """The query of an address with a filter, as `list_filter` and `list_request` read it."""
    return urlencode([*filter_pairs(choice), *others])


def _fields(pairs: Pairs) -> dict[str, str | list[str] | dict[str, list[str]]]:
    """The fields of a request by their names in an address."""
    single: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    segment: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in REPEATED:
            repeated.setdefault(name, []).append(value)
        elif name.startswith(SEGMENT):
            segment.setdefault(name.removeprefix(SEGMENT), []).append(value)
        else:
            single |= {name: value}
    return {**single, **repeated, **({"segment": segment} if segment else {})}
