"""The process of one job: `python -m serving.jobs JOB`, with the project folder in the environment.

It leaves the process that started it before anything is imported, so that a service that is stopped with all
processes below it does not stop its jobs.
"""

from __future__ import annotations

import os
import sys

PACE = 5
"""How far it stands back behind the service when both want the processor."""


def main() -> int:
    """Do the job that the command line names; 0 when it is done."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.nice(PACE)
    from serving.jobs.process import run_job
    from serving.project.places import PROJECT

    return run_job(os.environ[PROJECT], sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
