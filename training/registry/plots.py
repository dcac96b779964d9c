"""The pictures of a run: are probabilities right, whom does the list reach, what drives the model.

Figures stand on their own (no pyplot state), sized for MLflow's artifact view. Words on them are English:
fonts with Japanese are not on every machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from training.data.contact_weights import representative_rows
from training.registry.curves import reached_share, reliability_bins
from training.registry.plot_labels import feature_label

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.evaluate import Evaluation

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

INK, MODEL, QUIET, LINE = "#26323d", "#0b6e8f", "#9aa7b1", "#e3e8ec"
RIVALS = ("#d1495b", "#e9a23b", "#7a6fb0", "#5b8c5a", "#a0785a")
POINTS = 400
"""Points a curve is drawn with, however many rows there are."""


def drawn(bundle: Bundle, evidence: Evaluation) -> dict[str, Figure]:
    """Every figure of a run, by its name in MLflow."""
    at = representative_rows(evidence.rows)
    rows, p = evidence.rows.where(at), evidence.probability[at]
    rivals = {name: of_rival[at] for name, of_rival in evidence.rivals.items()}
    tiers = evidence.tier_next[at], evidence.tier_predicted[at]
    sample = evidence.sample
    contributions = bundle.contributions(sample)
    return {
        "reliability": reliability(p, rows.churned, rows.keys),
        "gains": gains(p, rows.churned, rivals),
        "precision_recall": precision_recall(p, rows.churned, rivals),
        "shap_beeswarm": beeswarm(contributions, sample, bundle.catalog),
        "shap_dependence": dependence(contributions, sample, bundle),
        "tier_confusion": tier_confusion(*tiers, bundle.tiers.names),
    }


def reliability(probability: Floats, churned: Flags, customers: NDArray[np.int64]) -> Figure:
    """Mean prediction against the share that left, in bins of equally many rows, with 95 % intervals.

    The intervals resample customers, not rows: one customer may stand in several as-of dates.
    """
    bins = reliability_bins(probability, churned, customers)
    predicted, happened, low, high = bins.predicted, bins.happened, bins.low, bins.high

    figure = Figure(figsize=(7.2, 7.2), layout="tight")
    top, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    reach = min(1.0, 1.1 * float(max(predicted.max(), np.nanmax(high), 0.02)))
    top.plot([0, reach], [0, reach], color=QUIET, lw=1.2, ls=(0, (4, 3)), label="exactly right", zorder=1)
    errors = np.clip([happened - low, high - happened], 0, None)
    top.errorbar(
        predicted,
        happened,
        yerr=errors,
        fmt="o",
        ms=7,
        color=MODEL,
        ecolor=MODEL,
        elinewidth=1.6,
        capsize=3,
        label="a tenth of the rows each, with its 95% interval",
        zorder=3,
    )
    mean, rate = float(probability.mean()), float(churned.mean())
    top.set(ylabel="share that left", xlim=(0, reach), ylim=(0, reach))
    _titled(
        top,
        "Do customers leave as often as the model says?",
        f"{len(churned):,} rows of {len(np.unique(customers)):,} customers · said {mean:.1%} on average · "
        f"{rate:.1%} left",
    )
    _legend(top, "upper left")
    below.hist(np.clip(probability, 0, reach), bins=40, range=(0, reach), color=MODEL, alpha=0.75)
    below.set(xlabel="predicted probability of leaving", ylabel="rows")
    below.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    for axes in (top, below):
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        _plain(axes)
    top.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return figure


def gains(probability: Floats, churned: Flags, rivals: Mapping[str, Floats]) -> Figure:
    """How many of those who leave are reached by approaching the likeliest first; and the lift of that."""
    figure = Figure(figsize=(11, 5), layout="tight")
    left, right = figure.subplots(1, 2)
    depth = np.linspace(0, 1, POINTS)
    left.plot([0, 1], [0, 1], color=QUIET, lw=1.2, ls=(0, (4, 3)), label="at random")
    for name, p, style in _contenders(probability, rivals):
        reached = reached_share(p, churned, depth)
        left.plot(depth, reached, label=name, **style)
        right.plot(depth[4:], reached[4:] / depth[4:], **style)
    tenth = float(np.interp(0.1, depth, reached_share(probability, churned, depth)))
    left.plot([0.1], [tenth], "o", color=MODEL, ms=7, zorder=5)
    left.annotate(
        f"the likeliest 10% hold {tenth:.0%}\nof those who left",
        (0.1, tenth),
        (0.24, max(tenth - 0.17, 0.05)),
        color=MODEL,
        arrowprops={"arrowstyle": "-", "color": MODEL, "lw": 1},
    )
    left.set(xlabel="customers approached, likeliest first", ylabel="share of leavers reached")
    left.set(xlim=(0, 1), ylim=(0, 1.02))
    left.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _titled(left, "Whom does the list reach?", f"{int(churned.sum()):,} of {len(churned):,} rows left")
    _legend(left, "lower right")
    right.axhline(1.0, color=QUIET, lw=1.2, ls=(0, (4, 3)))
    right.set(xlabel="customers approached, likeliest first", ylabel="times the leavers of a random list")
    right.set(xlim=(0, 1), ylim=(0, None))
    _titled(right, "Lift", "how much better than approaching at random")
    for axes in (left, right):
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        _plain(axes)
    return figure


def precision_recall(probability: Floats, churned: Flags, rivals: Mapping[str, Floats]) -> Figure:
    """How many on the list really leave, against how many of the leavers are on it."""
    figure = Figure(figsize=(7.2, 5.4), layout="tight")
    axes = figure.subplots()
    rate = float(churned.mean())
    axes.axhline(rate, color=QUIET, lw=1.2, ls=(0, (4, 3)), label=f"at random ({rate:.1%})")
    for name, p, style in _contenders(probability, rivals):
        order = np.argsort(-p, kind="stable")
        hits = np.cumsum(churned[order])
        ends = np.flatnonzero(np.r_[np.diff(p[order]) != 0, True])
        recall, precision = hits[ends] / max(hits[-1], 1), hits[ends] / (ends + 1)
        # The first few rows jump about between 0 and 100 %: curves begin at 1 % of the leavers.
        at = np.linspace(0.01, 1, POINTS)
        average = float(np.sum(np.diff(np.r_[0.0, recall]) * precision))
        axes.plot(at, np.interp(at, recall, precision), label=f"{name} (average {average:.2f})", **style)
    axes.set(xlabel="share of leavers on the list (recall)", xlim=(0, 1), ylim=(0, None))
    axes.set_ylabel("share of the list that leaves (precision)")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _titled(axes, "How pure is the list?", f"{int(churned.sum()):,} of {len(churned):,} rows left")
    _legend(axes, "upper right")
    _plain(axes)
    return figure


def beeswarm(contributions: Floats, matrix: Floats, catalog: Catalog, *, top: int = 14) -> Figure:
    """shap's beeswarm of the features that move the risk most; contributions are float64[n, f + 1]."""
    with warnings.catch_warnings():
        # shap 0.51 sets up its colour maps in a way that matplotlib 3.11 will deprecate.
        warnings.filterwarnings("ignore", "The set_(bad|over|under) function", PendingDeprecationWarning)
        import shap

    names = [feature_label(catalog, place, 46) for place in range(len(catalog.columns))]
    explanation = shap.Explanation(
        values=contributions[:, :-1],
        base_values=contributions[:, -1],
        data=matrix,
        feature_names=names,
    )
    shown = min(top, len(names))
    figure = Figure(figsize=(11, 1.6 + 0.5 * shown), layout="tight")
    axes = figure.subplots()
    with warnings.catch_warnings():
        # A feature that says nothing of any row shown has no colour: shap takes percentiles of its values.
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        shap.plots.beeswarm(
            explanation,
            max_display=shown,
            ax=axes,
            show=False,
            plot_size=None,
            s=9,
            group_remaining_features=False,
            color_bar_label="value of the feature",
        )
    axes.tick_params(axis="y", labelsize=9.5, length=0)
    axes.set_xlabel("← lowers the risk        log-odds        raises the risk →", color=INK, fontsize=10.5)
    _titled(axes, "What moves the risk?", f"one dot per customer, {len(matrix):,} of the test rows")
    return figure


