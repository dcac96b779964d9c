"""Seeds fixed and printed, Hypothesis profiles, and no skip that is not in the committed list."""

from __future__ import annotations

import os
import random
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tests.object_server import ObjectServer, object_server

SEED = 20_240_229
SKIPS = Path(__file__).parent / "skips.toml"

settings.register_profile("tests", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("proof", max_examples=1_000, deadline=None, print_blob=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


def pytest_report_header() -> str:
    return f"random seed {SEED}, hypothesis profile {os.environ.get('HYPOTHESIS_PROFILE', 'tests')}"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(SEED)
    np.random.seed(SEED)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that gives the same numbers in every run."""
    return np.random.default_rng(SEED)


@pytest.fixture(scope="session")
def objects() -> Iterator[ObjectServer]:
    """An S3 server, one for all tests of a process."""
    with object_server() as server:
        yield server


@pytest.fixture
def bucket(objects: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty place in a bucket that the environment has credentials for."""
    for name, value in objects.environment().items():
        monkeypatch.setenv(name, value)
    return objects.place()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run on a skip whose reason is not in tests/skips.toml."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    allowed = tomllib.loads(SKIPS.read_text(encoding="utf-8"))["skips"]
    strange = [
        report.nodeid
        for report in reporter.stats.get("skipped", [])
        if not any(
            report.nodeid.startswith(skip["test"]) and skip["reason"] in str(report.longrepr)
            for skip in allowed
        )
    ]
    if strange:
        reporter.write_line(f"skipped without a reason in {SKIPS.name}: {', '.join(strange)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
