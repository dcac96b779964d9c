"""Feature selection: which columns the trees of a wide catalogue may split on.

A catalogue of hundreds of columns says many things several times over. Quick models of churn, tier and value
on a sample of the rows tell by total gain which columns they use; the rest are left out. On a simulated
service of 554 columns the 172 chosen ones ranked as well on later dates as all did (docs/quality.md), in less
than half of the time. Explanations and the regression know every column all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from lightgbm import Booster
from numpy.typing import NDArray

from training.data.customer_hashes import first_by_hash
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.lightgbm import VALUE_POWERS, BinnedRows, TreeParameters, fit_churn, fit_tier, fit_value

MOST_COLUMNS = 200
"""With more columns than this they are chosen."""
FEWEST_ROWS = 20_000
"""Rows without which they are not: fewer tell columns apart too badly, and take no time."""
SAMPLE = 20_000
"""Rows that the quick models learn from."""
OF_EACH = 100
"""Columns that are taken of each of the three models; they share most."""
TREES_SHARE = 3
"""A third of the trees, in steps three times as large."""


def choose_columns(
    settings: TreeParameters,
    rows: LabelledRows,
    tier_next: Callable[[LabelledRows], NDArray[np.int8]] | None,
    tiers: int,
) -> NDArray[np.int64] | None:
    """int64[k], ascending: the columns that models of these rows may split on; None for all of them.

    `tier_next` gives the tier of each row in the next period; where it is None tiers have no say.
    """
    if len(rows.columns) <= MOST_COLUMNS or len(rows) < FEWEST_ROWS:
        return None
    if rows.churned.all() or not rows.churned.any():
        return None
    some = rows.where(np.sort(first_by_hash(rows.hashes, rows.as_of, SAMPLE)))
    quick = replace(
        settings,
        trees=max(1, settings.trees // TREES_SHARE),
        rate=TREES_SHARE * settings.rate,
    )
    chosen = np.zeros(len(rows.columns), dtype=bool)
    for model in _quick_models(quick, some, None if tier_next is None else tier_next(some), tiers):
        gain = model.feature_importance("gain")
        chosen[[place for place in np.argsort(-gain, kind="stable")[:OF_EACH] if gain[place] > 0]] = True
    return np.flatnonzero(chosen)


def _quick_models(
    settings: TreeParameters, rows: LabelledRows, tier: NDArray[np.int8] | None, tiers: int
) -> Iterator[Booster]:
    binned, stayed = BinnedRows.of(settings, rows), rows.where(~rows.churned)
    yield fit_churn(settings, binned, rows.churned, rows.as_of, rows.weight)
    if tier is not None:
        yield fit_tier(settings, binned, tier, tiers, rows.weight)
    if (stayed.value > 0).any():
        yield fit_value(
            settings, VALUE_POWERS[1], BinnedRows.of(settings, stayed), stayed.value, stayed.weight
        )
