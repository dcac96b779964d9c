"""How right lifetime value is on histories: `python -m benchmarks.lifetime --data ../shared/data --json`.

Each history becomes a project of its own and is ingested. On each date a bundle is trained on what was known
then (`training.train.learn`), every customer known is scored, and what the record holds of their spend
afterwards judges the values: total, ranking (normalised Gini) and how many of those who could still leave
spent within their 80 % interval. `--speed` values a million made-up customers over 36 months instead.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.backtests import made
from benchmarks.histories import HISTORIES
from benchmarks.machine import machine
from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from features.event_store import EventStore
from features.timeline import Timeline
from serving.integrations.training import training_config
from serving.project.settings import Project
from serving.scoring.batch import score_customers
from training.bundle.lifetime.intervals import SpendIntervals
from training.bundle.lifetime.lifetime_model import LifetimeModel, ahead, spending_catalog
from training.bundle.lifetime.lifetime_values import LifetimeHorizons
from training.bundle.lifetime.parameters import ChurnHold, GammaGammaParameters, MbgNbdParameters
from training.bundle.lifetime.settings import ValueSettings
from training.data.extent import data_extent
from training.data.lifetime.purchase_rows import spent_between
from training.evaluation.lifetime_value_metrics import normalised_gini, total_error
from training.labels.settings import Churn, ChurnSettings
from training.train import learn

Floats = NDArray[np.float64]

DATES: Mapping[str, tuple[tuple[tuple[int, ...], tuple[str, ...]], ...]] = {
    "online_retail_ii": (
        ((12,), ("2010-09-01", "2010-11-01", "2010-12-01")),
        ((6,), ("2011-04-01", "2011-05-01", "2011-06-01")),
    ),
    "essec": (((12, 24, 36), ("2011-01-01", "2012-01-01", "2013-01-01", "2014-01-01", "2015-01-01")),),
    "cdnow_90": (((12,), ("1997-07-01",)), ((6,), ("1997-10-01", "1997-11-15", "1998-01-01"))),
    "complete_journey": (((3,), ("2017-08-01", "2017-09-01", "2017-10-01")), ((6,), ("2017-07-01",))),
}
"""The horizons, in months, and the dates on which each history is judged over them."""
MOST_SECONDS, MOST_BYTES, CUSTOMERS = 60.0, 2 * 2**30, 1_000_000


@dataclass(frozen=True)
class Judged:
    """The values of one date over one horizon, against what was spent."""

    history: str
    date: str
    months: int
    evidence: str
    customers: int
    in_cohort: int
    total_error: float
    normalised_gini: float
    gini_of_cohort: float
    covered: int
    """Customers of the cohort who spent within their interval."""


def judged(name: str, data: Path, scratch: Path) -> Iterator[Judged]:
    """Every date and horizon of a history."""
    project, store, _ = made(HISTORIES[name], data, scratch / name)
    for months, dates in DATES[name]:
        for date in dates:
            yield from _on_date(name, project, store, date, months)


def _on_date(
    name: str, project: Project, store: EventStore, date: str, months: tuple[int, ...]
) -> Iterator[Judged]:
    as_of, timeline = project.timeline.instant(date), project.timeline
    config = replace(training_config(project), value=ValueSettings(months=months))
    bundle, _ = learn(store, config, until=as_of)
    if bundle.lifetime is None:
        return
    covered = data_extent(store, None, bundle.churn, timeline, project.indicators).coverage.covered_until
    parts: list[tuple[Floats, Floats, Floats, Floats]] = []
    for whole, past in zip(store.histories(), store.histories(until=as_of), strict=True):
        found = score_customers(bundle, past, as_of).lifetime
        assert found is not None
        known = found.joined_month >= 0
        keys = past.keys[known]
        ends = [timeline.months_after(as_of, one) for one in months]
        starts = np.full(len(keys), as_of)
        spent = np.array([spent_between(whole, bundle.churn, keys, starts, end) for end in ends]).T
        parts.append((found.value[known], found.low[known], found.high[known], spent))
    value, low, high, spent = (np.concatenate([part[at] for part in parts]) for at in range(4))
    for at, one in enumerate(months):
        if timeline.months_after(as_of, one) > covered:
            continue
        mine = ~np.isnan(low[:, at])
        positive = np.maximum(spent[:, at], 0.0)
        inside = (positive >= low[:, at]) & (positive <= high[:, at])
        yield Judged(
            history=name,
            date=date,
            months=one,
            evidence=bundle.lifetime.horizons.evidence[at],
            customers=len(value),
            in_cohort=int(mine.sum()),
            total_error=total_error(value[:, at], spent[:, at]),
            normalised_gini=normalised_gini(value[:, at], spent[:, at]),
            gini_of_cohort=normalised_gini(value[mine, at], spent[mine, at]),
            covered=int(inside[mine].sum()),
        )


@dataclass(frozen=True)
class Summary:
    """The figures that the bars are about."""

    mean_error_12_months: float | None
    largest_error_12_months: float | None
    coverage: Mapping[int, float]
    """By the months of the horizon."""
    coverage_of_all: float


def summary(rows: list[Judged]) -> Summary:
    """The figures of all dates."""
    year = [abs(one.total_error) for one in rows if one.months == 12]
    horizons = sorted({one.months for one in rows})
    return Summary(
        mean_error_12_months=float(np.mean(year)) if year else None,
        largest_error_12_months=max(year, default=None),
        coverage={months: _coverage([one for one in rows if one.months == months]) for months in horizons},
        coverage_of_all=_coverage(rows),
    )


def _coverage(rows: list[Judged]) -> float:
    """The share of the cohorts' customers who spent within their interval."""
    return sum(one.covered for one in rows) / max(1, sum(one.in_cohort for one in rows))


