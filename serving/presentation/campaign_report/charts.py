"""Charts of effects as SVG text that stands inside a page: differences over time, and by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from serving.reports.rendering.svg_charts import BOTTOM, HEIGHT, LABEL, LEFT, RIGHT, ROW, TOP, WIDTH, nice

FIGURE = 190
"""The width of the figures to the right of the groups."""


@dataclass(frozen=True)
class EffectPoint:
    """A difference with its interval at one date, or within one group."""

    name: str
    at: float
    """Months after the start."""
    difference: float
    low: float | None
    high: float | None
    sure: str = "soft"
    """`good` or `bad` where the interval excludes zero."""


def over_time(
    reviews: Sequence[EffectPoint],
    looks: Sequence[EffectPoint],
    months: Sequence[int],
    text: Callable[[float], str],
    label: str = "",
) -> str:
    """Differences at review dates with their intervals, over the band of the looks between.

    `months` are the declared review months, reached or not; `label` says what the chart shows to whoever
    does not see it.
    """
    points = [*reviews, *looks]
    ends = [end for one in points for end in (one.low, one.high, one.difference) if end is not None]
    if not ends:
        return ""
    ticks = nice(min(0.0, *ends), max(0.0, *ends))
    low, high = ticks[0], ticks[-1]
    longest = max([*months, *(one.at for one in points)])

    def x(month: float) -> float:
        return LEFT + 20 + (WIDTH - LEFT - RIGHT - 20) * month / longest

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for tick in ticks:
        css = "zero" if abs(tick) < 1e-12 else "grid"
        parts.append(
            f'<line class="{css}" x1="{LEFT + 20}" x2="{WIDTH - RIGHT}" '
            f'y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
            f'<text class="tick" x="{LEFT + 12}" y="{y(tick) + 4:.1f}" text-anchor="end">'
            f"{escape(_tick(tick, text))}</text>"
        )
    parts += [
        f'<text class="tick" x="{x(month):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{month}</text>'
        for month in months
    ]
    band = [(one.at, one.low, one.high) for one in looks if one.low is not None and one.high is not None]
    if len(band) > 1:
        edge = [f"{x(at):.1f},{y(top):.1f}" for at, _, top in band]
        edge += [f"{x(at):.1f},{y(bottom):.1f}" for at, bottom, _ in reversed(band)]
        parts.append(f'<polygon class="band" points="{" ".join(edge)}"/>')
    path = " ".join(f"{x(one.at):.1f},{y(one.difference):.1f}" for one in looks)
    parts.append(f'<polyline class="before" points="{path}"/>')
    for one in reviews:
        if one.low is not None and one.high is not None:
            parts.append(
                f'<line class="whisker" x1="{x(one.at):.1f}" x2="{x(one.at):.1f}" '
                f'y1="{y(one.low):.1f}" y2="{y(one.high):.1f}"/>'
            )
        parts.append(f'<circle class="now" cx="{x(one.at):.1f}" cy="{y(one.difference):.1f}" r="4"/>')
    return "".join([*parts, "</svg>"])


def _tick(value: float, text: Callable[[float], str]) -> str:
    return "0" if abs(value) < 1e-12 else text(value)


def by_group(rows: Sequence[EffectPoint], text: Callable[[float], str], label: str = "") -> str:
    """One line a group: its difference with the interval around the zero line, and both as figures.

    `label` says what the chart shows to whoever does not see it.
    """
    ends = [end for one in rows for end in (one.low, one.high, one.difference) if end is not None]
    ticks = nice(min(0.0, *ends), max(0.0, *ends))
    low_end, high_end = ticks[0], ticks[-1]
    height = ROW * len(rows) + 24

    def x(value: float) -> float:
        return LABEL + (WIDTH - LABEL - FIGURE) * (value - low_end) / (high_end - low_end)

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">']
    for place, tick in enumerate(ticks):
        css = "zero" if abs(tick) < 1e-12 else "grid"
        parts.append(f'<line class="{css}" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="4" y2="{height - 20}"/>')
        if place in (0, len(ticks) - 1) or css == "zero":
            parts.append(
                f'<text class="tick" x="{x(tick):.1f}" y="{height - 6}" text-anchor="middle">'
                f"{escape(_tick(tick, text))}</text>"
            )
    for place, one in enumerate(rows):
        y = ROW * place + 14
        name = one.name if len(one.name) <= 20 else f"{one.name[:19]}…"
        parts.append(
            f'<text class="group" x="{LABEL - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
        )
        interval = ""
        if one.low is not None and one.high is not None:
            interval = f" ({text(one.low)} … {text(one.high)})"
            parts.append(
                f'<line class="whisker" x1="{x(one.low):.1f}" x2="{x(one.high):.1f}" y1="{y}" y2="{y}"/>'
            )
        parts.append(
            f'<circle class="now" cx="{x(one.difference):.1f}" cy="{y}" r="4"/>'
            f'<text class="group {one.sure}" x="{WIDTH - FIGURE + 12}" y="{y + 4}">'
            f"{escape(text(one.difference) + interval)}</text>"
        )
    return "".join([*parts, "</svg>"])
