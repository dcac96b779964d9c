"""The steps of `kizuna run`, what each waits for, and `[schedule]`: when each is due, as cron words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator

NEVER = "never"
NIGHT = "0 3 * * *"
"""Three in the morning of every day."""
PARTS = 5
_ANY_DAY = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RunStep:
    """One step of a run: a job of this kind."""

    name: str
    """Its key in `[schedule]`."""
    kind: str
    """Of `serving.jobs.kinds.KINDS`."""
    needs: tuple[str, ...]
    """Steps of the same run that must be done before; one that is not due today is not waited for."""
    words: tuple[str, str]
    """What it does, in English and in Japanese."""


STEPS: tuple[RunStep, ...] = (
    RunStep("ingest", "ingest", (), ("read the sources", "データの取り込み")),
    RunStep("checks", "checks", ("ingest",), ("check what arrived", "届いたデータの確認")),
    RunStep("score", "score", ("ingest", "checks"), ("score everyone", "スコア算出")),
    RunStep("plan", "plan", ("score",), ("make the plan", "プランの作成")),
    RunStep("notify", "notify", ("plan",), ("tell the webhooks", "Webhookへの通知")),
    RunStep("campaigns", "campaign_reviews", ("ingest",), ("review campaigns", "施策の評価")),
    RunStep("retrain", "train", ("ingest",), ("train a model", "モデルの再学習")),
    RunStep("report", "report", ("ingest",), ("compute the report", "レポートの集計")),
)
"""In the order in which they run."""
BY_NAME = {step.name: step for step in STEPS}


class ScheduleSettings(BaseModel):
    """`[schedule]`: when each step of `kizuna run` is due, by the project's clock and in its time zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    night: str = Field(
        default=NIGHT,
        description="when steps without an entry of their own are due: minute, hour, day of the month, month "
        "and day of the week, in the project's time zone",
    )
    ingest: str = Field(default="", description="when the sources are read; empty for `night`, or `never`")
    checks: str = Field(
        default="", description="when what arrived is checked before scoring; empty for `night`, or `never`"
    )
    score: str = Field(default="", description="when everyone is scored; empty for `night`, or `never`")
    plan: str = Field(default="", description="when the plan is made; empty for `night`, or `never`")
    notify: str = Field(
        default="", description="when webhooks are told what changed; empty for `night`, or `never`"
    )
    campaigns: str = Field(
        default="",
        description="when the effects of campaigns that reached a review date are computed; empty for "
        "`night`, or `never`",
    )
    retrain: str = Field(
        default="0 3 1 * *", description="when a model is trained anew; empty for `night`, or `never`"
    )
    report: str = Field(
        default="", description="when the engagement report is computed; empty for `night`, or `never`"
    )
    days_back: int = Field(
        default=7,
        ge=0,
        le=90,
        description="when a source has stopped, everyone is scored as of the last day on which all were "
        "whole, at most so many days back; beyond, scoring is held back, with 0 at once",
    )
    attempts: int = Field(
        default=3,
        ge=1,
        le=100,
        description="how often `kizuna run --due` tries a step that fails on one day; `kizuna run` without "
        "`--due` always tries again",
    )

    @field_validator("night", *BY_NAME)
    @classmethod
    def _cron_words(cls, words: str) -> str:
        if words in ("", NEVER):
            return words
        if len(words.split()) != PARTS:
            raise ValueError(f'write five cron words such as "{NIGHT}" (minute, hour, day, month, weekday)')
        try:
            next(CronSim(words, _ANY_DAY))
        except CronSimError as error:
            part = str(error).removeprefix("Bad ")
            raise ValueError(f'write five cron words such as "{NIGHT}": the {part} does not fit') from None
        except StopIteration:
            raise ValueError("write cron words of a day that comes: this one never does") from None
        return words

    def words(self, step: str) -> str | None:
        """The cron words of a step; None where it is never due."""
        words = str(getattr(self, step)) or self.night
        return None if words in ("", NEVER) else words
