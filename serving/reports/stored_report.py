"""The last computed engagement report of each period, as files of the state, for pages that only show it.

A report of 100 million events takes tens of seconds. Beside the figures in both languages lie the same lines
as CSV. The figures of groups by month are in the CSV alone: a page shows a group over the whole period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from features.profiling.source_rhythm import SourceRhythm
from serving.schemas.json_text import to_json
from serving.schemas.report_responses import ReportReply
from serving.state.atomic_write import in_one_step
from serving.state.remote.state_files import delete

FOLDER = "reports"
"""In the state."""
PERIODS = (12, 6, 3)
"""Whole months that a report can be over, the longest first."""
KEPT = 2
"""Reports of one number of months that are kept: the newest, and the one that a reader may have open."""


@dataclass(frozen=True)
class StoredReport:
    """A report as it was computed at one instant from one version of the store."""

    computed_at: int
    """Microseconds UTC."""
    data_version: str
    scores: str
    """The file of the scores that were in use, empty without."""
    months: int
    replies: Mapping[str, ReportReply]
    """By language; groups without their months."""
    sources: tuple[SourceRhythm, ...]
    """The newest event and the rhythm of each source."""

    @property
    def name(self) -> str:
        """The beginning of the names of its files."""
        return f"{self.months}-{self.data_version}"


def save(state: Path, report: StoredReport, tables: Mapping[str, str]) -> None:
    """Keep a report, each file in one step and the figures last; `tables` is its CSV by language."""
    folder = state / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for language, text in tables.items():
        with in_one_step(folder / f"{report.name}.{language}.csv") as unfinished:
            unfinished.write_bytes(text.encode("utf-8"))
    slim = {language: _slim(reply) for language, reply in report.replies.items()}
    with in_one_step(folder / f"{report.name}.json") as unfinished:
        unfinished.write_text(to_json(replace(report, replies=slim)), encoding="utf-8")
    for file in _files(folder, report.months)[KEPT:]:
        remove(file)


def newest(state: Path, months: int) -> StoredReport | None:
    """The report of so many months that was computed last; None where there is none that can be read."""
    for file in _files(state / FOLDER, months):
        try:
            changed = file.stat()
            report = _load(file, changed.st_mtime_ns, changed.st_size)
        except OSError:
            continue  # removed meanwhile
        if report is not None:
            return report
    return None


def table(state: Path, report: StoredReport, language: str) -> str | None:
    """The report as CSV; None where it is gone."""
    try:
        return (state / FOLDER / f"{report.name}.{language}.csv").read_bytes().decode("utf-8")
    except OSError:
        return None


def remove(file: Path) -> None:
    """Remove a report with its tables, the figures first."""
    delete(file)
    for beside in file.parent.glob(f"{file.stem}.*.csv"):
        delete(beside)


def _slim(reply: ReportReply) -> ReportReply:
    return replace(
        reply,
        measures=[
            replace(measure, groups=[replace(group, by_month=[]) for group in measure.groups])
            for measure in reply.measures
        ],
    )


def _files(folder: Path, months: int) -> list[Path]:
    """The files of figures, the last computed first."""
    try:
        return sorted(folder.glob(f"{months}-*.json"), key=lambda file: -file.stat().st_mtime_ns)
    except OSError:
        return []


@cache
def _adapter() -> TypeAdapter[StoredReport]:
    return TypeAdapter(StoredReport)


@lru_cache(maxsize=6)
def _load(file: Path, _changed: int, _size: int) -> StoredReport | None:
    """None, and read once as well, for one of a version that wrote other fields: it is computed again."""
    try:
        return _adapter().validate_json(file.read_bytes())
    except ValidationError:
        return None
