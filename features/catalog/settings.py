"""The settings `[features]` of `kizuna.toml`: windows, and features added and dropped."""

from __future__ import annotations

import re
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.catalog.aggregates import AGGREGATES
from features.spelling import nearest_word

Operation = Literal["ratio", "difference", "trend", "share"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
LONGEST = 36_500
"""Days of the longest window: a hundred years."""


_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


class GivenName(BaseModel):
    """The name that people read in the place of one in the data: `{ english = "…", japanese = "…" }`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    english: str | None = Field(None, min_length=1, description="the name that people read, in English")
    japanese: str | None = Field(None, min_length=1, description="the name that people read, in Japanese")

    @model_validator(mode="before")
    @classmethod
    def _is_table(cls, value: object) -> object:
        if not isinstance(value, dict | GivenName) or not value:
            raise ValueError('write a name in one or both languages: `{ english = "…", japanese = "…" }`')
        return value

    def over(self, name: str) -> tuple[str, str]:
        """The name in English and Japanese, where it is not given the one in the data."""
        return self.english or name, self.japanese or name


class StreamEntry(BaseModel):
    """`features.add[].stream`: which events a feature is made of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    indicator: str = Field("", description="the indicator whose events count")
    kinds: tuple[str, ...] = Field((), description="of its kinds only these; all when absent")
    channels: tuple[str, ...] = Field((), description="only events on these channels")
    places: tuple[str, ...] = Field((), description="only events at these places")
    details: tuple[str, ...] = Field((), description="only events with these details")


class FeatureEntry(BaseModel):
    """`[[features.add]]`: one feature, made of events or of two other features."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="the name of its column; one that is there is replaced")
    stream: StreamEntry = Field(default_factory=lambda: StreamEntry.model_validate({}))
    aggregate: str = Field(
        "",
        description='how a number is made of the events (docs/features.md); "share": of the indicator',
    )
    days: int | None = Field(
        None, ge=1, le=LONGEST, description="the window in days; whole history when absent"
    )
    operation: Operation | None = Field(None, description="how a number is made of two other features")
    first: str = Field("", description="the first of those two features")
    second: str = Field("", description="the second of those two features")
    english: str = Field("", description="what it is, in English; made from the entry when absent")
    japanese: str = Field("", description="what it is, in Japanese; made from the entry when absent")

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _PLAIN.fullmatch(name):
            plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
            hint = f', as in "{plain}"' if _PLAIN.fullmatch(plain) else ""
            raise ValueError(
                f'"{name}" is no name of a column: write small letters, digits and _ without blanks, a '
                f"letter first{hint}. What people read goes into `english` and `japanese`"
            )
        return name

    @field_validator("operation", mode="before")
    @classmethod
    def _is_operation(cls, operation: object) -> object:
        if operation is None or operation in OPERATIONS:
            return operation
        if operation in AGGREGATES:
            raise ValueError(
                f'"{operation}" makes a number of events: write `aggregate = "{operation}"` with a stream. '
                f"The operations make one of two other features; there are {', '.join(OPERATIONS)}"
            )
        near = nearest_word(str(operation), OPERATIONS)
        hint = f', did you mean "{near}"?' if near else "."
        raise ValueError(f'there is no operation "{operation}"{hint} There are {", ".join(OPERATIONS)}')

    @model_validator(mode="after")
    def _one_way(self) -> FeatureEntry:
        if self.operation is None:
            self._made_of_events()
        elif self.aggregate or self.stream.model_fields_set or self.days:
            raise ValueError(
                "it is made of two features or of events: write either operation, first and second, "
                "or stream, aggregate and days"
            )
        elif not (self.first and self.second):
            raise ValueError(f"a {self.operation} is made of two features: write first and second")
        return self

    def _made_of_events(self) -> None:
        if self.first or self.second:
            raise ValueError('two features need an operation: write operation = "ratio"')
        if not self.aggregate:
            raise ValueError("it says no aggregate: write one of docs/features.md, or an operation")
        if self.aggregate in OPERATIONS and self.aggregate != "share":
            raise ValueError(
                f'"{self.aggregate}" makes a number of two other features: write `operation = '
                f'"{self.aggregate}"`, first and second'
            )
        if self.aggregate not in (*AGGREGATES, "share"):
            known = [*AGGREGATES, "share"]
            near = nearest_word(self.aggregate, known)
            hint = f', did you mean "{near}"?' if near else "."
            raise ValueError(f'there is no aggregate "{self.aggregate}"{hint} There are {", ".join(known)}')
        span = "any" if self.aggregate == "share" else AGGREGATES[self.aggregate].span
        if span == "date":
            if self.days or self.stream.model_fields_set:
                raise ValueError(f"{self.aggregate} reads the as-of date alone: leave out stream and days")
        elif not self.stream.indicator:
            raise ValueError('it says no events: write stream = { indicator = "purchase" }')
        elif span == "history" and self.days:
            raise ValueError(f"{self.aggregate} is always of whole history: leave out days")
        elif span == "ahead" and not self.days:
            raise ValueError(f"{self.aggregate} looks ahead: write how many days")
        elif span == "fading" and not self.days:
            raise ValueError(f"{self.aggregate} lets events fade: write over how many days")


class FeatureSettings(BaseModel):
    """`[features]`: the windows over which events are counted, and which features there are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: tuple[int, ...] = Field(
        (7, 14, 30, 60, 90, 180, 365), min_length=1, description="window lengths in days"
    )
    calendar: bool = Field(
        default=False, description="whether month, day and weekday of the as-of date are features"
    )
    drop: tuple[str, ...] = Field(
        (), description="names of default features to leave out; * stands for any characters"
    )
    add: tuple[FeatureEntry, ...] = Field((), description="features besides the default ones")

    @field_validator("windows")
    @classmethod
    def _ascending(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        if any(days < 1 or days > LONGEST for days in windows):
            raise ValueError(f"a window is between 1 and {LONGEST} days")
        return tuple(sorted(set(windows)))

    @field_validator("add")
    @classmethod
    def _named_apart(cls, entries: tuple[FeatureEntry, ...]) -> tuple[FeatureEntry, ...]:
        names = [entry.name for entry in entries]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise ValueError(f'two entries have the name "{name}": give each a name of its own')
        return entries
