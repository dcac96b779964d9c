"""Scores in words: one customer's numbers, tier, status and reasons, as the API and the lists show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast
from weakref import WeakKeyDictionary

from features.catalog.display_names import in_language
from features.timeline import Timeline
from serving.lists.uplift_reason import uplift_reason
from serving.schemas.change_responses import Change, ChangeEvent
from serving.schemas.lifetime_responses import LifetimeValue
from serving.schemas.lifetime_words import shows_value
from serving.schemas.responses import (
    Appended,
    CustomerStatus,
    KnownStatus,
    ListedCustomer,
    PredictedCustomer,
    PredictReply,
    Reason,
    UpliftBasis,
)
from serving.schemas.terms import IN_CONTROL, OUTCOME_WORDS, OUTCOMES
from serving.scoring.explained_changes import ExplainedChange
from serving.scoring.live import LiveScores
from serving.state.scores.score_table import Ints, ScoreTable
from training.bundle.level_uncertainty import level_range
from training.bundle.lifetime.lifetime_values import LifetimeHorizons
from training.bundle.model_bundle import Bundle
from training.explanation.project_words import NO_WORDS, ProjectWords
from training.explanation.reasons import change_sentence, reason_of, sentence
from training.labels.cohort import STATUSES, UNKNOWN
from training.statistics import finite

CONTROL_GROUP = OUTCOMES[IN_CONTROL]
MOST_CACHED = 20_000
"""Reasons of a bundle and language that stay in memory; many customers share one."""

STATUS_NAMES = cast("tuple[KnownStatus, ...]", tuple(status.value for status in STATUSES))

Numbers = tuple[
    CustomerStatus,
    float | None,
    str | None,
    str | None,
    float | None,
    float | None,
    float | None,
    float | None,
    list[LifetimeValue],
    list[Reason],
]
"""The fields of a `ScoredCustomer` after the name: status, churn_probability, tier, predicted_tier,
expected_value, value_at_risk, uplift, incremental_value, lifetime_value, reasons. A list row needs them with
other fields around, and copying a dataclass costs more than making it from these."""


class _ReasonCache:
    """The reasons of one bundle in the words of one project and language; each is put into words once."""

    def __init__(self, language: str, project: ProjectWords) -> None:
        self.language, self.project = language, project
        self.cached: dict[tuple[int, float | None, bool], Reason] = {}

    def get(self, bundle: Bundle, column: int, value: float, contribution: float) -> Reason:
        key = (column, None if value != value else value, contribution >= 0)
        reason = self.cached.get(key)
        if reason is None:
            if len(self.cached) >= MOST_CACHED:
                self.cached.clear()
            reason = self.cached[key] = self._in_words(bundle, column, value, contribution)
        return reason

    def _in_words(self, bundle: Bundle, column: int, value: float, contribution: float) -> Reason:
        why = reason_of(bundle, column, value, contribution)
        return Reason(
            feature=why.feature,
            indicator=why.indicator,
            value=why.value_text or why.value,
            typical=why.typical,
            direction=why.direction,
            actionable=why.actionable,
            sentence=sentence(bundle.catalog, why, self.language, self.project),
            aspect=why.aspect,
        )


_CACHES: WeakKeyDictionary[Bundle, dict[tuple[str, ProjectWords], _ReasonCache]] = WeakKeyDictionary()


def numbers(
    bundle: Bundle,
    table: ScoreTable,
    language: str,
    rows: Ints | None = None,
    *,
    project: ProjectWords = NO_WORDS,
    basis: UpliftBasis | None = None,
) -> Iterator[Numbers]:
    """Each customer's status, numbers and reasons, or those of these rows; `basis` is that of uplift."""
    tiers = bundle.tiers.names
    caches = _CACHES.setdefault(bundle, {})
    cache = caches.setdefault((language, project), _ReasonCache(language, project))
    horizons = None if table.lifetime is None else table.lifetime.horizons
    for row in table.iter_rows(rows):
        status, probability, tier, predicted, expected, at_risk, features, known, contributions = row[:9]
        uplift, incremental, values, lows, highs = row[9:]
        if status == UNKNOWN:
            yield unknown_numbers()
            continue
        reasons = [
            cache.get(bundle, column, value, contribution)
            for column, value, contribution in zip(features, known, contributions, strict=True)
            if column >= 0
        ]
        if (
            basis is not None
            and (why := uplift_reason(uplift, basis, language, project.currency)) is not None
        ):
            reasons.append(why)
        yield (
            STATUS_NAMES[status],
            finite(probability),
            tiers[tier],
            None if predicted < 0 else tiers[predicted],
            finite(expected),
            finite(at_risk),
            finite(uplift),
            finite(incremental),
            [] if horizons is None else lifetime_values(horizons, values, lows, highs),
            reasons,
        )


