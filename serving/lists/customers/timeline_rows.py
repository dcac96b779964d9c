"""Which of a customer's events a timeline shows, in which order, and which are told as one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from features.events.attributes import CONTACT_NOTE
from features.events.history import Flags, History
from features.events.schema import ATTRIBUTE
from features.timeline import Timeline

FOLDED_FROM = 3
"""So many equal events of one day are told as one entry."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TimelineFilter:
    """Narrows a timeline; None leaves a part as it is."""

    indicator: str | None = None
    kind: str | None = None
    channel: str | None = None
    since: str | None = None
    """A date, the first day."""
    until: str | None = None
    """A date, the last day."""

    def in_period(self, instants: NDArray[np.int64], timeline: Timeline) -> NDArray[np.bool_]:
        """bool[n]: which instants lie between both days; raises `UsageError` for what is no date."""
        inside = np.ones(len(instants), np.bool_)
        if self.since:
            inside &= instants >= timeline.instant(self.since)
        if self.until:
            inside &= instants < timeline.midnight_after(timeline.instant(self.until) + 1)
        return inside


@dataclass(frozen=True, eq=False)
class TimelineRows:
    """The entries of a timeline, the newest first, as rows of a history."""

    entries: Rows
    """int64[e]: the event that an entry is known by, of several the newest."""
    members: list[Rows]
    """The events of each entry of the page, newest first."""
    more: bool
    """Whether older entries follow."""


def timeline_rows(
    history: History,
    shown: NDArray[np.bool_],
    alone: NDArray[np.bool_],
    timeline: Timeline,
    cursor: str | None,
    limit: int,
) -> TimelineRows:
    """A page of the events `shown` (bool[n]); those `alone` (bool[n]) are never told as one with others.

    Equal are events of one local day with one kind, channel and place. The cursor names the last entry of the
    page before by instant and event id: events that came in meanwhile move nothing.
    """
    rows = np.flatnonzero(shown)[::-1]
    groups = _groups(history, rows, alone[rows], timeline)
    _, first, place, size = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    folded = size[place] >= FOLDED_FROM
    starts = np.flatnonzero(~folded | (first[place] == np.arange(len(rows))))
    entries = rows[starts]
    begin = 0 if cursor is None else _after(history, entries, cursor)
    page = starts[begin : begin + limit]
    members = [
        rows[np.flatnonzero(place == place[at])] if folded[at] else rows[at : at + 1] for at in page.tolist()
    ]
    return TimelineRows(rows[page], members, begin + limit < len(entries))


def cursor_of(history: History, row: int) -> str:
    """The cursor after the entry that is known by this event."""
    return f"{int(history.instants[row])}.{history.event_ids[row]}"


def _groups(history: History, rows: Rows, alone: NDArray[np.bool_], timeline: Timeline) -> Rows:
    """int64[r]: a number for each row, equal for events that may be told as one."""
    code = np.searchsorted(timeline.midnights, history.instants[rows], side="right").astype(np.int64)
    for codes, names in (
        (history.kinds, history.kind_names),
        (history.channels, history.channel_names),
        (history.places, history.place_names),
    ):
        of_row = codes[rows].astype(np.int64) if len(codes) else np.full(len(rows), -1, np.int64)
        code = code * (len(names) + 1) + of_row + 1
    return np.where(alone, -1 - np.arange(len(rows)), code)


def _after(history: History, entries: Rows, cursor: str) -> int:
    """The place of the first entry that is older than a cursor."""
    text, _, event_id = cursor.partition(".")
    if not text.isdecimal() or len(text) > 18:
        raise UsageError(
            "cannot go on from this cursor: it is not one of a timeline. Leave it out to start again.",
            field="cursor",
        )
    instant = int(text)
    moments = history.instants[entries]
    place = int(np.searchsorted(-moments, -instant, side="left"))
    while (
        place < len(entries) and moments[place] == instant and history.event_ids[entries[place]] >= event_id
    ):
        place += 1
    return place


def told_events(history: History) -> Flags:
    """bool[n]: the events that the timeline tells; what was said about a contact stands beside it."""
    return ~of_names(history.kinds, history.kind_names, (ATTRIBUTE + CONTACT_NOTE,))


def of_names(
    history_codes: NDArray[np.int32], names: tuple[str, ...], wanted: Collection[str]
) -> NDArray[np.bool_]:
    """bool[n]: which events have one of these names in a coded column."""
    chosen = np.array([*(name in wanted for name in names), False], np.bool_)
    return chosen[history_codes] if len(history_codes) else np.zeros(0, np.bool_)
