"""The kinds of jobs: what each is asked, and what permission it needs.

To add one, add its arguments and its line in `KINDS`, and what it does in `work.py`. Whoever starts jobs
imports this module; the process of a job alone imports `work.py`, which loads what trains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError

from features.errors import UsageError
from serving.application.permissions import Permission
from serving.schemas.requests import Day, Shape, Text


class NoArguments(Shape):
    """A job that is asked nothing further."""


class PromoteArguments(Shape):
    """Which version is to become the champion."""

    version: Text


class RollBackArguments(Shape):
    """The champion that is to go, as whoever asks saw it; whichever it is where none is named."""

    champion: Text | None = None


class CampaignReportArguments(Shape):
    """The campaign whose effect is to be computed."""

    campaign: Text


class LearnArguments(Shape):
    """The campaigns to learn from; all that reached a review date where none is named."""

    campaigns: tuple[Text, ...] = ()
    outcome: Text = "retained"
    months: int | None = Field(default=None, ge=1)


class PlaybookPreviewArguments(Shape):
    """An edited playbook, and what its editor began with, to go on when it is done."""

    text: str = Field(max_length=1_000_000)
    opened: str = ""
    note: str = ""


class ScoreArguments(Shape):
    """The day to score, the newest possible one where none is named."""

    as_of: Day | None = None
    not_after: Day | None = None
    """Where no day is named: the latest that may be scored."""
    once: bool = False
    """Whether scores of the same day, data and models are left as they are."""


class CheckArguments(Shape):
    """The day before whose midnight everything should have arrived; today where none is named."""

    day: Day | None = None


class NotifyArguments(Shape):
    """For how many seconds what is not taken is tried again."""

    wait: float = Field(default=0.0, ge=0, le=3_600)


class ReportArguments(Shape):
    """Over how many whole months the engagement report is."""

    months: Literal["3", "6", "12"] = "12"


class IngestArguments(Shape):
    """What an ingest is told about single sources, by their names."""

    replace: tuple[Text, ...] = ()
    keep: tuple[Text, ...] = ()
    accept_removal: tuple[Text, ...] = ()
    accept_quarantine: tuple[Text, ...] = ()


JobInput = Mapping[str, object]
"""The arguments of a job before they are checked."""


@dataclass(frozen=True)
class JobKind:
    """One sort of long work."""

    permission: Permission
    """That of its use case."""
    arguments: type[Shape]
    exclusive: str
    """What only one job may do at a time."""

    def read(self, kind: str, arguments: JobInput) -> str:
        """The arguments as JSON, checked; raises `UsageError` for those that do not fit."""
        try:
            return self.arguments.model_validate_json(json.dumps(arguments)).model_dump_json()
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise UsageError(
                f"cannot start the job '{kind}': its argument '{field}' does not fit ({first['msg']}).",
                field=field,
            ) from None


KINDS: dict[str, JobKind] = {
    "ingest": JobKind("run", IngestArguments, "ingest"),
    "checks": JobKind("run", CheckArguments, "checks"),
    "score": JobKind("run", ScoreArguments, "score"),
    "plan": JobKind("run", NoArguments, "plan"),
    "notify": JobKind("contact", NotifyArguments, "notify"),
    "campaign_reviews": JobKind("run", NoArguments, "campaign_reviews"),
    "train": JobKind("run", NoArguments, "train"),
    "playbook_preview": JobKind("edit_playbook", PlaybookPreviewArguments, "playbook_preview"),
    "promote": JobKind("promote", PromoteArguments, "champion"),
    "roll_back": JobKind("promote", RollBackArguments, "champion"),
    "campaign_report": JobKind("read_report", CampaignReportArguments, "campaign_report"),
    "report": JobKind("read_report", ReportArguments, "report"),
    "monitor": JobKind("analyse", NoArguments, "monitor"),
    "doctor": JobKind("analyse", NoArguments, "doctor"),
    "learn": JobKind("run", LearnArguments, "learn"),
}
