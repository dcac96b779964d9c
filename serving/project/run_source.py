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
_WORD = (
    r"(?:password|passwd|pwd|passphrase|secret|token|api_?key|access_?key|account_?key|private_?key|key_id"
    r"|connection_?string|credentials?|authorization|signature|sas|sig)(?:_id)?"
)
# A search begins a name at its first character alone: begun after every "." or "-" of a long name, it would
# read the rest of it each time.
_NAME = rf"(?<![\w.-])[\w.-]*?{_WORD}(?!\w)"
_LITERAL = r"(?:'(?:[^']|'')+'|\$\$.*?\$\$)"
_SEPARATOR = r"(?:=>|:=|[=:]|\bto\b)"
_SECRETS = (
    re.compile(rf"(?is)({_NAME}(?:['\"]?\s*{_SEPARATOR})?\s*)({_LITERAL})"),
    re.compile(rf"(?is)({_NAME}['\"]?\s*{_SEPARATOR}\s*)(\"[^\"]*\")"),
    re.compile(rf"(?i)({_NAME}\s*=\s*)(''[^']*''|[^\s'\";,&)]+)"),
    re.compile(r"(?i)(\bx-amz-(?:signature|credential|security-token)=)([^\s'\"&]+)"),
    re.compile(r"(?i)(\bbearer\s+)([\w.~+/=-]+)"),
    re.compile(r"(?i)((?<![a-z0-9+.-])[a-z0-9+.-]*://[^\s'\"/:@]*:)([^\s'\"@]+)(?=@)"),
)
"""What follows the name of a secret, in quotes, in a connection string or in an address, with the name first;
and the password of an address. Rather too much is masked than too little."""
_GIVEN = re.compile(r"\$\{\w+\}")
"""A value of the environment, as it is written."""


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
    """The query with passwords, keys and tokens masked; `${NAME}` stays."""
    for pattern in _SECRETS:
        query = pattern.sub(_masked, query)
    return query


def _masked(found: re.Match[str]) -> str:
    before, value = found.groups()
    quote = next((one for one in ("''", "'", '"', "$$") if value.startswith(one) and value != one), "")
    inner = value.removeprefix(quote).removesuffix(quote)
    return f"{before}{value if _GIVEN.fullmatch(inner) else quote + MASK + quote}"


def _queries(project: Project) -> Iterator[tuple[str, str]]:
    written: dict[str, Any] = tomllib.loads((project.folder / FILE).read_text(encoding="utf-8"))
    for kind in QUERIES:
        taken: set[str] = set()
        for place, entry in enumerate(written.get(kind, ()), start=1):
            name = re.sub(r"[^\w.-]+", "_", str(entry.get("name", place))).strip("._") or str(place)
            if name in taken:  # names that differ in blanks and signs alone
                name = f"{name}_{place}"
            taken.add(name)
            yield f"{kind}/{name}.sql", without_secrets(str(entry["query"])).strip() + "\n"
