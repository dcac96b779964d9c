"""What a caller of the API asks of the list: the filters, and how many customers in which form."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from serving.lists.filters import ListFilter
from serving.schemas.requests import MOST_CUSTOMERS, Language


class AtRiskRequest(ListFilter):
    """What is wanted of the list."""

    limit: int | None = Field(
        default=None, ge=1, le=MOST_CUSTOMERS, description="how many customers; the capacity, when absent"
    )
    language: Language | None = Field(default=None, description="the language of the reasons")


class AtRiskPageRequest(AtRiskRequest):
    """What is wanted of the list, a page at a time."""

    cursor: Annotated[str, Field(max_length=1_000)] | None = Field(
        default=None,
        description="`next_cursor` of the page before, with the same filters; it goes on in the same scores, "
        "whatever was scored since",
    )


class WholeListRequest(AtRiskRequest):
    """What is wanted of the list as a file: all of it unless a limit is given."""

    model_config = ConfigDict(strict=False)  # an address holds texts only

    limit: int | None = Field(default=None, ge=1, description="how many customers; everyone, when absent")
    columns: Annotated[str, Field(max_length=100)] | None = Field(
        default=None,
        description="the columns of another system: salesforce, hubspot, or a map of kizuna.toml",
    )


class AddressFilter(ListFilter):
    """The filters of the list as an address or a form holds them: as texts."""

    model_config = ConfigDict(strict=False)
