"""Artifact locations of a project that was moved, copied or restored; MLflow stores absolute addresses.

MLflow 3.17 has no call that changes the address of an experiment, a run or a model, so the database is
updated directly. It reads no MLflow: opening a project costs one query more.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from features.errors import ModelError

MLRUNS = "mlruns"
"""The folder of a project that holds MLflow's database and artifacts."""
DATABASE = Path(MLRUNS, "mlflow.db")
ARTIFACTS = f"{MLRUNS}/artifacts"

Change = tuple[str, str, str]
"""Table, column and the address in it that is to be rewritten."""

PATIENCE = 30.0
"""Seconds to wait for another process that writes to the database."""

ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""The columns of MLflow's database that hold absolute addresses."""


def relocate_artifacts(database: Path, folder: Path) -> list[Path]:
    """Point the addresses of a project's MLflow database at its present folder; returns the folders before.

    The address of a run or a model changes only where its own folder lies below the present project: several
    projects may use one database, and each has a `mlruns/artifacts`. An experiment follows its runs; one
    without runs follows when its folder is gone. Raises `ModelError` where the database cannot be written.
    """
    if not database.is_file() or not database.resolve().is_relative_to(folder):
        return []
    moved = []
    with closing(sqlite3.connect(database, timeout=PATIENCE, isolation_level=None)) as connection:
        try:
            changes = _changes(connection, folder)
        except sqlite3.DatabaseError:  # not MLflow's, or none: MLflow itself says what is wrong with it
            return []
        try:
            for before, addresses in sorted(changes.items()):
                _rewrite(connection, addresses, before, folder)
                moved.append(before)
        except sqlite3.OperationalError as error:
            raise ModelError(
                f"cannot point MLflow at the files of this project, which was in {before} before: {error}. "
                f"Make {database} writable, then try again."
            ) from None
    return moved


def _changes(connection: sqlite3.Connection, folder: Path) -> dict[Path, list[Change]]:
    """What to rewrite, by the project folder before."""
    changes: dict[Path, list[Change]] = {}
    for table, column in ADDRESSES:
        query = f"select distinct {column} from {table}"  # noqa: S608 - ours
        for (address,) in connection.execute(query):
            before = _root(address) if address else None
            if before is None or before == folder:
                continue
            path = _path(address)
            if table == "experiments" and path == before / ARTIFACTS:
                continue  # every project has this folder: its runs decide, below
            if (folder / path.relative_to(before)).exists():
                changes.setdefault(before, []).append((table, column, address))
    query = (
        "select distinct experiments.artifact_location, runs.artifact_uri from experiments "
        "left join runs on runs.experiment_id = experiments.experiment_id"
    )
    runs: dict[str, list[str]] = {}
    for address, run in connection.execute(query):
        before = _root(address) if address else None
        if before not in (None, folder) and _path(address) == before / ARTIFACTS:
            runs.setdefault(address, []).extend([run] if run else [])
    for address, of_runs in runs.items():
        before = _path(address).parents[1]
        here = any(("runs", "artifact_uri", run) in changes.get(before, ()) for run in of_runs)
        gone = not of_runs and not _path(address).exists() and (folder / ARTIFACTS).exists()
        if here or gone:
            changes.setdefault(before, []).append(("experiments", "artifact_location", address))
    return changes


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _root(address: str) -> Path | None:
    """The project folder that an address of `kizuna train` lies in: `…/mlruns/artifacts`, or below it."""
    parts = urlsplit(address)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        return None
    head, found, tail = unquote(parts.path).rpartition(f"/{ARTIFACTS}")
    return Path(head) if found and head and (not tail or tail.startswith("/")) else None


def _rewrite(connection: sqlite3.Connection, changes: list[Change], before: Path, folder: Path) -> None:
    connection.execute("begin immediate")
    try:
        for table, column, address in changes:
            change = f"update {table} set {column} = ? where {column} = ?"  # noqa: S608 - ours
            connection.execute(change, (_moved(address, before, folder), address))
    except sqlite3.Error:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _moved(address: str, before: Path, folder: Path) -> str:
    """The address below the present project folder, as an address or a plain path like the one before."""
    for old, new in (
        ((before / MLRUNS).as_uri(), (folder / MLRUNS).as_uri()),
        (str(before / MLRUNS), str(folder / MLRUNS)),
    ):
        if address.startswith(f"{old}/"):
            return new + address.removeprefix(old)
    return (folder / _path(address).relative_to(before)).as_uri()


def absolute_uri(uri: str, folder: Path) -> str:
    """A tracking address; a relative SQLite path starts at the folder."""
    path = uri.removeprefix("sqlite:///")
    if path == uri or path.startswith("/") or path == ":memory:":
        return uri
    return f"sqlite:///{folder / path}"


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite address, None for any other."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None
