"""The rows of a query that nobody has written into a `kizuna.toml` yet, to look at before proposing one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from features.ingestion.sources import Source, SourceReader


def sample(query: str, folder: Path, name: str) -> pa.Table:
    """The rows of a query that ends by itself (a limit), with relative paths from `folder`.

    Raises `ConfigurationError` where it cannot be run; `name` is what the message calls it.
    """
    batches = list(SourceReader(Source(name=name, query=query), folder))
    return pa.concat_tables(batches) if batches else pa.table({})
