"""The copy of the champion that the project keeps is the one that was put there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from features.errors import ModelError
from serving.state.active_model import import_bundle, load
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


def test_scoring_refuses_a_damaged_copy_and_goes_on_once_it_is_gone(tmp_path: Path) -> None:
    put, artifact = bundle(), tmp_path / "artifact"
    put.save(artifact)
    home = tmp_path / "bundles" / f"1-{put.fingerprint}"
    import_bundle(tmp_path, "1", artifact)
    with (home / "bundle.json").open("a", encoding="utf-8") as file:
        file.write("x")
    with pytest.raises(ModelError) as refusal:
        import_bundle(tmp_path, "1", artifact)
    assert str(refusal.value) == (
        f"the bundle at {home} is damaged: bundle.json does not match its checksum. {REMEDY}"
    )
    shutil.rmtree(home)
    assert import_bundle(tmp_path, "1", artifact).bundle == put
