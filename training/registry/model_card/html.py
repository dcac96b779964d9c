"""The model card as one HTML page that needs nothing else: its text, its tables, and its charts as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, math.inf)
WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 640, 190, 24, 26, 8, 26


@dataclass(frozen=True)
class Mark:
    """One value with its interval; hollow for a prediction, full for an outcome."""

    value: float
    low: float | None = None
    high: float | None = None
    full: bool = True


@dataclass(frozen=True)
class Chart:
    """Rows of marks on one scale."""

    title: str
    rows: tuple[tuple[str, tuple[Mark, ...]], ...]
    legend: tuple[str, str] | None = None
    """What a hollow and what a full mark is."""
    percent: bool = False


@dataclass(frozen=True)
class Section:
    """A heading with sentences, and a table or charts where they help."""

    title: str
    lines: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    """The first row holds the column heads."""
    charts: tuple[Chart, ...] = ()
    """Drawn on the page only; a table says the same."""


def page(title: str, sections: Sequence[Section], language: str) -> str:
    """The page."""
    body = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{escape(section.title)}</h2>")
        if section.lines:
            body.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in section.lines) + "</ul>")
        if section.charts:
            drawn = "".join(f"<figure>{''.join(_svg(chart))}</figure>" for chart in section.charts)
            body.append(f'<div class="charts">{drawn}</div>')
        if section.table:
            head, *rows = section.table
            body.append('<div class="wide"><table><thead>' + _row(head, "th") + "</thead><tbody>")
            body.append("".join(_row(row, "td") for row in rows) + "</tbody></table></div>")
    return _PAGE.format(language=language, title=escape(title), body="\n".join(body))


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{_cell(cell)}</{tag}>" for cell in cells) + "</tr>"


def _cell(text: str) -> str:
    """An interval stands below its value."""
    value, bracket, interval = text.partition(" (")
    return f"{escape(value)} <small>({escape(interval)}</small>" if bracket else escape(text)


def _svg(chart: Chart) -> Iterator[str]:
    marks = [mark for _, row in chart.rows for mark in row]
    ends = [end for mark in marks for end in (mark.value, mark.low, mark.high) if end is not None]
    low, high = min(ends), max(ends)
    low, high = (0.0 if chart.percent else low - 0.05 * (high - low)), high + 0.05 * (high - low) + 1e-9
    height = TOP + ROW * len(chart.rows) + BOTTOM

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def tick(value: float) -> str:
        return f"{value:.0%}" if chart.percent else f"{value:.3g}"

    yield f"<figcaption>{escape(chart.title)}"
    if chart.legend is not None:
        hollow, full = (escape(words) for words in chart.legend)
        yield f' <span class="key">○ {hollow} ● {full}</span>'
    yield f'</figcaption><svg viewBox="0 0 {WIDTH} {height}" role="img">'
    step = next(step for step in _STEPS if (high - low) / step <= 6)
    for value in (step * count for count in range(math.ceil(low / step), math.floor(high / step) + 1)):
        at = f"{x(value):.1f}"
        yield f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{height - BOTTOM}"/>'
        yield f'<text class="tick" x="{at}" y="{height - 8}">{tick(value)}</text>'
    for place, (label, row) in enumerate(chart.rows):
        y = TOP + ROW * place + ROW / 2
        strong = ' class="strong"' if place == 0 and chart.legend is None else ""
        yield f'<text x="0" y="{y + 4:.1f}"{strong}>{escape(label)}</text>'
        for mark in row:
            if mark.low is not None and mark.high is not None:
                yield f'<line class="span" x1="{x(mark.low):.1f}" x2="{x(mark.high):.1f}" y1="{y}" y2="{y}"/>'
            kind = "full" if mark.full else "hollow"
            yield f'<circle class="{kind}" cx="{x(mark.value):.1f}" cy="{y}" r="5"/>'
    yield "</svg>"


_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.7 system-ui, "Hiragino Sans", "Noto Sans JP", "Noto Sans CJK JP", sans-serif;
  color: #26323d; max-width: 62rem; margin: 2.5rem auto; padding: 0 1.25rem; }}
h1 {{ font-size: 1.7rem; border-bottom: 3px solid #0b6e8f; padding-bottom: .4rem; line-height: 1.3; }}
h2 {{ font-size: 1.15rem; margin: 2.2rem 0 .6rem; color: #0b6e8f; }}
ul {{ margin: .4rem 0 1rem; padding-left: 1.2rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; }}
th, td {{ padding: .45rem .8rem; border-bottom: 1px solid #e3e8ec; text-align: right; vertical-align: top; }}
th:first-child, td:first-child {{ text-align: left; white-space: nowrap; }}
thead th {{ border-bottom: 2px solid #c3ccd3; vertical-align: bottom; }}
td:nth-child(2) {{ font-weight: 600; }}
td small {{ display: block; white-space: nowrap; font-weight: 400; color: #5c6b77; }}
.charts {{ display: flex; flex-wrap: wrap; gap: 1.5rem; margin: 1rem 0; }}
figure {{ flex: 1 1 24rem; max-width: 34rem; margin: 0; }}
figcaption {{ font-size: .9rem; font-weight: 600; margin-bottom: .2rem; }}
.key {{ font-weight: 400; color: #5c6b77; margin-left: .6rem; }}
svg {{ width: 100%; height: auto; font-size: 13px; fill: #26323d; }}
svg .strong {{ font-weight: 600; }}
svg .tick {{ fill: #5c6b77; text-anchor: middle; font-size: 12px; }}
svg .grid {{ stroke: #e3e8ec; }}
svg .span {{ stroke: #0b6e8f; stroke-width: 2; }}
svg .full {{ fill: #0b6e8f; }}
svg .hollow {{ fill: #fff; stroke: #d1495b; stroke-width: 2; }}
@media print {{ body {{ margin: 0; max-width: none; }} h2 {{ break-after: avoid; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
