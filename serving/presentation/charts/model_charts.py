"""Charts of a model's card as SVG: are its probabilities right, and whom does the list reach."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from features.catalog.display_names import in_language
from training.bundle.model_card_file import ReliabilityPoint, StoredModelCard

SIZE, LEFT, BOTTOM, TOP, RIGHT = 420, 52, 40, 12, 24
MODEL = "model"
STEPS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.08, 0.1, 0.15, 0.2)
"""Distances between two lines of the grid; there are five."""


def reliability_chart(points: Sequence[ReliabilityPoint], language: str) -> str:
    """Predicted against what happened, a point with its interval for each tenth of the rows."""
    highest = max(max(one.predicted, one.high) for one in points)
    reach = 5 * next((step for step in STEPS if 5 * step >= highest), STEPS[-1])
    label = in_language(language, "Predicted and actual churn: ", "予測と実際の離反率：") + ", ".join(
        f"{one.predicted:.1%} → {one.happened:.1%}" for one in points
    )
    parts = [*_frame(label, reach), _diagonal()]
    for one in points:
        x = _x(one.predicted / reach)
        parts.append(
            f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" '
            f'y1="{_y(one.low / reach):.1f}" y2="{_y(one.high / reach):.1f}"/>'
            f'<circle class="now" cx="{x:.1f}" cy="{_y(one.happened / reach):.1f}" r="4.5"/>'
        )
    return "".join([*parts, *_axes("predicted", "happened", language), "</svg>"])


def gains_chart(card: StoredModelCard, language: str) -> str:
    """The share of leavers reached at each depth of the list; rivals are dashed."""
    curve = card.gains[MODEL]
    tenth = curve[round((len(curve) - 1) / 10)]
    label = in_language(
        language,
        f"The likeliest 10% hold {tenth:.0%} of those who left.",
        f"離反確率の上位10%に、離反した顧客の{tenth:.0%}が含まれます。",
    )
    parts = [*_frame(label, 1.0), _diagonal()]
    for name, reached in sorted(card.gains.items(), key=lambda one: one[0] == MODEL):
        points = " ".join(
            f"{_x(place / (len(reached) - 1)):.1f},{_y(share):.1f}" for place, share in enumerate(reached)
        )
        parts.append(f'<polyline class="{"now" if name == MODEL else "before"}" points="{points}"/>')
    return "".join([*parts, *_axes("approached", "reached", language), "</svg>"])


_WORDS = {
    "predicted": ("predicted", "予測"),
    "happened": ("left", "実際の離反率"),
    "approached": ("customers approached", "連絡する顧客の割合"),
    "reached": ("leavers reached", "離反した顧客の捕捉率"),
}


def _frame(label: str, reach: float) -> list[str]:
    """The opening tag with the grid and its ticks."""
    parts = [f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="{escape(label)}">']
    digits = 0 if reach > 0.2 else 1
    for step in range(6):
        share = step / 5
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{SIZE - RIGHT}" '
            f'y1="{_y(share):.1f}" y2="{_y(share):.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">'
            f"{share * reach:.{digits}%}</text>"
            f'<text class="tick" x="{_x(share):.1f}" y="{SIZE - BOTTOM + 16}" text-anchor="middle">'
            f"{share * reach:.{digits}%}</text>"
        )
    return parts


def _diagonal() -> str:
    return f'<line class="zero" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke-dasharray="4 4"/>'


def _axes(below: str, beside: str, language: str) -> list[str]:
    return [
        f'<text class="group" x="{(LEFT + SIZE - RIGHT) / 2}" y="{SIZE - 6}" text-anchor="middle">'
        f"{escape(in_language(language, *_WORDS[below]))}</text>",
        f'<text class="group" x="{LEFT + 6}" y="{TOP + 14}">'
        f"↑ {escape(in_language(language, *_WORDS[beside]))}</text>",
    ]


def _x(share: float) -> float:
    return LEFT + (SIZE - LEFT - RIGHT) * share


def _y(share: float) -> float:
    return SIZE - BOTTOM - (SIZE - TOP - BOTTOM) * share
