"""Compiled work on the rows of a matrix, shared among threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from features.cores import available_cores

WORTH_A_THREAD = 4_000
"""Rows that pay for a thread of their own."""


def in_row_threads(work: Callable[[slice], object], rows: int, threads: int = 0) -> None:
    """Do the work for all rows, in parts on as many threads as pay; `threads=0` uses every core.

    The work must release the interpreter's lock, and treat every row alike.
    """
    cores = min(threads or available_cores(), rows // WORTH_A_THREAD)
    if cores < 2:
        work(slice(0, rows))
        return
    cuts = np.linspace(0, rows, cores + 1).astype(np.int64).tolist()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(work, [slice(*cut) for cut in pairwise(cuts)]))
