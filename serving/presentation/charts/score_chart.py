"""A customer's risk over the stored as-of dates as an SVG chart, with the tier at each date below it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from features.catalog.display_names import in_language
from features.timeline import DAY, Timeline
from serving.presentation.i18n import percent, tier_or_empty
from serving.reports.rendering.svg_charts import nice
from serving.schemas.customer_responses import ScorePoint

WIDTH, HEIGHT = 640, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 16, 14, 52
STRIP = 8
"""The height of the tiers."""


def score_chart(points: Sequence[ScorePoint], language: str, timeline: Timeline) -> str:
    """The chart as SVG text, empty for fewer than two dates; a dashed line is where another model took over.

    A date without a probability interrupts the line: then the customer could not leave.
    """
    if len(points) < 2:
        return ""
    first, last = points[0].as_of, points[-1].as_of
    known = [one.churn_probability for one in points if one.churn_probability is not None]
    high = nice(0.0, max(known, default=0.1))[-1]
    inner_height = HEIGHT - TOP - BOTTOM

    def x(moment: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (moment - first) / max(last - first, DAY)

    def y(share: float) -> float:
        return TOP + inner_height * (1 - share / high)

    label = in_language(language, "Risk of leaving over time", "離反確率の推移")
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for share in (0.0, high / 2, high):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'
        )
        digits = 1 if high < 0.02 else 0
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end">'
            f"{share:.{digits}%}</text>"
        )
    for one in points:
        if one.other_model:
            at = f"{x(one.as_of):.1f}"
            words = in_language(language, f"model {one.model_version}", f"モデル{one.model_version}")
            parts.append(
                f'<line class="model-change" x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
                f'<text class="tick" x="{at}" y="{TOP - 3}" text-anchor="middle">{escape(words)}</text>'
            )
    for run in _runs(points):
        line = " ".join(f"{x(one.as_of):.1f},{y(one.churn_probability or 0.0):.1f}" for one in run)
        parts.append(f'<polyline class="now" points="{line}"/>')
    for one in points:
        if one.churn_probability is not None:
            words = f"{_day(one, language, timeline)}: {percent(one.churn_probability)}"
            parts.append(
                f'<circle class="now" cx="{x(one.as_of):.1f}" cy="{y(one.churn_probability):.1f}" r="3">'
                f"<title>{escape(words)}</title></circle>"
            )
    strip = HEIGHT - BOTTOM + 12
    for one, following in zip(points, [*points[1:], None], strict=True):
        begin, end = x(one.as_of), WIDTH - RIGHT if following is None else x(following.as_of)
        depth = 0.15 + 0.85 * one.tier_place / max(one.tiers - 1, 1)
        words = f"{_day(one, language, timeline)}: {tier_or_empty(one.tier, language)}"
        parts.append(
            f'<rect class="tier" x="{begin:.1f}" width="{max(end - begin - 1, 3):.1f}" y="{strip}" '
            f'height="{STRIP}" rx="2" fill-opacity="{depth:.2f}"><title>{escape(words)}</title></rect>'
        )
    for one, anchor in ((points[0], "start"), (points[-1], "end")):
        words = f"{_day(one, language, timeline)} · {tier_or_empty(one.tier, language)}"
        parts.append(
            f'<text class="tick" x="{x(one.as_of):.1f}" y="{HEIGHT - 10}" text-anchor="{anchor}">'
            f"{escape(words)}</text>"
        )
    return "".join([*parts, "</svg>"])


def _runs(points: Sequence[ScorePoint]) -> list[list[ScorePoint]]:
    """The stretches of dates with a probability."""
    runs: list[list[ScorePoint]] = [[]]
    for one in points:
        if one.churn_probability is None:
            runs.append([])
        else:
            runs[-1].append(one)
    return [run for run in runs if len(run) > 1]


def _day(point: ScorePoint, language: str, timeline: Timeline) -> str:
    local = timeline.local(point.as_of)
    return in_language(
        language, f"{local.day} {local:%b} {local.year}", f"{local.year}年{local.month}月{local.day}日"
    )
