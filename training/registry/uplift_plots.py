"""The pictures of an uplift model: its Qini curve, and the uplift of each tenth of the customers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.causal.uplift_metrics import PER, QiniCurve, UpliftDecile
from training.registry.plots import MODEL, QUIET, RIVALS


def qini_figure(uplift: QiniCurve, response: QiniCurve) -> Figure:
    """Incremental outcomes by the share contacted, of the uplift model, the response model and at random."""
    figure = Figure(figsize=(7.2, 5.2), layout="tight")
    axes = figure.subplots()
    axes.plot([0, 1], [0, uplift.gain[-1]], color=QUIET, lw=1.2, ls=(0, (4, 3)), label="at random")
    axes.plot(response.share, response.gain, color=RIVALS[0], lw=1.4, label="response model")
    axes.plot(uplift.share, uplift.gain, color=MODEL, lw=2.0, label="uplift model")
    axes.set(
        xlim=(0, 1),
        xlabel="share of customers contacted, best first",
        ylabel=f"incremental outcomes per {PER:,} treated customers",
        title=f"Qini curve: {uplift.coefficient:.2f} above random, response model {response.coefficient:.2f}",
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False)
    return figure


def decile_figure(deciles: Sequence[UpliftDecile]) -> Figure:
    """The measured uplift of each tenth with its 95 % interval, and what was predicted."""
    figure = Figure(figsize=(7.2, 5.2), layout="tight")
    axes = figure.subplots()
    axes.axhline(0, color=QUIET, lw=1.0)
    measured = [(one, one.effect) for one in deciles if one.effect is not None]
    places = [one.decile for one, _ in measured]
    middle = np.array([effect.difference for _, effect in measured])
    low, high = (
        np.array([np.nan if end is None else end for end in ends])
        for ends in ([effect.low for _, effect in measured], [effect.high for _, effect in measured])
    )
    errors = np.nan_to_num(np.clip([middle - low, high - middle], 0, None))
    axes.errorbar(
        places, middle, yerr=errors, fmt="o", color=MODEL, capsize=3, label="measured, 95% interval"
    )
    predicted = [one.predicted for one in deciles]
    axes.plot([one.decile for one in deciles], predicted, color=RIVALS[0], lw=1.4, label="predicted")
    axes.set(
        xlabel="tenth of the customers, 1 the highest uplift",
        ylabel="treatment less control",
        title="Uplift by decile",
        xticks=[one.decile for one in deciles],
    )
    axes.legend(frameon=False)
    return figure
