"""The ways to make a number of a stream's events: one record each, with its words in both languages.

How the number is computed is in `features/engine/kernel.py`, under the same name. A record says all else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Span = Literal["any", "history", "ahead", "fading", "date"]
"""What a feature's days are: a window of the past or none (`any`), always none (`history`), the days that
follow the as-of date (`ahead`), those in which an event of whole history fades to 1/e (`fading`), none
because only the date itself counts (`date`)."""

LEVEL = "detail_log_odds"
"""The aggregate that gives a detail what a population taught about it: `Catalog.level_columns`."""

CALENDAR = "calendar"
"""The stream and indicator of features that read the as-of date and no events."""


@dataclass(frozen=True)
class Aggregate:
    """One way to make a number of a stream's events in a window.

    In the texts, `{many}` and the like are the stream's words, `{window}` is the window in words and
    `{days}` its length. Refunds enter `sum` and nothing else.
    """

    name: str
    unit: str
    empty: float
    """What it says without events."""
    english: str
    japanese: str
    span: Span = "any"
    reads: tuple[str, ...] = ()
    """The columns of an event that it reads, besides kind and instant."""
    learned: tuple[str, ...] = ()
    """The numbers of `Priors` that it reads, each with the stream's name behind a dot."""


_NONE = math.nan
_VALUE, _DETAIL = ("value",), ("detail",)

_OF_VALUES = (
    Aggregate(
        "sum", "value", 0.0, "total {value} of {many}{window}", "{window}{ja_value}の合計", "any", _VALUE
    ),
    Aggregate(
        "mean", "value", _NONE, "average {value} of {many}{window}", "{window}{ja_value}の平均", "any", _VALUE
    ),
    Aggregate(
        "min", "value", _NONE, "lowest {value} of {many}{window}", "{window}{ja_value}の最小", "any", _VALUE
    ),
    Aggregate(
        "max", "value", _NONE, "highest {value} of {many}{window}", "{window}{ja_value}の最大", "any", _VALUE
    ),
    Aggregate(
        "std",
        "value",
        _NONE,
        "spread of the {value} of {many}{window}",
        "{window}{ja_value}のばらつき",
        "any",
        _VALUE,
    ),
    Aggregate(
        "last", "value", _NONE, "latest {value} of {many}{window}", "{window}最新の{ja_value}", "any", _VALUE
    ),
)
_OF_KINDS = (
    Aggregate(
        "distinct_detail",
        "count",
        0.0,
        "different {details} of {many}{window}",
        "{window}{ja}の{ja_details}の種類数",
        "any",
        _DETAIL,
    ),
    Aggregate(
        "distinct_channel",
        "count",
        0.0,
        "different channels of {many}{window}",
        "{window}{ja}のチャネル数",
        "any",
        ("channel",),
    ),
    Aggregate(
        "distinct_place",
        "count",
        0.0,
        "different places of {many}{window}",
        "{window}{ja}の場所の数",
        "any",
        ("place",),
    ),
)
_OF_RHYTHM = (
    Aggregate("days_since_last", "days", _NONE, "days since the last {one}", "最終{ja}からの日数", "history"),
    Aggregate(
        "days_since_first", "days", _NONE, "days since the first {one}", "初回{ja}からの日数", "history"
    ),
    Aggregate(
        "gap_mean", "days", _NONE, "average days between {many}{window}", "{window}{ja}の平均間隔（日）"
    ),
    Aggregate(
        "gap_std",
        "days",
        _NONE,
        "spread of the days between {many}{window}",
        "{window}{ja}の間隔のばらつき（日）",
    ),
    Aggregate(
        "gap_max",
        "days",
        _NONE,
        "longest break between {many}{window}, in days",
        "{window}{ja}の最長間隔（日）",
    ),
    Aggregate(
        "overdue",
        "ratio",
        _NONE,
        "time since the last {one}, in multiples of the customer's usual gap",
        "最終{ja}からの経過日数（普段の間隔の何倍か）",
        "history",
    ),
    Aggregate(
        "overdue_smoothed",
        "ratio",
        _NONE,
        "time since the last {one}, in multiples of the gap to be expected of this customer",
        "最終{ja}からの経過日数（想定間隔の何倍か）",
        "history",
        learned=("gap_mean", "gap_weight"),
    ),
    Aggregate(
        "silence",
        "share",
        _NONE,
        "chance of no {one} in the next {days} days, from how often they came so far",
        "これまでの頻度から見た、今後{days}日{ja}がない確率",
        "ahead",
        learned=("mbg_r", "mbg_alpha", "mbg_a", "mbg_b"),
    ),
    Aggregate(
        "alive",
        "share",
        _NONE,
        "chance that more {many} will come at all, from how often they came so far",
        "これまでの頻度から見た、今後も{ja}がある確率",
        "history",
        learned=("mbg_r", "mbg_alpha", "mbg_a", "mbg_b"),
    ),
    Aggregate(
        "decayed_count",
        "number",
        0.0,
        "number of {many}, older ones counted less (over {days} days)",
        "最近ほど重く数えた{count}（{days}日で減衰）",
        "fading",
    ),
    Aggregate(
        "gap_first",
        "days",
        _NONE,
        "days between the first two {many}",
        "最初の2回の{ja}の間隔（日）",
        "history",
    ),
    Aggregate(
        "gap_last",
        "days",
        _NONE,
        "days between the latest two {many}",
        "直近2回の{ja}の間隔（日）",
        "history",
    ),
    Aggregate(
        "gap_min",
        "days",
        _NONE,
        "shortest time between {many}, in days",
        "{ja}の最短間隔（日）",
        "history",
    ),
    Aggregate(
        "gap_geometric",
        "days",
        _NONE,
        "usual days between {many} (geometric mean)",
        "{ja}の標準的な間隔（日、幾何平均）",
        "history",
    ),
    Aggregate(
        "active_day_rate",
        "share",
        _NONE,
        "share of days with {many} since the first (30 days added)",
        "初回からの日数（30日を加える）に占める{ja}があった日の割合",
        "history",
    ),
    Aggregate(
        "share_younger_half",
        "share",
        _NONE,
        "share of {many} in the younger half of the time since the first",
        "初回から現在までの後半に{ja}が占める割合",
        "history",
    ),
)
_OF_DETAILS = (
    Aggregate(
        "last_detail",
        "detail",
        _NONE,
        "latest {detail} of {many}{window}",
        "{window}直近の{ja}の{ja_details}",
        "any",
        _DETAIL,
    ),
    Aggregate(
        "top_detail",
        "detail",
        _NONE,
        "most frequent {detail} of {many}{window}",
        "{window}最も多い{ja}の{ja_details}",
        "any",
        _DETAIL,
    ),
    Aggregate(
        "top_detail_share",
        "share",
        _NONE,
        "share of the most frequent {detail} in {many}{window}",
        "{window}{ja}に占める最も多い{ja_details}の割合",
        "any",
        _DETAIL,
    ),
    Aggregate(
        LEVEL,
        "log_odds",
        _NONE,
        "log-odds by which more customers with the same latest {detail} of {many}{window} left than others",
        "{window}直近の{ja}の{ja_details}が同じ顧客の離反の多さ（対数オッズ）",
        "any",
        _DETAIL,
    ),
)

