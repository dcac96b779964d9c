"""The SQL files of recipes: a header that says what is read and where its schema is described, and a query.

    -- What the export is.
    -- schema: the address of its public documentation
    -- files: *.csv, *.txt => read_csv({files}, …)   what is looked for, and how it is read; may come again
    -- looks_right: "Id" is not null                 holds in some of the first rows of the export
    -- timezone: UTC                                 of moments without a zone; else the project's counts
    -- ja: …                                         the title in Japanese; then the other comments

A line that begins with `--   ` goes on with the one before. Other comments stay in the query; within it a
comment `-- ja: …` takes the place of the line before in a Japanese project.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files

from features.catalog.display_names import is_japanese


@dataclass
class _Header:
    """The entries of a header, each as often as it comes."""

    schema: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    looks_right: list[str] = field(default_factory=list)
    timezone: list[str] = field(default_factory=list)
    ja: list[str] = field(default_factory=list)


KEYS = tuple(one.name for one in fields(_Header))


@dataclass(frozen=True)
class Reading:
    """One form in which an export comes: the patterns of its files, and DuckDB's call that reads them."""

    patterns: tuple[str, ...]
    call: str
    """With the place `{files}`, or `{avro_files}` where the files are Avro."""

    def of(self, paths: str) -> str:
        """The call over a list of paths, written as SQL."""
        return self.call.replace("{files}", paths).replace("{avro_files}", paths)

    @property
    def scheme(self) -> str:
        """What comes before each path."""
        return "avro://" if "{avro_files}" in self.call else ""


@dataclass(frozen=True)
class RecipeQuery:
    """One SQL file: what its header says, and the query."""

    title: str
    schema: tuple[str, ...]
    readings: tuple[Reading, ...]
    looks_right: str
    timezone: str | None
    notes: str
    """The comments that stay with the query."""
    query: str
    """With the place `{rows}` for what is read."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The names of files that are looked for, in any form."""
        return tuple(pattern for reading in self.readings for pattern in reading.patterns)

    def over(self, rows: str) -> str:
        """The query over these rows."""
        return self.query.replace("{rows}", rows)


@cache
def load(name: str, language: str = "en") -> RecipeQuery:
    """The SQL file of this name, such as `stripe/invoices.sql`, with its comments in this language."""
    text = (files("serving.project.recipes") / "sql" / name).read_text(encoding="utf-8")
    lines = text.splitlines()
    count = next(place for place, line in enumerate(lines) if not line.startswith("--"))
    header = _Header()
    notes: list[str] = []
    for line in _whole_lines(lines[:count]):
        entry = re.match(r"(\w+): (.*)", line)
        if entry and entry[1] in KEYS:
            getattr(header, entry[1]).append(entry[2])
        else:
            notes.append(line)
    readings = [entry.split(" => ", 1) for entry in header.files]
    title, _, rest = "\n".join(notes).partition("\n\n")
    if is_japanese(language):
        title, rest = header.ja[0], "\n".join(header.ja[1:])
    return RecipeQuery(
        title=" ".join(title.split()),
        schema=tuple(header.schema),
        readings=tuple(Reading(tuple(patterns.split(", ")), call) for patterns, call in readings),
        looks_right=header.looks_right[0],
        timezone=header.timezone[0] if header.timezone else None,
        notes=rest.strip("\n"),
        query="\n".join(_commented(lines[count:], language)).strip(),
    )


def _commented(lines: list[str], language: str) -> list[str]:
    """The lines of a query with its comments in one language."""
    kept: list[str] = []
    for line in lines:
        comment = re.fullmatch(r"( *-- )ja: (.*)", line)
        if comment is None:
            kept.append(line)
        elif is_japanese(language):
            kept[-1] = comment[1] + comment[2]
    return kept


def _whole_lines(lines: list[str]) -> Iterator[str]:
    """Comments without their marks, each with the lines that go on with it."""
    whole = ""
    for line in [line.removeprefix("--").removeprefix(" ") for line in lines]:
        if line.startswith("  ") and re.match(r"(\w+): ", whole):
            whole = f"{whole} {line.strip()}"
            continue
        if whole or line != lines[0].removeprefix("--").removeprefix(" "):
            yield whole
        whole = line
    yield whole
