"""Scales of survey answers (0–10, 1–10, 1–7, 1–5), recognised from the answers.

Findings: a scale that changes on a day, one that differs by source, channel or touchpoint, and one that the
measures of the report do not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.profiling.bucket_events import BucketEvents, Ints
from features.profiling.finding import CheckFinding
from features.timeline import Timeline

HIGHEST = 10
BINS, OTHER = HIGHEST + 2, HIGHEST + 1
"""Whole answers from 0 to 10, and all others."""
FEW = 30
"""Fewer answers than this show no scale."""
STRAY = 0.01
"""So many answers at most lie off their scale by mistake."""
NEAR_TOP = 0.1
"""So many answers at least are the best or second best: else low answers to a longer scale look the same."""
MOST_NAMES = 100
READ = {"nps": (0, 10), "csat": (1, 5)}
"""The scales that the report and the playbook take for granted."""
COLUMNS = {
    "source": ("source", "ソース"),
    "channel": ("channel", "チャネル"),
    "detail": ("touchpoint", "接点"),
}
DIGITS = "translate(cast(value as varchar), '０１２３４５６７８９', '0123456789')"
NUMBER = f"try_cast(regexp_extract({DIGITS}, '[0-9]+') as double)"
"""The answer in SQL, also where its label stands beside it."""

REPLACED = "select * replace ({}) from ( … )"
AS_LIKELY = 3.0
"""Logarithm of likelihood: with few answers a day several days explain them about as well."""

Scale = tuple[int, int]


@dataclass
class AnswerCounts:
    """How often each answer of one kind was given, by day and source, and by channel and touchpoint."""

    by_source: dict[str, Ints] = field(default_factory=dict)
    """int64[days, BINS] of each source."""
    groups: dict[tuple[str, str], Ints] = field(default_factory=dict)
    """(column, text) → int64[BINS]."""

    def merge(self, other: AnswerCounts) -> None:
        """Add the counts of later buckets."""
        for source, days in other.by_source.items():
            self.by_source[source] = self.by_source.get(source, 0) + days
        for name, counts in other.groups.items():
            self.groups[name] = self.groups.get(name, 0) + counts


def count_answers(bucket: BucketEvents, counts: dict[str, AnswerCounts]) -> None:
    """Add the answers of a bucket to the counts of each kind of survey."""
    names = bucket.history.kind_names
    surveys = {kind for one in bucket.indicators if one.attitude for kind in one.kinds}
    answers = np.flatnonzero(bucket.of_kinds([name in surveys for name in names]) & ~np.isnan(bucket.values))
    if not len(answers):
        return
    values, kinds, day = bucket.values[answers], bucket.kinds[answers], bucket.day[answers]
    whole = (values >= 0) & (values <= HIGHEST) & (values == np.floor(values))
    bins = np.where(whole, values, OTHER).astype(np.int64)
    history = bucket.history
    texts = {
        "source": (bucket.codes("sources"), history.source_names),
        "channel": (bucket.codes("channels"), history.channel_names),
        "detail": (bucket.codes("details"), history.detail_names),
    }
    for kind in np.unique(kinds).tolist():
        mine, held = np.flatnonzero(kinds == kind), counts.setdefault(names[kind], AnswerCounts())
        found = AnswerCounts()
        for column, (codes, known) in texts.items():
            of = codes[answers[mine]] if len(codes) else np.full(len(mine), -1, np.int32)
            used = np.unique(of).tolist()
            if len(used) > MOST_NAMES:
                continue
            for code in used:
                some, text = mine[of == code], known[code] if code >= 0 else ""
                found.groups[column, text] = np.bincount(bins[some], minlength=BINS)
                if column == "source":
                    table = np.bincount(day[some] * BINS + bins[some], minlength=bucket.days * BINS)
                    found.by_source[text] = table.reshape(-1, BINS)
        held.merge(found)


def best_answers(counts: Ints) -> Ints:
    """int64[k]: the best answer of the scale (5, 7 or 10) of each row of counts, int64[k, BINS]; 0 where they
    show none."""
    total = np.maximum(counts.sum(axis=1), 1)
    found = np.zeros(len(counts), dtype=np.int64)
    for best in (10, 7, 5):
        fits = counts[:, best + 1 :].sum(axis=1) <= STRAY * total
        near = counts[:, best - 1 : best + 1].sum(axis=1) >= NEAR_TOP * total
        from_one = (counts[:, 0] <= STRAY * total) | (best == HIGHEST)
        found = np.where(fits, np.where(near & from_one, best, 0), found)
    return np.where(total >= FEW, found, 0)


def scale_findings(
    answers: dict[str, AnswerCounts], timeline: Timeline, first_day: int
) -> Iterator[CheckFinding]:
    """What is odd about the scales of every kind of survey, with a remedy."""
    for kind, counts in answers.items():
        steps = list(_changes(kind, counts, timeline, first_day))
        yield from steps or _differences(kind, counts)


def _changes(kind: str, counts: AnswerCounts, timeline: Timeline, first_day: int) -> Iterator[CheckFinding]:
    """The day from which on the answers of a source are on another scale."""
    for source, days in sorted(counts.by_source.items()):
        place = _step(days, timeline, first_day)
        if place is None:
            continue
        before, after = (_scale(kind, part.sum(axis=0)) for part in (days[:place], days[place:]))
        day = timeline.local(int(timeline.midnights[first_day + place])).date().isoformat()
        target = before if READ.get(kind, after) == before else after
        which, part = ("later", ">=") if target == before else ("earlier", "<")
        query = _remedy(kind, after if target == before else before, target, f"occurred_at {part} '{day}'")
        again = f"kizuna ingest --replace {source}"
        ja_which = {"later": f"{day}以降", "earlier": f"{day}より前"}[which]
        yield CheckFinding(
            "survey_scale_changes",
            f"The answers of '{kind}' in '{source}' are on a scale of {_words(before)} before {day} and of "
            f"{_words(after)} from then on, and are counted as if on one. Bring the {which} ones to "
            f"{_words(target)} around the query: `{query}`; then run `{again}`.",
            f"「{source}」の「{kind}」の回答は{day}より前が{_words(before)}、以降が{_words(after)}の尺度で、同じ"
            f"尺度として集計されています。クエリを `{query}` で囲んで{ja_which}を{_words(target)}にそろえ、"
            f"`{again}` を実行してください。",
            {"kind": kind, "source": source, "day": day, "before": _name(before), "after": _name(after)},
        )


def _step(days: Ints, timeline: Timeline, first_day: int) -> int | None:
    """The place of the first day of another scale: where two parts explain the answers best.

    Of days that explain them about as well the first of a month is taken.
    """
    places = np.flatnonzero(days.any(axis=1))[1:]
    so_far = np.cumsum(days, axis=0)
    before = so_far[places - 1]
    after = so_far[-1] - before
    one, other = best_answers(before), best_answers(after)
    fits = (one != other) & (one > 0) & (other > 0)
    if not fits.any():
        return None
    places, likelihood = places[fits], _log_likelihood(before[fits]) + _log_likelihood(after[fits])
    for place in places[likelihood >= likelihood.max() - AS_LIKELY].tolist():
        if timeline.local(int(timeline.midnights[first_day + place])).day == 1:
            return int(place)
    return int(places[np.argmax(likelihood)])


def _log_likelihood(counts: Ints) -> NDArray[np.float64]:
    """float64[k]: of each row of counts under its own shares."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    logs: NDArray[np.float64] = (counts * np.log(np.where(counts > 0, shares, 1.0))).sum(axis=1)
    return logs


