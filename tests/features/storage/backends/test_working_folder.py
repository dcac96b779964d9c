"""Working folders lie in a folder of the user alone, and go with their process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from features.errors import ConfigurationError
from features.storage.backends.working_folder import WorkingFolder

NAMELESS = 2_000_000_000
"""A user id that no list of users has."""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, without the variables that name a user."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_working_folder_is_the_users_own_and_goes_with_its_object(temporary: Path) -> None:
    work = WorkingFolder()
    path, home = work.path, temporary / f"kizuna-{os.getuid()}"
    assert path.parent == home
    assert home.stat().st_mode & 0o777 == path.stat().st_mode & 0o777 == 0o700
    del work
    assert not path.exists()


@pytest.mark.parametrize("kind", ["foreign folder", "link", "link to nothing", "file"])
def test_a_folder_that_another_user_may_have_laid_is_refused(
    temporary: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "foreign folder":  # what this user made is another's once this user has another number
        monkeypatch.setattr(os, "getuid", lambda: NAMELESS)
    home = temporary / f"kizuna-{os.getuid()}"
    if kind == "foreign folder":
        home.mkdir()
    elif kind == "file":
        home.touch()
    else:
        target = temporary / "target"
        if kind == "link":
            target.mkdir()
        home.symlink_to(target)
    with pytest.raises(ConfigurationError) as refused:
        _ = WorkingFolder().path
    assert refused.value.message == (
        f"cannot keep copies of the state in {home}: it is no folder that this user made. Delete it, or let "
        "TMPDIR name a folder of your own."
    )
