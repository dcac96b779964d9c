"""A lock on a file that tells whether a job's process is alive.

The lock belongs to the open file, which the process inherits from whoever starts it, so there is no moment in
which a living job holds none. The system lets it go with the process, however that ends. The number of a
process would not do: it is given to another process later, and is another one in each container.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def locked(file: Path) -> int:
    """A file descriptor of a new file that is locked until its last copy is closed."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def is_locked(file: Path) -> bool:
    """Whether a process holds the lock of a file; False where there is no such file."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
