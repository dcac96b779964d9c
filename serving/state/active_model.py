"""The bundle in use: a checked copy under `state/bundles/`, and the row that points at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import ModelError
from serving.state.database import Database
from serving.state.remote.state_files import share
from serving.state.scores.score_index import current_champion
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

    @property
    def pointer(self) -> tuple[str, str]:
        """Version and fingerprint, as the database has them."""
        return self.version, self.bundle.fingerprint


def import_bundle(state: Path, version: str, folder: Path) -> ActiveModel:
    """Copy this bundle into the project, checked; it is in use only once `use_scores` says so."""
    bundle = Bundle.load(folder)
    home = _home(state, version, bundle.fingerprint)
    if home.is_dir():
        load(state, version, bundle.fingerprint)
    else:
        bundle.save(home)
        share(home)
    return ActiveModel(version, bundle)


def in_use(records: Database, state: Path) -> ActiveModel:
    """The champion this project scores with."""
    pointer = current_champion(records)
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
