"""What a training run keeps of the project: the SQL of its sources as written, and the git commit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from serving.project.git_state import git_state
from serving.project.language import FILE
from serving.project.settings import Project
from training.registry.run_source import RunSource

QUERIES = ("sources", "attributes", "aliases")
MASK = "***"
_NAME = r"(?:password|passwd|pwd|secret|token|api_?key|access_?key(?:_id)?|secret_access_key|sas|key_id)"
_SECRETS = (
    re.compile(rf"(?i)(\b{_NAME}\b\s*(?:=>|:=|[=:])?\s*')((?!\$\{{)[^']+)(?=')"),
    re.compile(rf"(?i)(\b{_NAME}=)((?!\$\{{)[^\s'\";,&)]+)"),
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s'\"/:@]*:)((?!\$\{)[^\s'\"/@]+)(?=@)"),
)
"""What follows the name of a secret, in quotes or in a connection string, and the password of an address."""


def run_source(project: Project) -> RunSource:
    """The queries by `sources/NAME.sql` and the like, and the commit.

    The file is read as it is written: `${NAME}` stays, and what looks like a secret is masked. Connections
    are left out, as they hold passwords.
    """
    state = git_state(project.folder)
    tags = (
        {}
        if state is None
        else {
            "mlflow.source.git.commit": state.commit,
            "git_commit": state.commit,
            "git_uncommitted_changes": str(state.uncommitted_changes).lower(),
        }
    )
    return RunSource(dict(_queries(project)), tags)


def without_secrets(query: str) -> str:
    """The query with passwords, keys and tokens masked."""
    for pattern in _SECRETS:
        query = pattern.sub(rf"\g<1>{MASK}", query)
    return query


def _queries(project: Project) -> Iterator[tuple[str, str]]:
    written: dict[str, Any] = tomllib.loads((project.folder / FILE).read_text(encoding="utf-8"))
    for kind in QUERIES:
        for place, entry in enumerate(written.get(kind, ()), start=1):
            name = re.sub(r"[^\w.-]+", "_", str(entry.get("name", place))).strip("._") or str(place)
            yield f"{kind}/{name}.sql", without_secrets(str(entry["query"])).strip() + "\n"
