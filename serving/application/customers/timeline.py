"""One timeline of all channels: what a customer did, said and was sent, the newest first."""

from __future__ import annotations

from collections import Counter

import numpy as np

from features.errors import UsageError
from features.events.history import Flags
from features.events.schema import ATTRIBUTE
from serving.actions.contact_notes import is_noted
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.customers.known_customer import KnownCustomer
from serving.lists.customers.timeline_rows import (
    TimelineFilter,
    cursor_of,
    of_names,
    timeline_rows,
    told_events,
)
from serving.presentation.customer_timeline import EventWords
from serving.schemas.customer_responses import TimelineChoice, TimelinePage

PAGE, MOST = 40, 200
"""Entries of a page as a rule, and at most."""
EVERYTHING = TimelineFilter()


@use_case("read_customer")
def customer_timeline(
    workspace: Workspace,
    actor: Actor,
    customer_id: str,
    choice: TimelineFilter = EVERYTHING,
    language: str | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> TimelinePage:
    """A page of everything that is known now about one customer, as of no as-of date.

    Events that were taken back, by a source or by hand, are not shown. Raises `UnknownCustomer`, and
    `UsageError` for a cursor or a date that is none.
    """
    if not 1 <= limit <= MOST:
        raise UsageError(f"cannot show {limit} entries: from 1 to {MOST} are possible.", field="limit")
    found = workspace.customer(customer_id)
    project, history = workspace.project, found.history
    workspace.record_access(actor.name, "timeline", np.array([found.key], np.int64))
    words = EventWords(
        history,
        project.indicators,
        project.words,
        workspace.language(language),
        "contact" in actor.permissions,
        "read_text" in actor.permissions,
    )
    everything = told_events(history)
    shown = everything & choice.in_period(history.instants, project.timeline)
    if choice.indicator:
        kinds = [kind for kind in history.kind_names if words.indicator_of(kind) == choice.indicator]
        shown &= of_names(history.kinds, history.kind_names, kinds)
    if choice.kind:
        shown &= of_names(history.kinds, history.kind_names, (choice.kind,))
    if choice.channel:
        channels = of_names(history.channels, history.channel_names, (choice.channel,))
        shown &= channels if len(channels) else False
    rows = timeline_rows(history, shown, _alone(found), project.timeline, cursor, limit)
    return TimelinePage(
        found.customer_id,
        words.entries(rows.entries, rows.members),
        cursor_of(history, int(rows.entries[-1])) if rows.more else None,
        int(shown.sum()),
        int(everything.sum()),
        *_choices(found, words, everything),
    )


def _alone(found: KnownCustomer) -> Flags:
    """bool[n]: events that are told one by one: of the profile, and those that can be taken back."""
    history = found.history
    alone = of_names(
        history.kinds, history.kind_names, [k for k in history.kind_names if k.startswith(ATTRIBUTE)]
    )
    noted = [is_noted(str(one)) for one in history.event_ids]
    return alone | np.array(noted, np.bool_)


def _choices(
    found: KnownCustomer, words: EventWords, among: Flags
) -> tuple[tuple[TimelineChoice, ...], tuple[TimelineChoice, ...], tuple[TimelineChoice, ...]]:
    """By indicator, kind and channel how many events there are, the most frequent first."""
    history = found.history
    counts = np.bincount(history.kinds[among], minlength=len(history.kind_names)).tolist()
    kinds = {name: n for name, n in zip(history.kind_names, counts, strict=True) if n}
    indicators: Counter[str] = Counter()
    for kind, n in kinds.items():
        indicators[words.indicator_of(kind)] += n
    channels: dict[str, int] = {}
    if len(history.channels):
        codes = history.channels[among]
        of_channel = np.bincount(codes[codes >= 0], minlength=len(history.channel_names)).tolist()
        channels = {name: n for name, n in zip(history.channel_names, of_channel, strict=True) if n}
    return (
        tuple(TimelineChoice(name, words.indicator(name), n) for name, n in indicators.most_common()),
        _sorted([TimelineChoice(name, words.title(name), n) for name, n in kinds.items()]),
        _sorted([TimelineChoice(name, words.channel(name), n) for name, n in channels.items()]),
    )


def _sorted(choices: list[TimelineChoice]) -> tuple[TimelineChoice, ...]:
    return tuple(sorted(choices, key=lambda one: (-one.events, one.name)))
