"""Whether scores reach far beyond the end of the data, where everybody looks as if they had left."""

from __future__ import annotations

from dataclasses import dataclass

from features.timeline import DAY, Timeline
from serving.state.scores.score_metadata import ScoreMetadata
from training.data.coverage import DataCoverage
from training.data.coverage_findings import silence_sentence
from training.labels.settings import Churn

LEAST_DAYS = 7.0
"""A gap of a week is a late delivery of data, whatever the horizon."""
SHARE_OF_HORIZON = 1 / 3
"""A gap of a third of the horizon makes customers look silent who are not: in the labels of training, silence
of a whole horizon is churn."""


@dataclass(frozen=True)
class ScoredBeyondData:
    """Scores whose as-of date is far later than the newest event; instants in microseconds UTC."""

    as_of: int
    data_end: int
    """The newest event of those that silence hangs on, known before the as-of date."""

    @property
    def days(self) -> float:
        return (self.as_of - self.data_end) / DAY

    def sentence(self, timeline: Timeline) -> str:
        """Both dates, in words."""
        return (
            f"the scores are as of {timeline.local(self.as_of).date()}, but the customers' events end on "
            f"{timeline.local(self.data_end - 1).date()}, {self.days:.0f} days before"
        )


def coverage_warnings(
    metadata: ScoreMetadata, coverage: DataCoverage | None, churn: Churn, timeline: Timeline
) -> tuple[str, ...]:
    """What somebody must know who reads the scores: until when silence was measured, and why not longer."""
    beyond = scored_beyond_data(metadata, churn)
    ended = "" if coverage is None else silence_sentence(coverage)
    found = []
    if beyond is not None:
        found.append(
            f"{beyond.sentence(timeline)}, so customers look silent who may not be. Ingest newer events with "
            "`kizuna ingest`, or give an earlier date; `kizuna notify` refuses these scores."
        )
    if ended:
        found.append(f"{ended}. Ingest what is missing and score again; `kizuna doctor` says more.")
    return tuple(found)


def scored_beyond_data(metadata: ScoreMetadata, churn: Churn) -> ScoredBeyondData | None:
    """None where the as-of date is within a week, or within a third of the horizon, of the data's end."""
    data_end = metadata.newest if metadata.covered_until is None else metadata.covered_until
    if data_end is None:
        return None
    gap = (metadata.as_of - data_end) / DAY
    if gap <= LEAST_DAYS or gap <= SHARE_OF_HORIZON * churn.horizon.days:
        return None
    return ScoredBeyondData(metadata.as_of, data_end)
