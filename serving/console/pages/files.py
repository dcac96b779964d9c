"""Names of files that are downloaded."""

from __future__ import annotations

from serving.console.visit import Visit


def file_name(visit: Visit, of: str, columns: str) -> str:
    """The name of a CSV file: what it is of, its columns where they are another system's, and today.

    Signs that a file system may refuse become `_`.
    """
    plain = "".join(sign if sign.isalnum() or sign in ".-" else "_" for sign in of)
    project = visit.host.service.project
    day = project.timeline.local(visit.host.service.clock()).date().isoformat()
    return "_".join([plain, *([] if columns == "csv" else [columns]), day]) + ".csv"
