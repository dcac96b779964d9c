"""Artifact locations of a project that was moved, copied or restored; MLflow stores absolute addresses.

    python -m training.registry.artifact_locations    in the project folder, before MLflow's screens open it

MLflow 3.17 has no call that changes the address of an experiment, a run or a model, so the database is
updated directly. It reads no MLflow: opening a project costs one query more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from features.errors import ModelError

MLRUNS = "mlruns"
"""The folder of a project that holds MLflow's database and artifacts."""
DATABASE = Path(MLRUNS, "mlflow.db")

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

    Only addresses below `mlruns` of an earlier project folder change, and only where the files that they
    name lie in the present one. Raises `ModelError` where the database cannot be written.
    """
    if not database.is_file() or not database.resolve().is_relative_to(folder):
        return []
    moved = []
    with closing(sqlite3.connect(database, timeout=PATIENCE, isolation_level=None)) as connection:
        try:
            addresses = _addresses(connection)
        except sqlite3.DatabaseError:  # not MLflow's, or none: MLflow itself says what is wrong with it
            return []
        try:
            for before in sorted({root for one in addresses if (root := _root(one)) not in (None, folder)}):
                if _files_are_here(addresses, before, folder):
                    _rewrite(connection, before, folder)
                    moved.append(before)
        except sqlite3.OperationalError as error:
            raise ModelError(
                f"cannot point MLflow at the files of this project, which was in {before} before: {error}. "
                f"Make {database} writable, then try again."
            ) from None
    return moved


def _addresses(connection: sqlite3.Connection) -> list[str]:
    return [
        address
        for table, column in ADDRESSES
        for (address,) in connection.execute(f"select distinct {column} from {table}")  # noqa: S608 - ours
        if address
    ]


def _root(address: str) -> Path | None:
    """The project folder that an address of `kizuna train` lies in: `…/mlruns/artifacts`, or below it."""
    parts = urlsplit(address)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        return None
    head, found, tail = unquote(parts.path).rpartition(f"/{MLRUNS}/artifacts")
    return Path(head) if found and head and (not tail or tail.startswith("/")) else None


def _files_are_here(addresses: list[str], before: Path, folder: Path) -> bool:
    """Whether a file that the addresses below the folder before name lies in the present one."""
    paths = [Path(unquote(urlsplit(address).path)) for address in addresses]
    below = [path.relative_to(before) for path in paths if path.is_relative_to(before / MLRUNS)]
    return any((folder / path).exists() for path in below)


def _rewrite(connection: sqlite3.Connection, before: Path, folder: Path) -> None:
    connection.execute("begin immediate")
    try:
        for old, new in _prefixes(before, folder):
            for table, column in ADDRESSES:
                change = f"update {table} set {column} = ? || substr({column}, ?)"  # noqa: S608 - ours
                where = f"where substr({column}, 1, ?) = ?"
                connection.execute(f"{change} {where}", (new, len(old) + 1, len(old), old))
    except sqlite3.Error:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _prefixes(before: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """How addresses of the folder before begin, as addresses and as plain paths; and what takes its place."""
    yield f"{(before / MLRUNS).as_uri()}/", f"{(folder / MLRUNS).as_uri()}/"
    yield f"{before / MLRUNS}/", f"{folder / MLRUNS}/"


def main() -> None:
    folder = Path.cwd().resolve()
    relocate_artifacts(folder / DATABASE, folder)


if __name__ == "__main__":
    main()