def one_per_aspect(reasons: Sequence[Reason]) -> list[Reason]:
    """The reasons that a list shows: of those about one aspect of an indicator only the first.

    How long ago and how often are the same matter said twice. An explanation of one customer shows them all.
    """
    first: dict[tuple[str, str], Reason] = {}
    for reason in reasons:
        first.setdefault((reason.indicator, reason.aspect), reason)
    return list(first.values())


def planned_first(customers: Iterable[ListedCustomer]) -> list[ListedCustomer]:
    """Customers with something to do before those who are left out, each in the order they had."""
    return sorted(customers, key=lambda one: one.plan is not None and one.plan.outcome != "planned")


def unknown_numbers() -> Numbers:
    """The numbers of a customer of whom nothing is known."""
    return "unknown", None, None, None, None, None, None, None, [], []


def lifetime_values(
    horizons: LifetimeHorizons, values: Sequence[float], lows: Sequence[float], highs: Sequence[float]
) -> list[LifetimeValue]:
    """A customer's lifetime value over each horizon; none for who never bought.

    Who left has no interval; where no level over so long is known yet, theirs is the range of the level.
    """
    found: list[LifetimeValue] = []
    if values[0] != values[0]:
        return found
    for months, value, low, high, evidence, spread in zip(
        horizons.months, values, lows, highs, horizons.evidence, horizons.spreads, strict=True
    ):
        if not shows_value(evidence) and low != low:
            low, high = level_range(value, spread)
        found.append(LifetimeValue(months, value, finite(low), finite(high), evidence))
    return found


def predict_reply(
    scores: LiveScores,
    language: str,
    project: ProjectWords = NO_WORDS,
    held: Sequence[bool] | None = None,
) -> PredictReply:
    """The answer of a live request in words, its customers in the order of the request.

    `held` says which of them a campaign holds back now.
    """
    bundle = scores.model.bundle
    timeline = Timeline(bundle.timezone)
    rows = numbers(bundle, scores.table, language, project=project)
    receipt = scores.receipt
    return PredictReply(
        as_of=timeline.name(scores.as_of),
        model_version=scores.model.version,
        data_version=scores.data_version,
        freshness=None if scores.newest is None else timeline.name(scores.newest),
        evidence=bundle.evidence,
        currency=project.currency or None,
        contacts=bundle.contacts,
        uplift=None,  # what is sent live has no uplift: its features are those of a stored as-of date
        expected_leavers=None,  # nor is it a cohort
        lifetime_months=() if bundle.lifetime is None else bundle.lifetime.months,
        customers=[
            PredictedCustomer(
                name,
                *(next(rows) if has_row else unknown_numbers()),
                *((CONTROL_GROUP, in_language(language, *OUTCOME_WORDS[CONTROL_GROUP])) if is_held else ()),
            )
            for name, has_row, is_held in zip(
                scores.customer_ids, scores.has_row, held or [False] * len(scores.customer_ids), strict=True
            )
        ],
        ignored_kinds=scores.ignored_kinds,
        did_you_mean=scores.did_you_mean,
        appended=None
        if receipt is None
        else Appended(receipt.new, receipt.already_there, receipt.corrected, receipt.erased),
    )


def change_entry(
    bundle: Bundle,
    explained: ExplainedChange,
    timeline: Timeline,
    language: str,
    project: ProjectWords = NO_WORDS,
) -> Change:
    """One change of a customer's risk in words, with the events behind it."""
    change, behind = explained.change, explained.events
    after = change.after
    return Change(
        feature=after.feature,
        indicator=after.indicator,
        before=change.before.value_text or change.before.value,
        after=after.value_text or after.value,
        direction="raised" if change.shift >= 0 else "lowered",
        actionable=after.actionable,
        sentence=change_sentence(bundle.catalog, change, language, project),
        entered=behind.entered,
        left=behind.left,
        events=[
            ChangeEvent(
                role=event.role,
                occurred_at=timeline.name(event.instant),
                kind=event.kind,
                value=event.value,
                channel=event.channel,
                place=event.place,
                detail=event.detail,
            )
            for event in behind.shown
        ],
    )
