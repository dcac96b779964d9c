"""How long work shows itself: a bar on a terminal, plain lines elsewhere, always on standard error."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float], None]

PAUSE = 10.0
"""Seconds between two plain lines about the same step."""
_NUMBER = re.compile(r"[0-9][0-9,.]*")


@contextmanager
def progress(translated: Callable[[str], str]) -> Iterator[Progress]:
    """A function that takes what is being done, in words, and the share done, 0 to 1.

    `translated` puts the words into the user's language.
    """
    if sys.stderr.isatty():
        with _bar() as report:
            yield lambda words, share: report(translated(words), share)
    else:
        report = _lines()
        yield lambda words, share: report(translated(words), share)


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda words, share: bar.update(task, description=words, completed=share)


def _lines() -> Progress:
    last_step, last_time = "", 0.0

    def report(words: str, share: float) -> None:
        nonlocal last_step, last_time
        now = time.monotonic()
        step = _NUMBER.sub("", words)
        if step != last_step or now - last_time >= PAUSE:
            sys.stderr.write(f"{words} ({share:.0%})\n")
            sys.stderr.flush()
            last_step, last_time = step, now

    return report
