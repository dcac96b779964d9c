"""The clock of a project: the system's, or in a simulated project the instant that a file names.

The one place that reads the system's clock. Adapters (`serving.cli.context`, `serving.api.startup`) import
it and hand the clock on; everything else takes an instant or a clock as an argument.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from features.errors import ConfigurationError, UsageError
from serving.project.language import FILE
from serving.project.settings import Project

Clock = Callable[[], int]
"""Now, in microseconds UTC."""


def system_clock() -> int:
    """The present instant of this machine."""
    return time.time_ns() // 1_000


def project_clock(project: Project) -> Clock:
    """The clock of a project; one with `[simulated] now` reads its file at every call."""
    simulated = project.settings.simulated
    if simulated is None:
        return system_clock
    file = project.folder / simulated.now

    def read() -> int:
        try:
            return project.timeline.instant(file.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError, UsageError):
            raise ConfigurationError(
                f"cannot tell the simulated time: `simulated.now` in {project.folder / FILE} names {file}, "
                "which holds no instant. Write one into it, such as 2025-01-01T00:00:00+09:00.",
                field="simulated.now",
            ) from None

    return read