PARTS_OF_DAY = {
    "night": ("from midnight to 6:00", "0〜6時"),
    "morning": ("from 6:00 to noon", "6〜12時"),
    "afternoon": ("from noon to 18:00", "12〜18時"),
    "evening": ("from 18:00 to midnight", "18〜24時"),
}
WEEKDAYS = {
    "monday": ("on Mondays", "月曜"),
    "tuesday": ("on Tuesdays", "火曜"),
    "wednesday": ("on Wednesdays", "水曜"),
    "thursday": ("on Thursdays", "木曜"),
    "friday": ("on Fridays", "金曜"),
    "saturday": ("on Saturdays", "土曜"),
    "sunday": ("on Sundays", "日曜"),
    "weekend": ("on Saturdays and Sundays", "土日"),
}
_OF_CLOCK = tuple(
    Aggregate(
        f"share_{when}",
        "share",
        _NONE,
        f"share of {{many}}{{window}} that came {english}",
        f"{{window}}{{ja}}のうち{japanese}の割合",
    )
    for when, (english, japanese) in (PARTS_OF_DAY | WEEKDAYS).items()
)
_OF_DATE = (
    Aggregate("month", "number", _NONE, "month of the as-of date", "基準日の月", "date"),
    Aggregate("day", "number", _NONE, "day of the month of the as-of date", "基準日の日", "date"),
    Aggregate(
        "weekday",
        "number",
        _NONE,
        "weekday of the as-of date (Monday is 1)",
        "基準日の曜日（月曜が1）",
        "date",
    ),
    Aggregate(
        "day_of_year", "number", _NONE, "day of the year of the as-of date", "基準日の年内通算日", "date"
    ),
)

AGGREGATES: Mapping[str, Aggregate] = {
    aggregate.name: aggregate
    for aggregate in (
        Aggregate("count", "count", 0.0, "number of {many}{window}", "{window}{count}"),
        Aggregate("active_days", "days", 0.0, "days with {many}{window}", "{window}{ja}があった日数"),
        *_OF_VALUES,
        *_OF_KINDS,
        *_OF_RHYTHM,
        *_OF_DETAILS,
        *_OF_CLOCK,
        *_OF_DATE,
    )
}
