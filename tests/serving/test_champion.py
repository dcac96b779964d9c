"""The copy of the champion that the project keeps is the one that was put there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from features.errors import ModelError
from serving.champion import load
from tests.training.trained import bundle

REMEDY = (
    "Delete this folder and run `kizuna score` to fetch the champion again, "
    "or train again with `kizuna train`."
)


def test_another_bundle_in_the_place_of_the_champion_is_refused(tmp_path: Path) -> None:
    put, other = bundle(), bundle(amounts=False)
    home = tmp_path / "bundles" / f"1-{put.fingerprint}"
    put.save(home)
    assert load(tmp_path, "1", put.fingerprint).bundle == put
    shutil.rmtree(home)
    other.save(home)
    with pytest.raises(ModelError) as refusal:
        load(tmp_path, "1", put.fingerprint)
    assert str(refusal.value) == (
        f"the bundle at {home} is not the one that was put there: its fingerprint is "
        f"{other.fingerprint}. {REMEDY}"
    )


def test_a_damaged_copy_is_fetched_again_by_scoring(tmp_path: Path) -> None:
    put = bundle()
    home = tmp_path / "bundles" / f"1-{put.fingerprint}"
    put.save(home)
    (home / "tier.txt").unlink()
    with pytest.raises(ModelError) as refusal:
        load(tmp_path, "1", put.fingerprint)
    assert str(refusal.value) == f"the bundle at {home} is damaged: tier.txt cannot be read. {REMEDY}"
