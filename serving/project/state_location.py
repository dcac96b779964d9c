"""Where the state of a project lies: a folder, or an object store with a folder of copies on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from features.errors import ConfigurationError
from features.storage.backends.storage import SCHEMES, is_url

LOCAL = "file://"


def state_url(state: str) -> str | None:
    """The URL of a state in an object store; None where it is a folder."""
    return state.rstrip("/") if is_url(state) else None


def state_folder(project: Path, state: str, copies: str) -> Path:
    """The folder of a state; of one in an object store the folder of its copies here, each URL its own."""
    url = state_url(state)
    if url is None:
        return project / state.removeprefix(LOCAL)
    return project / copies / hashlib.blake2b(url.encode(), digest_size=6).hexdigest()


def refuse_unfit_state(file: Path, state: str, records: str) -> None:
    """Raise `ConfigurationError` for a kind of storage that there is not, and for records that do not fit."""
    scheme, separator, _ = state.partition("://")
    if separator and scheme not in (*SCHEMES, "file"):
        raise ConfigurationError(
            f"cannot use {file}: `state` is {state}, and '{scheme}' is no kind of storage. Write a folder, "
            "or a URL that begins with s3://, gs:// or az://.",
            field="state",
        )
    if is_url(state) and not records.startswith(("postgresql", "postgres:")):
        raise ConfigurationError(
            f"cannot use {file}: `state` lies in an object store, which knows no locks, so that `records` "
            'must be a PostgreSQL database: write `records = "postgresql://user@host/name"`.',
            field="records",
        )
