"""Where a project keeps what Kizuna writes: its state, MLflow's database and artifacts, and the rest."""

from __future__ import annotations

from pathlib import Path

from serving.project.settings import Project

SQLITE = "sqlite:///"
PROJECT = "KIZUNA_PROJECT"
"""The environment variable that names the project folder to processes of the service and of jobs."""


def tracking_database(project: Project) -> Path | None:
    """MLflow's SQLite file, None where the experiments are kept by a server."""
    address = project.settings.tracking_uri
    return (project.folder / address.removeprefix(SQLITE)).resolve() if address.startswith(SQLITE) else None


def written_folders(project: Project) -> list[Path]:
    """The folders that hold what Kizuna wrote, none of them inside another."""
    database = tracking_database(project)
    folders = [project.state.resolve(), (project.folder / "mlruns").resolve()]
    folders += [] if database is None else [database.parent]
    distinct: list[Path] = []
    for folder in folders:
        inside = any(folder.is_relative_to(one) for one in distinct)
        if folder.is_dir() and not inside and folder != project.folder:
            distinct.append(folder)
    return distinct


def places_elsewhere(project: Project) -> tuple[str, ...]:
    """The databases and servers that are no files of the project, without passwords."""
    addresses = (project.settings.tracking_uri, project.records)
    return tuple(_without_password(address) for address in addresses if not address.startswith(SQLITE))


def _without_password(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    return scheme + separator + rest.rpartition("@")[2]
