"""Training whose rows are made by the workers of a cluster gives the bundle of one process, byte for byte."""

from __future__ import annotations

from pathlib import Path

from features.execution.dask import open_engine
from tests.training.simulated import NOW, plan, shop_with_regions
from training.train import learn


def test_the_bundle_and_every_figure_are_those_of_this_process(tmp_path: Path) -> None:
    store = shop_with_regions(250, 220).store(tmp_path)
    expected, evidence = learn(store, plan(), until=None, now=NOW)
    with open_engine("local:2") as engine:
        found, again = learn(store, plan(), until=None, now=NOW, engine=engine)
        buckets = sum(use.buckets for use in engine.used.values())
    assert found.fingerprint == expected.fingerprint
    assert again.figures == evidence.figures
    # extent, its coverage, details, priors, levels, populations, rows, dates of attributes, lifetime value
    assert buckets >= 8 * len(store.buckets)
