"""Memory that the service frees goes back to the system."""

from __future__ import annotations

import json
import os
import subprocess
import sys

FREED = """
import json, pathlib, sys
import numpy as np, pyarrow as pa
from serving.api.process.native_memory import return_large_blocks

def held():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

done = return_large_blocks() if sys.argv[1] == "yes" else True
np.ones(4_000_000)  # 32 MB: the largest block that raises glibc's own threshold
pa.array(np.ones(400_000)).to_numpy()
before = held()
for _ in range(3):
    blocks = [np.ones(400_000) for _ in range(40)]
    small = [bytes(2_000) for _ in range(2_000)]  # stand behind the blocks and keep the heap from shrinking
    del blocks
print(json.dumps([done, held() - before]))
"""


def held_after(asked: str) -> tuple[bool, float]:
    """Whether the C library took the settings, and the megabytes that stay when 128 MB were freed."""
    # Nobody else's settings: Dask, for one, leaves some in the environment of a process that starts workers.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    run = subprocess.run(
        [sys.executable, "-c", FREED, asked], capture_output=True, text=True, check=True, env=plain
    )
    done, megabytes = json.loads(run.stdout)
    return done, megabytes


def test_large_blocks_go_back_to_the_system_when_they_are_freed() -> None:
    done, kept = held_after("yes")
    assert done
    assert kept < 20 < held_after("no")[1]
