"""Damaged files of the store: what a reader raises becomes an error that names the file and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from features.errors import DamagedFile
from features.storage.backends.object_file import RunFile
from features.storage.delta_table import Lake

UNREADABLE = (OSError, pa.ArrowException, ValueError, KeyError, IndexError)
"""What reading a Parquet file raises whose bytes are not as they were written."""


@contextmanager
def reading(path: RunFile) -> Iterator[None]:
    """Raise `DamagedFile` where a file cannot be read for what it holds.

    An error of the operating system (the disk does not answer, no more file handles) stays what it is, and so
    does a file that is not there, as a newer version of the store may have removed it: trying again may help.
    """
    try:
        yield
    except FileNotFoundError:  # that of an object store has no number
        raise
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DamagedFile(str(path), lines[0].rstrip(".")) from error


@contextmanager
def newest_files(lake: Lake) -> Iterator[None]:
    """Raise `DamagedFile` where a file is gone that the newest version of the table still names."""
    try:
        yield
    except FileNotFoundError:
        newest = lake.snapshot()
        for file in newest.files if newest else ():
            if not lake.storage.exists(file.path):
                raise DamagedFile(str(lake.run_file(file)), "it is missing") from None
        raise
