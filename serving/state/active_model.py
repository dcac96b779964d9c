"""The bundle in use: a checked copy under `state/bundles/`, and the row that points at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import ModelError
from serving.state.database import Database
from training.bundle.model_bundle import Bundle

REMEDY = (
    "Delete this folder and run `kizuna score` to fetch the champion again, "
    "or train again with `kizuna train`."
)


@dataclass(frozen=True)
class ActiveModel:
    """The model that answers, with its version in the registry."""

    version: str
    bundle: Bundle


def adopt(records: Database, state: Path, version: str, folder: Path, now: int) -> ActiveModel:
    """Copy this bundle into the project and make it the one in use; a damaged one changes nothing."""
    bundle = Bundle.load(folder)
    home = _home(state, version, bundle.fingerprint)
    if home.is_dir():
        load(state, version, bundle.fingerprint)
    else:
        bundle.save(home)
    if records.champion() != (version, bundle.fingerprint):
        records.use_champion(version, bundle.fingerprint, now)
    return ActiveModel(version, bundle)


def in_use(records: Database, state: Path) -> ActiveModel:
    """The champion this project scores with."""
    pointer = records.champion()
    if pointer is None:
        raise no_champion()
    return load(state, *pointer)


def load(state: Path, version: str, fingerprint: str) -> ActiveModel:
    """A bundle that was in use, now or earlier."""
    home = _home(state, version, fingerprint)
    bundle = Bundle.load(home, remedy=REMEDY)
    if bundle.fingerprint != fingerprint:
        raise ModelError(
            f"the bundle at {home} is not the one that was put there: its fingerprint is "
            f"{bundle.fingerprint}. {REMEDY}"
        )
    return ActiveModel(version, bundle)


def no_champion() -> ModelError:
    return ModelError(
        "cannot score: no model has been promoted yet. Run `kizuna train` first, then `kizuna score`."
    )


def _home(state: Path, version: str, fingerprint: str) -> Path:
    return state / "bundles" / f"{version}-{fingerprint}"
