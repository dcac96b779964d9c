"""What the simulated service is made of: plans, features, categories, stores, topics, agents, posts.

Times inside the simulation are int64 microseconds of the local clock, as if it were UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

TIMEZONE = "Asia/Tokyo"
OFFSET_HOURS = 9
"""Tokyo has no daylight saving: local time is UTC plus nine hours."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LAST_DAY = date(2024, 12, 31)

PLANS = ("light", "standard", "premium")
FEES = np.array([980.0, 1980.0, 3980.0])
FEATURES = (
    "search", "favourites", "wishlist",
    "recipes", "meal_planner", "shopping_list",
    "subscription_box", "delivery_tracking", "points_wallet", "gift_cards",
)  # fmt: skip
FEATURE_GROUPS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
CATEGORIES = (
    "coffee", "tea", "sweets",
    "vegetables", "fruit", "rice",
    "wine", "cheese", "bread",
    "skincare", "supplements", "household",
)  # fmt: skip
CATEGORY_GROUPS = np.repeat(np.arange(4), 3)
PRICES = np.array([1800, 1500, 1200, 2200, 2600, 3400, 4200, 2400, 900, 5200, 4600, 2000], dtype=np.float64)
STORES = tuple(f"store-{number:02}" for number in range(1, 31))
TOPICS = ("billing", "delivery", "login", "how_to", "defect", "plan_change")
AGENTS = tuple(f"agent-{number:02}" for number in range(1, 21))
SLOW_AGENTS = 4
"""The first few agents take long to answer."""
REGIONS = ("kanto", "kansai", "chubu", "kyushu", "hokkaido_tohoku")
AGE_BANDS = ("20s", "30s", "40s", "50s", "60s_up")
ARTICLES = tuple(f"article-{number:02}" for number in range(1, 41))
FAQS = tuple(f"faq-{topic}" for topic in TOPICS)
TUTORIALS = tuple(f"tutorial-{feature}" for feature in FEATURES)
EVENTS = ("tasting_evening", "cooking_class", "online_meetup", "maker_visit")


@dataclass(frozen=True)
class RecordPeriod:
    """A time that the record covers: `[start, end)`, whole months, and the posts until its end."""

    start: int
    end: int
    months: tuple[int, ...]
    """Where each month begins."""
    posts: Times
    """When the service's own posts on social media appeared."""
    reach: Floats

    def entry(self, start: Times) -> Times:
        """From when customers who started then are simulated: from the period's start at the earliest."""
        return np.maximum(start, self.start)

    def days_since(self, start: Times) -> float:
        """The days from the earliest of these starts, or the period's own, to the end of the period."""
        return (self.end - int(start.min(initial=self.start))) / DAY


def end_of_record(span: RecordPeriod) -> str:
    """The local midnight at which the record ends, as ISO 8601 with its offset."""
    day = (datetime(1970, 1, 1) + timedelta(microseconds=span.end)).date()  # noqa: DTZ001
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(TIMEZONE)).isoformat()


def local(day: date) -> int:
    """The local midnight at which a day begins."""
    return (datetime.combine(day, datetime.min.time()) - datetime(1970, 1, 1)).days * DAY  # noqa: DTZ001


def record_period(months: int, seed: int) -> RecordPeriod:
    """The last `months` months up to and with the last day, with the posts of that time."""
    after = LAST_DAY.year * 12 + LAST_DAY.month
    starts = [date((after - back) // 12, (after - back) % 12 + 1, 1) for back in range(months, 0, -1)]
    begins = tuple(local(day) for day in starts)
    end = local(LAST_DAY) + DAY
    draw = np.random.default_rng([seed, 1])
    times = np.arange(begins[0] + 12 * HOUR, end, 3 * DAY, dtype=np.int64)
    return RecordPeriod(begins[0], end, begins, times, np.round(draw.lognormal(10.0, 0.6, len(times))))


def following_period(before: RecordPeriod, months: int, seed: int, number: int) -> RecordPeriod:
    """The `months` months after a period; `number` counts the periods, the first is 0."""
    month = np.datetime64(before.end, "us").astype("datetime64[M]")
    begins = tuple(int((month + n).astype("datetime64[us]").astype(np.int64)) for n in range(months + 1))
    times = np.arange(int(before.posts[-1]) + 3 * DAY, begins[-1], 3 * DAY, dtype=np.int64)
    reach = np.round(np.random.default_rng([seed, 1, number]).lognormal(10.0, 0.6, len(times)))
    return RecordPeriod(
        before.end,
        begins[-1],
        begins[:-1],
        np.concatenate([before.posts, times]),
        np.concatenate([before.reach, reach]),
    )
