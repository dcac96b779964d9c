"""The shape of the answer of `kizuna monitor` and of `GET /v1/monitor`."""

from __future__ import annotations

from dataclasses import dataclass

from training.monitoring.records import CalibrationAlarm, DatePerformance, DriftResult, UnjudgedDate


@dataclass(frozen=True)
class MonitorReply:
    """Earlier scores compared with what happened since."""

    computed_at: str
    data_version: str
    covered_until: str | None
    """The day until which the data tells who left; dates whose horizon ends later have not matured. None
    where no file can be read."""
    alarms: list[CalibrationAlarm]
    """Those that stand, the most severe first; of the model of the newest matured date."""
    drift: DriftResult | None
    """Of the newest scores; None where the record is too short to know what is usual."""
    dates: list[DatePerformance]
    """The newest first."""
    unjudged: list[UnjudgedDate]
    """Score files that cannot be judged, the newest first."""


@dataclass(frozen=True)
class LastMonitorReply:
    """The last result of monitoring."""

    result: MonitorReply | None
    """null before the first."""
