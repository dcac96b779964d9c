"""Scales of survey answers (0–10, 1–10, 1–7, 1–5), recognised from the answers.

Findings: a scale that changes on a day, one that differs by source, channel or touchpoint, one that the
measures of the report do not read, and one that may be 0–10 or 1–10. What heals them is a declaration
(`[[surveys]]`), or, within a source, another query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.events.answer_scales import (
    READ,
    UNDECLARED,
    Scale,
    SurveyScales,
    declaration,
    scale_name,
    scale_words,
)
from features.profiling.bucket_events import BucketEvents, Ints
from features.profiling.finding import CheckFinding
from features.profiling.scale_remedies import declared, quoted, requeried
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
COLUMNS = {
    "source": ("source", "ソース"),
    "channel": ("channel", "チャネル"),
    "detail": ("touchpoint", "接点"),
}
NO_ZERO = 3
"""So many answers of 1 without any of 0 speak for 1–10: of 0–10 this is as rare as 5 % (e^-3), as people who
give 1 give 0 about as often."""
NO_ZERO_OF_NPS = 10
"""As NO_ZERO where 0–10 is what the question is by definition."""
AS_LIKELY = 3.0
"""Logarithm of likelihood: with few answers a day several days explain them about as well."""


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
    answers: dict[str, AnswerCounts],
    timeline: Timeline,
    first_day: int,
    scales: SurveyScales = UNDECLARED,
) -> Iterator[CheckFinding]:
    """What is odd about the scales of every kind of survey, with a remedy; `scales` are those declared."""
    for kind, counts in answers.items():
        steps = list(_changes(kind, counts, timeline, first_day))
        yield from steps or _differences(kind, counts)
        yield from _in_doubt(kind, counts, scales)


def _changes(kind: str, counts: AnswerCounts, timeline: Timeline, first_day: int) -> Iterator[CheckFinding]:
    """The day from which on the answers of a source are on another scale."""
    for source, days in sorted(counts.by_source.items()):
        place = _step(days, timeline, first_day)
        if place is None:
            continue
        before, after = (_scale(kind, part.sum(axis=0)) for part in (days[:place], days[place:]))
        day = timeline.local(int(timeline.midnights[first_day + place])).date().isoformat()
        if kind == "nps":
            later = before == READ["nps"]
            where = f"occurred_at {'>=' if later else '<'} '{day}'"
            english, japanese = requeried(
                kind, after if later else before, READ["nps"], where, _of_source(source), [source]
            )
        else:
            blocks = [declaration(kind, before, source), declaration(kind, after, source, day)]
            english, japanese = declared(blocks, [source])
        one, other = scale_words(before), scale_words(after)
        yield CheckFinding(
            "survey_scale_changes",
            f"The answers of '{kind}' in '{source}' are on a scale of {one} before {day} and of {other} from "
            f"then on, and are counted as if on one. {english}",
            f"「{source}」の「{kind}」の回答は{day}より前が{one}、以降が{other}の尺度で、同じ尺度として集計されて"
            f"います。{japanese}",
            {
                "kind": kind,
                "source": source,
                "day": day,
                "before": scale_name(before),
                "after": scale_name(after),
            },
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


def _differences(kind: str, counts: AnswerCounts) -> list[CheckFinding]:
    """A source, channel or touchpoint on another scale than the others, or all on one that is not read."""
    whole = sum(counts.by_source.values(), np.zeros((1, BINS), np.int64)).sum(axis=0)
    every = sorted(counts.by_source)
    for (column, text), mine in sorted(counts.groups.items(), key=lambda group: int(group[1].sum())):
        one, other = best_answers(np.stack([mine, whole - mine])).tolist()
        if not one or not other or one == other or not text:
            continue
        own, others = _scale(kind, mine), _scale(kind, whole - mine)
        here = READ.get(kind) != own  # else the others are to be brought to its scale
        given, target = (own, others) if here else (others, own)
        if column != "source":
            where = f"{column} {'=' if here else 'is distinct from'} '{quoted(text)}'"
            english, japanese = requeried(
                kind, given, target, where, ("its source", "その回答を含むソース"), every
            )
        elif kind == "nps":
            sources = [name for name in every if (name == text) is here]
            whose = _of_source(text) if here else ("each other source", "他の各ソース")
            english, japanese = requeried(kind, given, target, "", whose, sources)
        else:
            on = {name: own if name == text else others for name in every}
            apart = [name for name in every if on[name] != READ.get(kind)]
            apart.sort(
                key=lambda name: on[name] == own
            )  # the scale of most comes first: others are brought to it
            english, japanese = declared([declaration(kind, on[name], name) for name in apart], apart)
        (in_english, in_japanese), others_words = COLUMNS[column], scale_words(others)
        sentence = (
            f"The answers of '{kind}' of the {in_english} '{text}' are on a scale of {scale_words(own)}, the "
            f"others on {others_words}, and are counted as if on one. {english}",
            f"「{kind}」の回答は、{in_japanese}「{text}」では{scale_words(own)}、他では{others_words}の尺度で、同じ尺度"
            f"として集計されています。{japanese}",
        )
        figures = {"kind": kind, column: text, "scale": scale_name(own), "others": scale_name(others)}
        return [CheckFinding("survey_scale_differs", *sentence, figures)]
    best = int(best_answers(whole[None])[0])
    if kind not in READ or not best or _scale(kind, whole) == READ[kind]:
        return []
    own, target = _scale(kind, whole), READ[kind]
    if kind == "nps":
        english, japanese = requeried(kind, own, target, "", ("each source", "各ソース"), every)
    else:
        english, japanese = declared([declaration(kind, own)], every)
    sentence = (
        f"The answers of '{kind}' are on a scale of {scale_words(own)}, but the report and the playbook read "
        f"'{kind}' as {scale_words(target)}. {english} Or give the kind another name.",
        f"「{kind}」の回答は{scale_words(own)}の尺度ですが、レポートとプレイブックは{scale_words(target)}として読みます。"
        f"{japanese}または種別名を変えてください。",
    )
    figures = {"kind": kind, "scale": scale_name(own), "expected": scale_name(target)}
    return [CheckFinding("survey_scale", *sentence, figures)]


def _in_doubt(kind: str, counts: AnswerCounts, scales: SurveyScales) -> list[CheckFinding]:
    """Answers up to 10 that do not tell whether they begin with 0 or 1."""
    open_ones = [source for source in sorted(counts.by_source) if not scales.covers(kind, source)]
    whole = sum((counts.by_source[source] for source in open_ones), np.zeros((1, BINS), np.int64)).sum(axis=0)
    if kind == "nps" or int(best_answers(whole[None])[0]) != HIGHEST or whole[0] or whole[1] >= NO_ZERO:
        return []
    block, number = declaration(kind, (1, HIGHEST)), int(whole.sum())
    english, japanese = declared([block], open_ones)
    return [
        CheckFinding(
            "survey_scale_in_doubt",
            f"The answers of '{kind}' go up to 10, and of {number:,} none is 0 and {whole[1]} are 1, which "
            f"does not tell a scale of 0–10 from 1–10. {english} Write "
            '"0-10" where 0 could be chosen.',
            f"「{kind}」の回答は最高が10で、{number:,}件のうち0は0件、1は{whole[1]}件のため、尺度が0–10か1–10か"
            f'判断できません。{japanese}0も選べる場合は "0-10" と書いてください。',
            {"kind": kind, "answers": number, "ones": int(whole[1])},
        )
    ]


def _of_source(name: str) -> tuple[str, str]:
    return f"'{name}'", f"「{name}」"


def _scale(kind: str, counts: Ints) -> Scale:
    best = int(best_answers(counts[None])[0])
    enough = NO_ZERO_OF_NPS if kind == "nps" else 1  # what is left in doubt is said by `_in_doubt`
    zero = best == HIGHEST and (counts[0] > 0 or counts[1] < enough)
    return (0 if zero else 1), best
