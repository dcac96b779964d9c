"""A file in an object store, of which parts are read by range requests: its footer, and spans of bytes."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

Span = tuple[int, int]
"""Where bytes begin, and how many they are."""
NEAR = 1 << 19
"""Bytes between two spans that are read along with them: a request costs more than they do."""
AT_ONCE = 1 << 26
"""Bytes that are asked for in one call, and so held in memory."""
TAIL = 1 << 16
"""Bytes from the end of a Parquet file that are read first: as a rule its footer lies in them."""
MOST_FOOTERS = 256
"""Footers that a process keeps."""
_FOOTERS: dict[str, Any] = {}
"""Of each URL. A written file never changes, and stores are opened for each request."""
_END = 8
"""Bytes of the length of a footer and the mark behind it."""


class RangeSource(Protocol):
    """What can read spans of a file: a storage."""

    location: str

    def read_ranges(self, name: str, spans: Sequence[Span]) -> list[memoryview]:
        """The bytes of each span."""


@dataclass(frozen=True)
class ObjectFile:
    """A file in an object store, which never changes."""

    source: RangeSource
    name: str
    size: int

    def __str__(self) -> str:
        return f"{self.source.location}/{self.name}"

    def read(self, spans: Sequence[Span]) -> list[memoryview]:
        """The bytes of each span."""
        return self.source.read_ranges(self.name, spans)


RunFile = Path | ObjectFile
"""Where a file of a table is read: on this machine, or in an object store."""


def footer(file: RunFile) -> Any:
    """The metadata of a Parquet file (`pyarrow.parquet.FileMetaData`)."""
    if isinstance(file, Path):
        return pq.read_metadata(file)
    known = _FOOTERS.get(str(file))
    if known is None:
        if len(_FOOTERS) >= MOST_FOOTERS:
            _FOOTERS.clear()
        known = _FOOTERS[str(file)] = _read_footer(file)
    return known


def arrow_input(file: RunFile) -> Any:
    """The file as Arrow's readers take it."""
    return file if isinstance(file, Path) else pa.PythonFile(_RangeStream(file), mode="r")


@contextmanager
def opened(file: RunFile, spans: Iterable[Span]) -> Iterator[int]:
    """A file descriptor from which these spans can be read at their places.

    Of a file in an object store they are fetched first, neighbours in one request, into a temporary file
    with holes, so that memory holds `AT_ONCE` bytes and both kinds are read by one code.
    """
    if isinstance(file, Path):
        with file.open("rb") as stream:
            yield stream.fileno()
        return
    with tempfile.TemporaryFile() as copy:
        os.ftruncate(copy.fileno(), file.size)
        for part in _portions(joined_spans(spans, NEAR)):
            for (begin, _), content in zip(part, file.read(part), strict=True):
                os.pwrite(copy.fileno(), content, begin)
        yield copy.fileno()


def joined_spans(spans: Iterable[Span], near: int) -> list[Span]:
    """The spans in order, those joined between which at most `near` bytes lie."""
    joined: list[Span] = []
    for begin, length in sorted(span for span in spans if span[1]):
        if joined and begin - (joined[-1][0] + joined[-1][1]) <= near:
            first, before = joined[-1]
            joined[-1] = first, max(before, begin + length - first)
        else:
            joined.append((begin, length))
    return joined


def _portions(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """The spans in lists of at most `AT_ONCE` bytes; one that is longer is split."""
    part: list[Span] = []
    room = AT_ONCE
    for begin, length in spans:
        at, end = begin, begin + length
        while at < end:
            take = min(end - at, room)
            part.append((at, take))
            at, room = at + take, room - take
            if room == 0:
                yield part
                part, room = [], AT_ONCE
    if part:
        yield part


def _read_footer(file: ObjectFile) -> Any:
    size = file.size
    begin = max(0, size - TAIL)
    (tail,) = file.read([(begin, size - begin)])
    content = bytes(tail)
    length = int.from_bytes(content[-_END:-4], "little") + _END if len(content) >= _END else size + 1
    if length > size:
        raise pa.ArrowInvalid("it is no whole Parquet file")
    if length > len(content):
        (rest,) = file.read([(size - length, length - len(content))])
        content = bytes(rest) + content
    # Arrow reads a footer at the end of a file of any length.
    return pq.read_metadata(pa.BufferReader(content))


class _RangeStream(io.RawIOBase):
    """A file in an object store as a stream that Arrow seeks in."""

    def __init__(self, file: ObjectFile) -> None:
        super().__init__()
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = self._file.size - self._at
        wanted = left if size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        (content,) = self._file.read([(self._at, wanted)])
        self._at += wanted
        return bytes(content)

    def readinto(self, target: Any) -> int:
        view = memoryview(target).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)