def dependence(contributions: Floats, matrix: Floats, bundle: Bundle, *, top: int = 6) -> Figure:
    """How each of the strongest features moves the risk along its values; where it says nothing, at the left.

    The line is the median contribution in bins of equally many customers.
    """
    catalog = bundle.catalog
    strongest = np.argsort(-np.abs(contributions[:, :-1]).mean(axis=0), kind="stable")[:top].tolist()
    columns = min(3, len(strongest))
    figure = Figure(figsize=(4.2 * columns, 3.5 * -(-len(strongest) // columns) + 0.6), layout="tight")
    grid = figure.subplots(-(-len(strongest) // columns), columns, squeeze=False, sharey=True)
    figure.suptitle(
        "Along each feature, how much does it move the risk?",
        x=0.01, ha="left", fontsize=13, color=INK, fontweight="bold",
    )  # fmt: skip
    for axes in grid.flat[len(strongest) :]:
        axes.set_visible(False)
    for place, (axes, at) in enumerate(zip(grid.flat, strongest, strict=False)):
        x, moved = matrix[:, at], contributions[:, at]
        known = ~np.isnan(x)
        low, high = np.quantile(x[known], [0.0, 0.98]) if known.any() else (0.0, 1.0)
        axes.axhline(0.0, color=QUIET, lw=1.0, ls=(0, (4, 3)))
        axes.plot(np.clip(x[known], low, high), moved[known], "o", ms=2.6, alpha=0.25, color=MODEL, mew=0)
        middle = _medians(np.clip(x[known], low, high), moved[known])
        axes.plot(*middle, color=RIVALS[0], lw=2.0)
        reach = max(high - low, 1e-9)
        if not known.all():
            spread = np.random.default_rng(0).uniform(-0.02, 0.02, int((~known).sum()))
            at_left = low - (0.1 - spread) * reach
            axes.plot(at_left, moved[~known], "o", ms=2.6, alpha=0.25, color=QUIET, mew=0)
            axes.axvline(low - 0.05 * reach, color=LINE, lw=1.0)
        axes.set_title(feature_label(catalog, at, 40), loc="left", fontsize=9.5, color=INK)
        axes.set_xlim(low - (0.15 if not known.all() else 0.04) * reach, high + 0.04 * reach)
        if place % columns == 0:
            axes.set_ylabel("log-odds (above 0: raises)")
        axes.set_xlabel("" if known.all() else "grey, at the left: nothing known")
        _plain(axes)
        axes.xaxis.label.set(fontsize=8.5)
    return figure


def tier_confusion(actual: NDArray[np.int8], predicted: NDArray[np.int8], names: Sequence[str]) -> Figure:
    """Predicted against actual tier of the next period; each row of the table sums to 100 %."""
    size = len(names)
    counts = np.zeros((size, size))
    np.add.at(counts, (actual, predicted), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(1.9 + 1.05 * size, 1.9 + 0.85 * size), layout="tight")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row in range(size):
        for column in range(size):
            axes.text(
                column,
                row,
                f"{shares[row, column]:.0%}\n{counts[row, column]:,.0f}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shares[row, column] > 0.55 else INK,
            )
    labels = [name if name.isascii() else f"tier {at + 1}" for at, name in enumerate(names)]
    axes.set_xticks(range(size), labels)
    axes.set_yticks(range(size), labels)
    axes.set_xlabel("predicted tier", color=INK, fontsize=10.5)
    axes.set_ylabel("actual tier of the next period", color=INK, fontsize=10.5)
    right = float((actual == predicted).mean()) if len(actual) else 0.0
    _titled(
        axes, "Where will engagement be next?", f"{right:.0%} of {len(actual):,} rows in the tier predicted"
    )
    axes.tick_params(length=0, colors=INK)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def _medians(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The middle of each of at most twelve equally full bins of x, and the median of y in it."""
    cuts = np.unique(np.quantile(x, np.arange(1, 12) / 12)) if len(x) else np.empty(0)
    bins = np.searchsorted(cuts, x, side="left")
    full = np.unique(bins)
    return (
        np.array([np.median(x[bins == one]) for one in full]),
        np.array([np.median(y[bins == one]) for one in full]),
    )


def _contenders(
    probability: Floats, rivals: Mapping[str, Floats]
) -> list[tuple[str, Floats, dict[str, Any]]]:
    """The model over its rivals, each with how its line looks; constant ones show nothing."""
    lines: list[tuple[str, Floats, dict[str, Any]]] = []
    telling = {name: p for name, p in rivals.items() if np.ptp(p) > 0}
    for at, (name, p) in enumerate(telling.items()):
        look = {"color": RIVALS[at % len(RIVALS)], "lw": 1.4, "alpha": 0.9}
        lines.append((name.replace("_", " ").replace("rfm", "RFM"), p, look))
    return [*lines, ("Kizuna", probability, {"color": MODEL, "lw": 2.6, "zorder": 4})]


def _titled(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, loc="left", fontsize=13, color=INK, fontweight="bold", pad=24)
    axes.annotate(
        below,
        (0, 1),
        (0, 8),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9.5,
        color="#5c6b77",
    )


def _plain(axes: Axes) -> None:
    axes.grid(color=LINE, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0, labelsize=9.5)
    for name in ("xaxis", "yaxis"):
        getattr(axes, name).label.set(color=INK, fontsize=10.5)
    for side, line in axes.spines.items():
        line.set_visible(side in {"left", "bottom"})
        line.set_color("#c3ccd3")


def _legend(axes: Axes, where: Literal["upper left", "upper right", "lower right"]) -> None:
    axes.legend(loc=where, frameon=False, fontsize=9.5, labelcolor=INK)
