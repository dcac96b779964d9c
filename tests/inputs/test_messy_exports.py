"""Exports as dirty as real ones: what is read of them is what the clean ones say, or they are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from features.errors import UsageError
from features.simulation.dirt import DIRT
from features.simulation.simulate import simulate
from tests.messy import Reading, compare, read

MOST_DIFFERENT = 0.001
"""The share of customers who may differ."""


def test_every_kind_of_dirt_at_once_changes_nobody(tmp_path: Path) -> None:
    seed = int(os.environ.get("KIZUNA_PROOF_SEED", "1"))
    customers = int(os.environ.get("KIZUNA_PROOF_CUSTOMERS", "150"))
    found = compare(tmp_path, seed=seed, customers=customers, months=10, share=0.1)
    print(f"seed {seed}: {len(found.different)} of {customers} differ; {found.refusal or 'not refused'}")
    refusal = os.environ.get("KIZUNA_PROOF_REFUSAL")
    if found.refusal and refusal:
        Path(refusal).write_text(found.refusal, encoding="utf-8")
        return
    assert not found.refusal
    assert found.share <= MOST_DIFFERENT, found.different


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    folder = tmp_path_factory.mktemp("clean") / "service"
    simulate(folder, customers=50, months=6, seed=2)
    return read(folder)


@pytest.mark.parametrize("kind", DIRT)
def test_each_kind_of_dirt_alone_is_read(kind: str, clean: Reading, tmp_path: Path) -> None:
    found = compare(tmp_path, seed=2, customers=50, months=6, share=0.4, dirt=[kind], clean=clean)
    assert (found.refusal, found.different) == ("", ())


def test_dirt_that_there_is_not_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^cannot make exports messy by 'mud': there is no such kind of dirt\."
    ):
        simulate(tmp_path / "service", customers=10, months=2, seed=1, messy=0.1, dirt=["mud"])
    assert not (tmp_path / "service").exists()


def test_the_same_seed_gives_the_same_messy_exports(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate(tmp_path / name, customers=40, months=6, seed=3, messy=0.2)
    files = [file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.*")]
    assert len([file for file in files if file.suffix == ".csv"]) >= 12
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
