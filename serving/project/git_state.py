"""The git commit of a project folder, and whether it has uncommitted changes."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from serving.project.language import FILE

SECONDS = 10.0
"""The most that git may take; then nothing is known."""
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""Reads only: no lock is taken, and neither hooks nor a file system monitor are run. A clean filter that the
repository configures for a changed file (Git LFS) is, as always when git compares."""


@dataclass(frozen=True)
class GitState:
    """The commit that is checked out, and whether the project differs from it."""

    commit: str
    uncommitted_changes: bool
    """Whether a tracked file of the project folder is changed, or its kizuna.toml is not tracked."""


def git_state(folder: Path) -> GitState | None:
    """The state of the repository that holds the folder; None without git, repository or commit, and where
    git does not answer in time."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    tracked = _git(folder, "ls-files", "--", FILE)
    if changed is None or tracked is None:
        return None
    return GitState(commit.strip(), not tracked or bool(changed))


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None where it cannot say."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [*_GIT, "-C", str(folder), *arguments],
            env=ours | {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", errors="replace")
