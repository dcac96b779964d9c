"""What the model card reads off a bundle in any language: figures with intervals, tables, charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from features.timeline import Timeline
from training.explanation.text import tier_words
from training.registry.model_card.html import Chart, Mark

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.registry.gates import GateDecision

METRICS: dict[str, tuple[str, str, int]] = {
    "auc": ("AUC", "AUC", 3),
    "average_precision": ("average precision", "平均適合率", 3),
    "log_loss": ("log loss", "対数損失", 4),
    "brier": ("Brier score", "ブライアスコア", 4),
    "expected_calibration_error": ("calibration error", "キャリブレーション誤差", 4),
    "precision_at_capacity": ("share of the likeliest that left", "上位者の離反率", 3),
    "lift_at_capacity": ("lift of the likeliest", "上位者のリフト", 2),
}
"""Metric → its words in English and in Japanese, and its decimals."""

BASELINES = {
    "base_rate": ("base rate", "全体の離反率のみ"),
    "recency": ("recency alone", "最終利用日のみ"),
    "overdue": ("overdue ratio", "普段の間隔に対する経過"),
    "buy_till_you_die": ("buy till you die", "購買頻度モデル（BTYD）"),
    "rfm": ("logistic regression on RFM", "RFMのロジスティック回帰"),
}


class Writer:
    """What both languages read off the bundle."""

    place: Literal[0, 1] = 0

    def __init__(
        self,
        bundle: Bundle,
        decision: GateDecision | None,
        list_figures: Mapping[str, float] | None = None,
    ) -> None:
        self.bundle, self.decision = bundle, decision
        self.figures = {**bundle.figures, **(list_figures or {})}
        self.timeline = Timeline(bundle.timezone)
        self.trained = f"{self.timeline.local(bundle.trained_until):%Y-%m-%d %H:%M}"
        self.calendar: dict[str, list[str]] = dict(bundle.settings.get("calendar", {}))

    def rivals(self) -> dict[str, str]:
        """The baselines that were measured, with their words."""
        found = [name.split("/")[1] for name in self.figures if name.startswith("baseline/")]
        known = [*BASELINES, *sorted(set(found) - set(BASELINES))]
        return {name: self.words(name) for name in known if f"baseline/{name}/auc" in self.figures}

    def words(self, baseline: str) -> str:
        return BASELINES[baseline][self.place] if baseline in BASELINES else baseline.replace("_", " ")

    def mark(self, name: str, *, full: bool = True) -> Mark:
        low, high = (self.figures.get(f"{name}_{end}") for end in ("low", "high"))
        return Mark(self.figures[name], low, high, full)

    def interval(self, name: str, decimals: int, prefix: str = "") -> str:
        """0.812 (0.790–0.833); a dash where it was not measured."""
        return self.with_interval(prefix + name, lambda value: f"{value:.{decimals}f}")

    def share(self, name: str) -> str:
        """81% (79%–83%)."""
        return self.with_interval(name, lambda value: f"{value:.0%}")

    def lead(self, before: str, after: str) -> str:
        """The ends of the lead time's interval in words."""
        days = "日" if self.place else " days"
        ends = (self.figures.get(f"lead_days_{end}", self.figures["lead_days"]) for end in ("low", "high"))
        low, high = (f"{abs(end):.1f}{days}{before if end >= 0 else after}" for end in ends)
        return f"{low} – {high}"

    def with_interval(self, name: str, shown: Callable[[float], str]) -> str:
        value = self.figures.get(name)
        if value is None:
            return "–"
        low, high = (self.figures.get(f"{name}_{end}") for end in ("low", "high"))
        return shown(value) if low is None or high is None else f"{shown(value)} ({shown(low)}–{shown(high)})"

    def quality(self, place: Literal[0, 1], heads: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Metrics down, the model and the measured baselines across."""
        rivals = self.rivals()
        rows = [(*heads, *rivals.values())]
        for metric, words in METRICS.items():
            if metric in self.figures:
                mine = self.interval(metric, words[2])
                theirs = (self.interval(metric, words[2], f"baseline/{name}/") for name in rivals)
                rows.append((words[place], mine, *theirs))
        return tuple(rows) if len(rows) > 1 else ()

    def contest(self, model: str) -> tuple[Chart, ...]:
        """The model beside its rivals, with intervals."""
        rivals = {"": model} | self.rivals()
        return tuple(
            Chart(
                METRICS[metric][self.place],
                tuple(
                    (words, (self.mark(f"baseline/{name}/{metric}" if name else metric),))
                    for name, words in rivals.items()
                ),
            )
            for metric in ("auc", "log_loss")
            if metric in self.figures
        )

    def tiers(self, heads: tuple[str, str, str]) -> tuple[tuple[tuple[str, ...], ...], tuple[Chart, ...]]:
        """The mean prediction and the share that left, tier by tier: as a table and as a chart."""
        rows, drawn = [heads], []
        for at, name in enumerate(self.tier_names()):
            shown, happened = f"reliability/tier_{at}/said", f"reliability/tier_{at}/happened"
            if shown in self.figures and happened in self.figures:
                rows.append(
                    (name, f"{self.figures[shown]:.1%}", self.with_interval(happened, "{:.1%}".format))
                )
                drawn.append((name, (self.mark(happened), Mark(self.figures[shown], full=False))))
        if not drawn:
            return (), ()
        return tuple(rows), (Chart(heads[0], tuple(drawn), (heads[1], heads[2]), percent=True),)

    def tier_names(self) -> list[str]:
        return [tier_words(name, "ja" if self.place else "en") for name in self.bundle.tiers.names]

    def span(self, role: str) -> str:
        """The as-of dates of a role: first to last, and how many."""
        dates = self.calendar.get(role, [])
        if len(dates) < 2:
            return dates[0] if dates else "–"
        return f"{dates[0]} – {dates[-1]} ({len(dates)})"

    def counted(self, name: str) -> str:
        """How many of these the training saw."""
        return f"{int(self.bundle.settings.get(name, 0)):,}"

    def number(self, name: str) -> str:
        value = self.figures.get(name)
        return "–" if value is None else f"{value:,.0f}"
