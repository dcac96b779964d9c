"""Social metrics: reactions to posts ÷ reach. A post's reactions come from customers of every bucket."""

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
    """By period and post: reactions, customers who reacted, and the highest reach reported."""

    spans: int
    counts: dict[tuple[int, str], tuple[int, int, float]] = field(default_factory=dict)
    customers: Floats = field(init=False)
    """[spans]: different customers who reacted."""

    def __post_init__(self) -> None:
        self.customers = np.zeros(self.spans)

    def add(self, view: BucketView) -> None:
        """Add a bucket's reactions."""
        history = view.index.history
        events = view.pick(view.index.of_kinds(REACTIONS))
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
            before = self.counts.get(at, (0, 0, UNKNOWN_REACH))
            self.counts[at] = (before[0] + n, before[1] + who, max(before[2], r))

    def merge(self, other: Posts) -> None:
        """Add the reactions of later buckets."""
        self.customers += other.customers
        for post, (reactions, customers, reach) in other.counts.items():
            before = self.counts.get(post, (0, 0, UNKNOWN_REACH))
            self.counts[post] = (before[0] + reactions, before[1] + customers, max(before[2], reach))

    def add_rates(self, sums: MetricSums) -> None:
        """Add the rates of all posts to the sums; a post without reach is counted as left out."""
        for (span, post), (count, _, most) in self.counts.items():
            if not post or most <= 0:
                reason = "zero_reach" if post and most == 0 else "no_reach"
                for measure in ("social_engagement_rate", "social_engagement_per_post"):
                    sums.leave_out(measure, reason, np.full(count, span))
        shown = sorted(key for key, (_, _, reach) in self.counts.items() if key[1] and reach > 0)
        if not shown:
            return
        spans = np.array([span for span, _ in shown])
        n = np.array([self.counts[key][0] for key in shown], dtype=np.float64)
        reach = np.array([self.counts[key][2] for key in shown])
        row = np.arange(len(shown))
        units = MetricUnits(spans, row, n, reach, one_per_customer=True)
        sums.add("social_engagement_rate", units, {})
        sums.add("social_engagement_per_post", MetricUnits(spans, row, n / reach, one_per_customer=True), {})
        names = sorted({post for _, post in shown})
        total = dict.fromkeys(names, 0.0)
        for (_, post), reacted in zip(shown, n.tolist(), strict=True):
            total[post] += reacted
        shown_posts = sorted(names, key=lambda name: (-total[name], name))[:MOST_POSTS]
        place = {name: number for number, name in enumerate(shown_posts)}
        codes = np.array([place.get(post, -1) for _, post in shown])
        sums.add_groups("social_engagement_rate", units, "detail", codes, shown_posts)
        for measure in ("social_engagement_rate", "social_engagement_per_post"):
            sums.values[measure, WHOLE, ""][:, CUSTOMERS] = self.customers
        for name in shown_posts:
            values = sums.values["social_engagement_rate", "detail", name]
            for span in range(self.spans):
                values[span, CUSTOMERS] = self.counts.get((span, name), (0, 0, 0.0))[1]
