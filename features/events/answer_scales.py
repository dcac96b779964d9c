"""Scales of survey answers that a project declares: `[[surveys]]`, and answers brought to one scale.

NPS is compared from 0 to 10 and CSAT from 1 to 5, as the report reads them; every other kind on the scale of
its first declaration. Answers off their scale are refused. Without a declaration answers stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.errors import ConfigurationError
from features.timeline import ALWAYS, Timeline

Scale = tuple[int, int]
READ = {"nps": (0, 10), "csat": (1, 5)}
"""The scales on which the report and the playbook read answers."""
_WRITTEN = re.compile(r"\s*(\d{1,4})\s*(?:-|–|—|~|〜|～|\.\.)\s*(\d{1,4})\s*")


class SurveyEntry(BaseModel):
    """`[[surveys]]`: the scale on which the answers of a kind are given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(min_length=1, description="the kind of event whose value is the answer, such as `csat`")
    scale: str = Field(
        description="the worst and the best answer, such as `1-7`; answers outside go to quarantine. NPS is "
        "compared on 0-10, CSAT on 1-5, another kind on the scale of its first entry"
    )
    source: str = Field(
        default="",
        description="the source whose answers are meant; all without an entry of their own if empty",
    )
    since: date | None = Field(
        default=None, description="the first day of this scale; an entry without it holds until then"
    )

    @field_validator("scale")
    @classmethod
    def _two_answers(cls, text: str) -> str:
        written = _WRITTEN.fullmatch(text)
        if written is None or int(written[1]) >= int(written[2]):
            raise ValueError('write the worst and the best answer, as in "1-7"')
        return f"{int(written[1])}-{int(written[2])}"

    @model_validator(mode="after")
    def _nps_is_one_question(self) -> SurveyEntry:
        if self.kind == "nps" and self.ends != READ["nps"]:
            raise ValueError(
                "promoters and detractors are told apart from 0 to 10 alone, so that `nps` has no other "
                "scale. Give these answers another kind in the query, such as `'csat' as kind`, and declare "
                "its scale"
            )
        return self

    @property
    def ends(self) -> Scale:
        """The worst and the best answer."""
        low, high = self.scale.split("-")
        return int(low), int(high)


@dataclass(frozen=True)
class DeclaredScale:
    """The scale of a kind of a source from an instant on, and the one to which its answers are brought."""

    kind: str
    since: int
    scale: Scale
    target: Scale


@dataclass(frozen=True)
class SurveyScales:
    """The declared scales of a project."""

    entries: tuple[SurveyEntry, ...] = ()
    timezone: str = "UTC"

    @staticmethod
    def of(entries: Sequence[SurveyEntry], timezone: str, sources: Sequence[str]) -> SurveyScales:
        """Raises `ConfigurationError` where an entry repeats another or names a source that is not there."""
        seen: dict[tuple[str, str, date | None], int] = {}
        for place, entry in enumerate(entries, start=1):
            if entry.source and entry.source not in sources:
                raise ConfigurationError(
                    f'`surveys[{place}].source` is "{entry.source}", but there is no such source. '
                    f"The sources are {', '.join(sources) or 'none'}.",
                    field=f"surveys[{place}].source",
                )
            earlier = seen.setdefault((entry.kind, entry.source, entry.since), place)
            if earlier != place:
                raise ConfigurationError(
                    f"`surveys[{place}]` says the scale of '{entry.kind}' that `surveys[{earlier}]` says "
                    "already. Give one of them a `source` or the day `since` which it holds, or remove it.",
                    field=f"surveys[{place}]",
                )
        return SurveyScales(tuple(entries), timezone)

    def of_source(self, source: str) -> tuple[DeclaredScale, ...]:
        """The scales of a source, those of a kind in the order of time."""
        timeline, found = Timeline(self.timezone), []
        for kind in dict.fromkeys(entry.kind for entry in self.entries):
            of_kind = [entry for entry in self.entries if entry.kind == kind]
            own = [entry for entry in of_kind if entry.source == source]
            target = READ.get(kind, of_kind[0].ends)
            for entry in own or [entry for entry in of_kind if not entry.source]:
                since = ALWAYS if entry.since is None else timeline.instant(entry.since)
                found.append(DeclaredScale(kind, since, entry.ends, target))
        return tuple(sorted(found, key=lambda one: (one.kind, one.since)))

    def covers(self, kind: str, source: str) -> bool:
        """Whether the answers of a kind of a source have a declared scale."""
        return any(one.kind == kind for one in self.of_source(source))


UNDECLARED = SurveyScales()
"""No scale is declared."""


def scale_words(scale: Scale) -> str:
    """A scale as people write it: `1–5`."""
    return f"{scale[0]}–{scale[1]}"


def scale_name(scale: Scale) -> str:
    """A scale as kizuna.toml writes it: `1-5`."""
    return f"{scale[0]}-{scale[1]}"


def declaration(kind: str, scale: Scale, source: str = "", since: str = "") -> str:
    """The lines of kizuna.toml that declare a scale."""
    lines = ["[[surveys]]", f'kind = "{kind}"', f'scale = "{scale_name(scale)}"']
    lines += [f'source = "{source}"'] if source else []
    return "\n".join([*lines, *([f'since = "{since}"'] if since else [])])


def answers_by_scale(
    kinds: pa.Array, occurred: NDArray[np.int64], scales: Sequence[DeclaredScale]
) -> Iterator[tuple[DeclaredScale, NDArray[np.bool_]]]:
    """Each declared scale that rows are on, with the mask of these rows."""
    for place, one in enumerate(scales):
        mine = pc.equal(kinds, one.kind).fill_null(False).to_numpy(zero_copy_only=False)
        mine = mine & (occurred >= one.since)
        later = scales[place + 1] if place + 1 < len(scales) else None
        if later is not None and later.kind == one.kind:
            mine &= occurred < later.since
        if mine.any():
            yield one, mine


def off_scale(values: NDArray[np.float64], scale: Scale) -> NDArray[np.bool_]:
    """bool[n]: which answers are outside a scale; none where there is no answer (NaN)."""
    return (values < scale[0]) | (values > scale[1])


def rescaled(values: NDArray[np.float64], one: DeclaredScale) -> NDArray[np.float64]:
    """float64[n]: answers brought to the scale of comparison, worst to worst and best to best."""
    if one.scale == one.target:
        return values
    (low, high), (least, most) = one.scale, one.target
    return least + (values - low) * (most - least) / (high - low)
