"""Which uplift model is in use: its files below `state/uplift/`, and the row of the database that names it.

The files are written first and never changed; the row makes them count. An uplift model is text only and
holds no customer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import insert, select

from features.errors import ModelError
from serving.state.atomic_write import in_one_step
from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import UPLIFT_MODELS

FOLDER = "uplift"


@dataclass(frozen=True)
class UpliftFacts:
    """From what an uplift model was learned, and how good it is."""

    outcome: str
    """The outcome of the campaigns, such as `retained`."""
    months: int
    """The review date, in months after the start."""
    campaigns: tuple[str, ...]
    known_from: int
    """The as-of date of the data that it was learned from, microseconds UTC: no earlier scores may use it."""
    features: tuple[str, ...]
    """The numbers and attributes that it reads."""
    tiers: tuple[str, ...]
    """The names that its feature `tier` counts into."""
    churn: str
    """The definition of churn that it was learned under, as JSON."""
    qini: float
    low: float
    high: float
    run: str
    """MLflow's identifier of the run."""


@dataclass(frozen=True)
class UpliftRecord:
    """The uplift model in use."""

    fingerprint: str
    facts: UpliftFacts
    learned_at: int
    """Microseconds UTC."""
    who: str


def save_texts(state: Path, texts: Mapping[str, str]) -> str:
    """Write the files of an uplift model into the project; says its fingerprint."""
    fingerprint = _fingerprint(texts)
    folder = state / FOLDER / fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with in_one_step(folder / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    return fingerprint


def load_texts(state: Path, fingerprint: str) -> dict[str, str]:
    """The files of an uplift model by name; raises `ModelError` where they are missing or damaged."""
    folder = state / FOLDER / fingerprint
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    except (OSError, UnicodeDecodeError):
        texts = {}
    if _fingerprint(texts) != fingerprint:
        raise ModelError(
            f"cannot use the uplift model in {folder}: its files are missing or damaged. Run "
            "`kizuna campaign learn` again, or take it out of use with `kizuna campaign learn --stop-using`."
        )
    return texts


def use_uplift(database: Database, record: UpliftRecord) -> None:
    """Make an uplift model, whose files are written, the one in use."""
    _insert(database, record.fingerprint, json.dumps(asdict(record.facts)), record.who, record.learned_at)


def take_out_of_use(database: Database, who: str, now: int) -> bool:
    """Leave no uplift model in use; says whether one was."""
    if uplift_in_use(database) is None:
        return False
    _insert(database, "", "{}", who, now)
    return True


def uplift_in_use(database: Database) -> UpliftRecord | None:
    """The uplift model that scores are made with from now on; None where there is none."""
    row = database.first(select(UPLIFT_MODELS).order_by(UPLIFT_MODELS.c.id.desc()))
    if row is None or not row["fingerprint"]:
        return None
    about = json.loads(row["about"])
    for name in ("campaigns", "features", "tiers"):
        about[name] = tuple(about[name])
    return UpliftRecord(row["fingerprint"], UpliftFacts(**about), row["learned_at"], row["who"])


def _insert(database: Database, fingerprint: str, about: str, who: str, now: int) -> None:
    row = {"learned_at": now, "who": who[:100], "fingerprint": fingerprint, "about": about}
    with database.writing() as connection:
        connection.execute(insert(UPLIFT_MODELS).values(row))
        details = fingerprint or "none in use"
        record_action(connection, who, "uplift model", now, details=details)


def _fingerprint(texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(texts):
        digest.update(json.dumps([name, texts[name]]).encode())
    return digest.hexdigest()[:12]
