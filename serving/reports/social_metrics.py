"""Reactions to posts against their reach; a post's reactions come from customers of every bucket."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from serving.reports.aggregates import CUSTOMERS, WHOLE, Floats, MetricSums, MetricUnits
from serving.reports.bucket_view import BucketView
from serving.reports.metric_definitions import REACTIONS

MOST_POSTS = 50
"""Posts shown one by one, those with the most reactions first."""
UNKNOWN_REACH = -1.0


@dataclass
class Posts:
    """By span and post: reactions, customers who reacted, and the highest reach that was told."""

    spans: int
    found: dict[tuple[int, str], tuple[int, int, float]] = field(default_factory=dict)
    customers: Floats = field(init=False)
    """[spans]: different customers who reacted."""

    def __post_init__(self) -> None:
        self.customers = np.zeros(self.spans)

    def add(self, view: BucketView) -> None:
        """Add a bucket's reactions."""
        history = view.facts.history
        events = view.pick(view.facts.of_kinds(REACTIONS))
        if not len(events.places):
            return
        self.customers += np.bincount(
            np.unique(events.row * self.spans + events.span) % self.spans, minlength=self.spans
        )
        posts = len(history.detail_names) + 1
        cell = events.span * posts + history.details[events.places] + 1
        key, inverse = np.unique(cell, return_inverse=True)
        reactions = np.bincount(inverse, minlength=len(key))
        people = np.bincount(np.unique(inverse * view.rows + events.row) // view.rows, minlength=len(key))
        reach = np.full(len(key), UNKNOWN_REACH)
        np.maximum.at(reach, inverse, np.nan_to_num(history.values[events.places], nan=UNKNOWN_REACH))
        names = ("", *history.detail_names)
        for place, n, who, r in zip(
            key.tolist(), reactions.tolist(), people.tolist(), reach.tolist(), strict=True
        ):
            at = (place // posts, names[place % posts])
            before = self.found.get(at, (0, 0, UNKNOWN_REACH))
            self.found[at] = (before[0] + n, before[1] + who, max(before[2], r))

    def merge(self, other: Posts) -> None:
        """Add the reactions of later buckets."""
        self.customers += other.customers
        for post, (reactions, customers, reach) in other.found.items():
            before = self.found.get(post, (0, 0, UNKNOWN_REACH))
            self.found[post] = (before[0] + reactions, before[1] + customers, max(before[2], reach))

    def settle(self, board: MetricSums) -> None:
        """Put the rates of posts on the board; a post without reach has none, and is counted as left out."""
        for (span, post), (count, _, most) in self.found.items():
            if not post or most <= 0:
                reason = "zero_reach" if post and most == 0 else "no_reach"
                for measure in ("social_engagement_rate", "social_engagement_per_post"):
                    board.leave_out(measure, reason, np.full(count, span))
        shown = sorted(key for key, (_, _, reach) in self.found.items() if key[1] and reach > 0)
        if not shown:
            return
        spans = np.array([span for span, _ in shown])
        n = np.array([self.found[key][0] for key in shown], dtype=np.float64)
        reach = np.array([self.found[key][2] for key in shown])
        row = np.arange(len(shown))
        units = MetricUnits(spans, row, n, reach, alone=True)
        board.add("social_engagement_rate", units, {})
        board.add("social_engagement_per_post", MetricUnits(spans, row, n / reach, alone=True), {})
        names = sorted({post for _, post in shown})
        total = dict.fromkeys(names, 0.0)
        for (_, post), reacted in zip(shown, n.tolist(), strict=True):
            total[post] += reacted
        kept = sorted(names, key=lambda name: (-total[name], name))[:MOST_POSTS]
        place = {name: number for number, name in enumerate(kept)}
        codes = np.array([place.get(post, -1) for _, post in shown])
        board.add_groups("social_engagement_rate", units, "detail", codes, kept)
        for measure in ("social_engagement_rate", "social_engagement_per_post"):
            board.sums[measure, WHOLE, ""][:, CUSTOMERS] = self.customers
        for name in kept:
            sums = board.sums["social_engagement_rate", "detail", name]
            for span in range(self.spans):
                sums[span, CUSTOMERS] = self.found.get((span, name), (0, 0, 0.0))[1]
