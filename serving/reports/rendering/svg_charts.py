"""Charts as SVG text that stands inside a page: a line with its interval, and groups as dots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 12, 26
ROW, LABEL = 20, 150

Numbers = Sequence[float | None]


def line(
    names: Sequence[str],
    values: Numbers,
    bands: tuple[Numbers, Numbers],
    before: Numbers,
    text: Callable[[float], str],
    label: str = "",
) -> str:
    """Values by month with the band of their intervals; `before` (last year) as a dashed line.

    `label` says what the chart shows to whoever does not see it.
    """
    known = [v for series in (values, *bands, before) for v in series if v is not None]
    if not known:
        return ""
    ticks = nice(min(known), max(known))
    low, high = ticks[0], ticks[-1]
    step = (WIDTH - LEFT - RIGHT) / max(len(names) - 1, 1)

    def x(place: int) -> float:
        return LEFT + (step * place if len(names) > 1 else (WIDTH - LEFT - RIGHT) / 2)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = [_svg(f"0 0 {WIDTH} {HEIGHT}", label)]
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{text(tick)}</text>'
        )
    every = math.ceil(len(names) / 12)
    for place, name in enumerate(names):
        if place % every == 0:
            parts.append(_text("tick", x(place), HEIGHT - 8, "middle", name[2:]))
    both = [
        (i, lo, hi)
        for i, (lo, hi) in enumerate(zip(*bands, strict=True))
        if lo is not None and hi is not None
    ]
    if len(both) > 1:
        edge = [f"{x(i):.1f},{y(hi):.1f}" for i, _, hi in both]
        edge += [f"{x(i):.1f},{y(lo):.1f}" for i, lo, _ in reversed(both)]
        parts.append(f'<polygon class="band" points="{" ".join(edge)}"/>')
    for css, series in (("before", before), ("now", values)):
        points = [f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(series) if v is not None]
        parts.append(f'<polyline class="{css}" points="{" ".join(points)}"/>')
        if css == "now":
            parts += [
                f'<circle class="now" cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3"/>' for p in points
            ]
    return "".join([*parts, "</svg>"])


def dots(
    rows: Sequence[tuple[str, float, float | None, float | None]],
    text: Callable[[float], str],
    label: str = "",
) -> str:
    """One line per group: a dot with its interval, and the figure."""
    known = [v for _, value, low, high in rows for v in (value, low, high) if v is not None]
    ticks = nice(min(0.0, *known), max(known))
    low_end, high_end = ticks[0], ticks[-1]
    height = ROW * len(rows) + 24

    def x(value: float) -> float:
        return LABEL + (WIDTH - LABEL - 84) * (value - low_end) / (high_end - low_end)

    parts = [_svg(f"0 0 {WIDTH} {height}", label)]
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="4" y2="{height - 20}"/>')
        parts.append(
            f'<text class="tick" x="{x(tick):.1f}" y="{height - 6}" text-anchor="middle">{text(tick)}</text>'
        )
    for place, (name, value, low, high) in enumerate(rows):
        y = ROW * place + 14
        parts.append(_text("group", LABEL - 10, y + 4, "end", _short(name)))
        if low is not None and high is not None:
            ends = f'x1="{x(max(low, low_end)):.1f}" x2="{x(min(high, high_end)):.1f}"'
            parts.append(f'<line class="whisker" {ends} y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="now" cx="{x(value):.1f}" cy="{y}" r="4"/>')
        parts.append(f'<text class="group" x="{WIDTH - 78}" y="{y + 4}">{text(value)}</text>')
    return "".join([*parts, "</svg>"])


def sparkline(values: Numbers, before: Numbers, label: str) -> str:
    """Values by month as a line without axes, `before` (last year) dashed; empty where nothing is known."""
    known = [v for series in (values, before) for v in series if v is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    room = (high - low) or 1.0
    wide, tall, edge = 120, 34, 3
    step = wide / max(len(values) - 1, 1)

    def points(series: Numbers) -> str:
        return " ".join(
            f"{step * i:.1f},{edge + (tall - 2 * edge) * (high - v) / room:.1f}"
            for i, v in enumerate(series)
            if v is not None
        )

    lines = "".join(
        f'<polyline class="{css}" points="{points(series)}"/>'
        for css, series in (("before", before), ("now", values))
        if any(v is not None for v in series)
    )
    return _svg(f"0 0 {wide} {tall}", label, ' class="spark" preserveAspectRatio="none"') + f"{lines}</svg>"


def nice(low: float, high: float) -> list[float]:
    """A few round numbers that span a range."""
    if high - low < 1e-12:
        pad = abs(high) * 0.1 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / 3
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * n for n in range(first, last + 1)]


def _svg(box: str, label: str, more: str = "") -> str:
    named = f' aria-label="{escape(label)}"' if label else ""
    return f'<svg viewBox="{box}" role="img"{named}{more}>'


def _text(css: str, x: float, y: float, anchor: str, words: str) -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"
