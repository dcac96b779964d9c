"""Streaming a text file while it is made, line by line, so that a list of any length fits in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from starlette.responses import StreamingResponse

from serving.api.worker_pool import WorkerPool

PART = 64 * 1024
"""Characters sent at a time."""


async def csv_response(
    lines: Iterator[str], name: str, pool: WorkerPool, part: int = PART
) -> StreamingResponse:
    """A CSV file as a response; whatever goes wrong before its first part is raised here.

    What goes wrong later leaves the transfer without its end, so that the client sees it broken. A client
    that hangs up stops the work.
    """
    first = await pool.run(lambda: _next_part(lines, part))
    return StreamingResponse(
        _parts(first, lines, pool, part),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": disposition(name)},
    )


def disposition(name: str) -> str:
    """The header that names a file to keep; RFC 6266: plain ASCII, and UTF-8 beside it where that differs."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    if plain == name:
        return f'attachment; filename="{name}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"


async def _parts(first: str, lines: Iterator[str], pool: WorkerPool, part: int) -> AsyncIterator[str]:
    text = first
    while text:
        yield text
        text = await pool.run(lambda: _next_part(lines, part))


def _next_part(lines: Iterator[str], part: int) -> str:
    """The next lines together, empty at the end of the file."""
    parts, size = [], 0
    for line in lines:
        parts.append(line)
        size += len(line)
        if size >= part:
            break
    return "".join(parts)