def speed() -> dict[str, float]:
    """Seconds and bytes to value a million customers over 12, 24 and 36 months, without reading a store."""
    features = catalog(indicators({}), FeatureSettings(), ("purchase",))
    churn = Churn.of(ChurnSettings.model_validate({}), features.indicators)
    model = LifetimeModel(
        horizons=LifetimeHorizons((12, 24, 36), ("normal",) * 3, (0.12,) * 3),
        catalog=spending_catalog(features, churn),
        population=MbgNbdParameters(0.75, 70.0, 0.2, 5.0),
        spend=GammaGammaParameters(2.5, 3.6, 400.0),
        levels=(1.1, 1.0, 1.0),
        intervals=(SpendIntervals((-3.0, 3.0), (0.0, 0.3), (3.0, 1.5)),) * 3,
        unit=1.0,
        scale=1.0,
        learned=None,
        churn=ChurnHold(90.0, (1.0, 1.0, 1.0)),
    )
    draw = np.random.default_rng(0)
    whole = draw.uniform(1.0, 1_500.0, CUSTOMERS)
    days = 1.0 + draw.poisson(whole / 60.0)
    since = np.where(days > 1, whole * draw.random(CUSTOMERS), whole)
    facts = np.column_stack([days, whole, since, days * draw.gamma(2.0, 200.0, CUSTOMERS)])
    nothing = np.empty((CUSTOMERS, 0))
    none = np.zeros(CUSTOMERS, dtype=np.bool_)
    chance = draw.random(CUSTOMERS)
    model.values(facts[:10], nothing[:10], none[:10], np.array([365.0, 730.0, 1095.0]), chance[:10])
    began, worked = time.perf_counter(), time.process_time()
    days = ahead(Timeline().instant("2015-01-01"), model.months, Timeline())
    model.values(facts, nothing, none, days, chance)
    seconds = time.perf_counter() - began
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "most_seconds": MOST_SECONDS,
        "most_bytes": MOST_BYTES,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of the public histories")
    parser.add_argument("--sets", nargs="*", default=list(DATES), choices=list(DATES))
    parser.add_argument("--speed", action="store_true", help="the speed alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.speed:
        print(json.dumps({"speed": speed(), "machine": machine()}))
        return
    if options.data is None:
        parser.error("--data names the folder of the public histories")
    with tempfile.TemporaryDirectory() as scratch:
        rows = [one for name in options.sets for one in judged(name, options.data, Path(scratch))]
    if options.json:
        print(
            json.dumps({"dates": [vars(one) for one in rows], **asdict(summary(rows)), "machine": machine()})
        )
        return
    for one in rows:
        print(
            f"{one.history:17} {one.date} {one.months:2} months {one.evidence:6} {one.customers:6,}: "
            f"total {one.total_error:+.3f}  Gini {one.normalised_gini:.4f} ({one.gini_of_cohort:.4f} of the "
            f"cohort)  covered {one.covered / max(1, one.in_cohort):.3f}"
        )
    print(summary(rows))


if __name__ == "__main__":
    main()
