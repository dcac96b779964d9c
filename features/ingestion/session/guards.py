"""Guards against sources that would double or lose their events, and the options that overrule them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from features.errors import shell_word
from features.events.answer_scales import UNDECLARED, DeclaredScale, SurveyScales
from features.events.consent import BY_NAME, ConsentRules
from features.ingestion.identity.presence import Presence
from features.ingestion.merging.bucket_tasks import BucketSender
from features.ingestion.sources import Attribute, Source, says_period
from features.timeline import Timeline

MOST_QUARANTINED = 0.01
"""The largest share of a source's amount that may go to quarantine unasked: figures beyond it are biased."""
MOST_GONE = 0.05
"""The largest share of a complete source's events that may vanish at once."""


@dataclass(frozen=True)
class IngestOptions:
    """What an ingest is told about single sources, by their names."""

    replace: frozenset[str] = frozenset()
    """Their old rows are taken out, and they are read anew."""
    keep: frozenset[str] = frozenset()
    """Their old rows stay although a changed query brings others."""
    accept_removal: frozenset[str] = frozenset()
    """As many rows as are gone may be taken out."""
    accept_quarantine: frozenset[str] = frozenset()
    """As much of the amount as is refused may go to quarantine."""


NO_OPTIONS = IngestOptions()


@dataclass(frozen=True)
class IngestSettings:
    """What the project's settings and the command's options say of an ingest."""

    options: IngestOptions = NO_OPTIONS
    shared: Sequence[str] = ()
    """Sources that share their event ids."""
    consent: ConsentRules = BY_NAME
    scales: SurveyScales = UNDECLARED
    units: Mapping[str, str] = field(default_factory=dict)
    """By kind of recurring amounts the period that they are brought to."""
    sender: BucketSender | None = None
    """Where other processes read and write the files of the buckets."""


DEFAULTS = IngestSettings()


def query_fingerprint(
    source: Source | Attribute,
    timeline: Timeline,
    scales: Sequence[DeclaredScale] = (),
    units: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """What decides how a source's rows are read, as a short text; `units` are of recurring amounts."""
    said = (source.connection, source.date_order, source.decimal)
    parts = (" ".join(source.query.split()), str(timeline.timezone), *(part or "" for part in said))
    parts += (repr(scales),) if scales else ()
    if says_period(source):
        per = source.per if isinstance(source, Source) else None
        parts += (per or "", *(f"{kind} {unit}" for kind, unit in sorted(units.items())))
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def doubled(name: str, there: Presence) -> str:
    """Why a source is not stored whose changed query would count its events twice."""
    fresh = f"{there.fresh_inside:,} rows"
    return (
        f"source '{name}' was not stored: its query changed since its last ingest, {fresh} "
        f"come under new event ids, and {there.gone_inside:,} of the {there.stored:,} events that it brought "
        f"before are not among its rows, so that both would count. "
        f"`kizuna ingest --replace {shell_word(name)}` takes the old ones out, "
        f"`kizuna ingest --keep {shell_word(name)}` keeps both."
    )


def renamed(name: str, other: str, again: int) -> str:
    """Why a new source is not stored that brings the events of one that is not configured any more."""
    return (
        f"source '{name}' was not stored: it is new, and {again:,} of its event ids are those of source "
        f"'{other}', which kizuna.toml does not name any more, so that both would count. If it was renamed, "
        f"`kizuna ingest --replace {shell_word(other)}` takes its old events out; "
        f"`kizuna ingest --keep {shell_word(name)}` keeps both."
    )


def too_many_gone(name: str, gone: int, stored: int) -> str:
    """Why a complete source is not stored that lacks too many of its events."""
    return (
        f"source '{name}' was not stored: {gone:,} of its {stored:,} events are not in it any more, more "
        f"than {MOST_GONE:.0%}. Check that it is read whole; if these rows are to be taken out, run "
        f"`kizuna ingest --accept-removal {shell_word(name)}`."
    )


def too_much_quarantined(name: str, share: float, reasons: Mapping[str, int]) -> str:
    """Why a source is not stored of whose amount too much would go to quarantine."""
    most = max(reasons, key=lambda reason: reasons[reason])
    return (
        f"source '{name}' was not stored: {share:.1%} of its amount would go to quarantine, more than "
        f"{MOST_QUARANTINED:.0%} ({sum(reasons.values()):,} rows; most for: {most}). Correct these rows or "
        f"the query; if they are to be left out, run `kizuna ingest --accept-quarantine {shell_word(name)}`."
    )