def _differences(kind: str, counts: AnswerCounts) -> Iterator[CheckFinding]:
    """A source, channel or touchpoint on another scale than the others, or all on one that is not read."""
    whole = sum(counts.by_source.values(), np.zeros((1, BINS), np.int64)).sum(axis=0)
    for (column, text), mine in sorted(counts.groups.items(), key=lambda group: int(group[1].sum())):
        one, other = best_answers(np.stack([mine, whole - mine])).tolist()
        if not one or not other or one == other or not text:
            continue
        own, others = _scale(kind, mine), _scale(kind, whole - mine)
        here = READ.get(kind) != own  # else the others are to be brought to its scale
        given, target = (own, others) if here else (others, own)
        if column == "source":
            where, whose = "", f"'{text}'" if here else "each other source"
            sources = [name for name in sorted(counts.by_source) if (name == text) is here]
        else:
            is_it = "=" if here else "is distinct from"
            where, whose, sources = (
                f"{column} {is_it} '{_quoted(text)}'",
                "its source",
                sorted(counts.by_source),
            )
        query, again = _remedy(kind, given, target, where), _replace(sources)
        (english, japanese), others_words, to = COLUMNS[column], _words(others), _words(target)
        yield CheckFinding(
            "survey_scale_differs",
            f"The answers of '{kind}' of the {english} '{text}' are on a scale of {_words(own)}, the others "
            f"on {others_words}, and are counted as if on one. Bring those on {_words(given)} to {to} "
            f"around the query of {whose}: `{query}`; then run {again}.",
            f"「{kind}」の回答は、{japanese}「{text}」では{_words(own)}、他では{others_words}の尺度で、同じ尺度"
            f"として集計されています。{_words(given)}の回答を含むソースのクエリを `{query}` で囲んで"
            f"{to}にそろえ、{again} を実行してください。",
            {"kind": kind, column: text, "scale": _name(own), "others": _name(others)},
        )
        return
    best = int(best_answers(whole[None])[0])
    if kind in READ and best and best != READ[kind][1]:
        own, target = _scale(kind, whole), READ[kind]
        query, again = _remedy(kind, own, target, ""), _replace(sorted(counts.by_source))
        yield CheckFinding(
            "survey_scale",
            f"The answers of '{kind}' are on a scale of {_words(own)}, but the report and the playbook read "
            f"'{kind}' as {_words(target)}. Bring them to it around the query: `{query}`; then run {again}. "
            "Or give the kind another name.",
            f"「{kind}」の回答は{_words(own)}の尺度ですが、レポートとプレイブックは{_words(target)}として読みます。"
            f"クエリを `{query}` で囲んでそろえ、{again} を実行してください。または種別名を変えてください。",
            {"kind": kind, "scale": _name(own), "expected": _name(target)},
        )


def _scale(kind: str, counts: Ints) -> Scale:
    best = int(best_answers(counts[None])[0])
    zero = kind == "nps" or int(counts[0]) > 0
    return (0 if best == HIGHEST and zero else 1), best


def _remedy(kind: str, given: Scale, target: Scale, where: str) -> str:
    """The query around a query that brings answers of a kind from one scale to another, to whole answers."""
    (low, high), (least, most) = given, target
    moved = f"round(({NUMBER} - {low}) * {most - least} / {high - low} + {least})"
    condition = f"kind = '{_quoted(kind)}'" + (f" and {where}" if where else "")
    text = "cast(value as varchar)"
    value = f"case when {condition} then cast(cast({moved} as integer) as varchar) else {text} end as value"
    return REPLACED.format(value)


def _replace(sources: Sequence[str]) -> str:
    """The commands that read the changed sources again."""
    return ", ".join(f"`kizuna ingest --replace {name}`" for name in sources)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _words(scale: Scale) -> str:
    return f"{scale[0]}–{scale[1]}"


def _name(scale: Scale) -> str:
    return f"{scale[0]}-{scale[1]}"
