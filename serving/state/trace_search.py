"""Searching files for texts that identify a customer: their id, and attribute values that nobody else has.

Parquet and Arrow files are read as tables, because their pages are compressed; everything else is searched
as bytes, which includes the free pages of SQLite files. A text is taken for found where it does not stand
inside a longer word or number.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

LEAST_LENGTH = 5
"""Shorter texts stand by chance in any large file."""
LEAST_DIGITS = 9
"""So do shorter numbers: counts and figures look like them."""


def identifying(texts: Sequence[str]) -> tuple[str, ...]:
    """Those texts that stand nowhere by chance, so that finding one means the customer."""
    return tuple(
        text
        for text in dict.fromkeys(texts)
        if len(text) >= (LEAST_DIGITS if text.isdecimal() else LEAST_LENGTH)
    )


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in order; links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def contains(file: Path, texts: Sequence[str]) -> bool:
    """Whether a file holds one of these identifying texts; one that is gone meanwhile holds none."""
    if not texts:
        return False
    try:
        if file.suffix == ".parquet":
            return _in_parquet(file, texts)
        if file.suffix == ".arrow":
            return _in_arrow(file, texts)
    except pa.ArrowInvalid:
        pass  # not what its name says: its bytes are searched
    except FileNotFoundError:
        return False
    return _in_bytes(file, texts)


def _in_parquet(file: Path, texts: Sequence[str]) -> bool:
    whole = pq.ParquetFile(file)
    try:
        if _says(whole.metadata.metadata or {}, texts):
            return True
        return any(_in_batch(batch, texts) for batch in whole.iter_batches())
    finally:
        whole.close()


def _in_arrow(file: Path, texts: Sequence[str]) -> bool:
    with pa.memory_map(str(file)) as source:
        reader = pa.ipc.open_file(source)
        if _says(reader.schema.metadata or {}, texts):
            return True
        batches = range(reader.num_record_batches)
        return any(_in_batch(reader.get_batch(number), texts) for number in batches)


def _says(metadata: dict[bytes, bytes], texts: Sequence[str]) -> bool:
    pattern = _pattern(texts)
    return any(pattern.search(part) for item in metadata.items() for part in item)


def _in_batch(batch: pa.RecordBatch, texts: Sequence[str]) -> bool:
    values = pa.array(texts, pa.string())
    for column in batch.columns:
        texts_of = column.dictionary if pa.types.is_dictionary(column.type) else column
        if pa.types.is_string(texts_of.type) or pa.types.is_large_string(texts_of.type):
            if pc.any(
                pc.is_in(texts_of.cast(pa.large_string()), value_set=values.cast(pa.large_string()))
            ).as_py():
                return True
            pattern = "|".join(re.escape(text) for text in texts if len(text) > LEAST_LENGTH)
            if pattern and pc.any(pc.match_substring_regex(texts_of, pattern)).as_py():
                return True
    return False


def _in_bytes(file: Path, texts: Sequence[str]) -> bool:
    try:
        with file.open("rb") as opened:
            if not file.stat().st_size:
                return False
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _pattern(texts).search(content) is not None
    except FileNotFoundError:
        return False


def _pattern(texts: Sequence[str]) -> re.Pattern[bytes]:
    """The texts as UTF-8, and as JSON writes them without other characters than ASCII."""
    written = {text.encode() for text in texts} | {json.dumps(text)[1:-1].encode() for text in texts}
    words = b"|".join(re.escape(word) for word in sorted(written))
    return re.compile(rb"(?<![A-Za-z0-9_.])(?:" + words + rb")(?![A-Za-z0-9_])")
