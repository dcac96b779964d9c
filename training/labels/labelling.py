"""Who can still leave at an as-of date, and what became of them: cohort, churn and value.

Inactivity: the cohort was active within `[as_of - active_days, as_of)`; it churned when it was not
active within `[as_of + lead, as_of + lead + horizon)`. Contract: the cohort's latest contract event
is a start; it churned when the contract's first end within that same horizon is no completion.
The cohort is decided by what was known at the as-of date, the label by what happened in the horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.errors import ConfigurationError, HorizonNotCovered
from features.events.history import History
from features.timeline import ALWAYS, DAY, Horizon, Instants, Timeline, edges

if TYPE_CHECKING:
    from features.catalog.definitions import Indicator

REFUND = "refund"

STARTED, ENDED, COMPLETED, AMOUNT = 1, 2, 4, 8
"""What an event means to a label; an activity is a start that never has to end."""


class ChurnSettings(BaseModel):
    """The `[churn]` part of `kizuna.toml`: when a customer counts as gone.

    What a customer spends in the horizon is what they buy: of the indicators that decide inactivity where
    those carry amounts, else of `purchase`. A contract's value is a recurring amount, what it costs a month
    or a year, and says nothing of what falls due within the horizon: contracts alone give no value model.
    Ingest the payments as purchases to have one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["inactivity", "contract"] = Field(
        "inactivity", description="gone by falling silent, or by ending a contract"
    )
    indicators: tuple[str, ...] = Field(
        ("purchase",), description="inactivity: gone is who shows none of these in the horizon"
    )
    active_days: int = Field(
        90, ge=1, le=3650, description="inactivity: who did so within these days can still leave"
    )
    horizon_days: int = Field(60, ge=1, le=3650, description="the days of future that decide")
    lead_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="days between the as-of date and the horizon, so that there is time to act",
    )
    started_by: tuple[str, ...] = Field(
        ("started", "renewed"), description="contract: kinds that begin or keep one"
    )
    ended_by: tuple[str, ...] = Field(("cancelled",), description="contract: kinds that are churn")
    completed_by: tuple[str, ...] = Field(
        ("completed",), description="contract: kinds that end it without churn"
    )

    @model_validator(mode="after")
    def _decidable(self) -> ChurnSettings:
        if self.type == "inactivity" and not self.indicators:
            raise ValueError('indicators is empty: name what an active customer does, such as ["purchase"]')
        if self.type == "contract" and not (self.started_by and self.ended_by):
            raise ValueError("started_by and ended_by must each name at least one kind of event")
        return self


class Status(StrEnum):
    """What a customer is at an as-of date; `statuses` gives positions in `STATUSES`."""

    COHORT = "cohort"
    LAPSED = "lapsed"
    NEW = "new"


STATUSES = tuple(Status)
IN_COHORT = STATUSES.index(Status.COHORT)
UNKNOWN = -1
"""The status of a customer of whom nothing was known yet."""


@dataclass(frozen=True)
class Churn:
    """What decides that a customer is active, has left, and what they spent."""

    type: Literal["inactivity", "contract"]
    indicators: tuple[str, ...]
    started_by: tuple[str, ...]
    """Kinds that make a customer one who can leave: activity, or the start of a contract."""
    ended_by: tuple[str, ...]
    completed_by: tuple[str, ...]
    amounts: tuple[str, ...]
    """Kinds whose values are what the customer spent, refunds included; a contract's value is no spend."""
    active_days: int
    horizon: Horizon

    @staticmethod
    def of(settings: ChurnSettings, indicators: Sequence[Indicator]) -> Churn:
        """Read the settings against the project's indicators.

        Raises `ConfigurationError` for an indicator that does not exist or is the company's own doing.
        """
        known = {indicator.name: indicator for indicator in indicators}
        named = settings.indicators if settings.type == "inactivity" else ()
        for name in named:
            if name not in known:
                raise ConfigurationError(
                    f"cannot decide churn by the indicator '{name}': there is none of that name. "
                    f"Write one of {', '.join(sorted(known))} in [churn] indicators.",
                    field="churn.indicators",
                )
            if known[name].origin == "company":
                raise ConfigurationError(
                    f"cannot decide churn by the indicator '{name}': it is what the company does, not the "
                    "customer. Name an indicator of the customer's own doing in [churn] indicators.",
                    field="churn.indicators",
                )
        spending = [known[name] for name in named if known[name].amounts] or [
            indicator for indicator in indicators if indicator.name == "purchase"
        ]
        active = tuple(kind for name in named for kind in known[name].kinds if kind != REFUND)
        contract = settings.type == "contract"
        return Churn(
            type=settings.type,
            indicators=tuple(named),
            started_by=settings.started_by if contract else tuple(dict.fromkeys(active)),
            ended_by=settings.ended_by if contract else (),
            completed_by=settings.completed_by if contract else (),
            amounts=tuple(dict.fromkeys(kind for one in spending for kind in one.kinds)),
            active_days=settings.active_days,
            horizon=Horizon(settings.horizon_days, settings.lead_days),
        )

    @property
    def definition(self) -> str:
        """The label in one English sentence, with its exact interval."""
        horizon = self.horizon
        span = f"[as_of + {horizon.lead_days} d, as_of + {horizon.reach} d)"
        if self.type == "contract":
            return f"{' or '.join(self.ended_by)} in {span}, among those with a running contract"
        kinds = " or ".join(self.started_by)
        return f"no {kinds} in {span}, among those with one in [as_of - {self.active_days} d, as_of)"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(d: dict[str, Any]) -> Churn:
        lists = ("indicators", "started_by", "ended_by", "completed_by", "amounts")
        return Churn(**{**d, **{name: tuple(d[name]) for name in lists}, "horizon": Horizon(**d["horizon"])})


@dataclass(frozen=True, eq=False)
class Labels:
    """Facts from the horizon, one per customer and as-of date asked for."""

    churned: NDArray[np.bool_]
    value: NDArray[np.float64]
    """What the customer spent over the horizon, refunds taken off; 0 where nothing was."""


def statuses(history: History, churn: Churn, as_of: int) -> NDArray[np.int8]:
    """Each customer's position in `STATUSES` by what was known at the as-of date, or `UNKNOWN`."""
    return _standing(history, churn, _roles(history, churn), as_of)


def cohort(history: History, churn: Churn, as_of: int) -> NDArray[np.int64]:
    """The keys of the customers who can still leave at the as-of date, ascending."""
    return cohorts(history, churn, [as_of])[0]


def cohorts(history: History, churn: Churn, dates: Sequence[int]) -> list[NDArray[np.int64]]:
    """The cohort at each of these as-of dates."""
    roles = _roles(history, churn)
    if not (roles & STARTED).any():
        return [history.keys[:0] for _ in dates]
    return [history.keys[_standing(history, churn, roles, date) == IN_COHORT] for date in dates]


def label(
    history: History,
    churn: Churn,
    keys: NDArray[np.int64],
    as_of: int | Instants,
    covered_until: int,
    timeline: Timeline,
) -> Labels:
    """What became of each customer `keys[i]` in the horizon of `as_of[i]` (one date may serve all).

    Raises `HorizonNotCovered` when a horizon ends after `covered_until`. A key without events in the
    history has none in the horizon either.
    """
    dates = np.broadcast_to(np.asarray(as_of, dtype=np.int64), keys.shape)
    if len(dates):
        require_covered(int(dates.max()), churn.horizon, covered_until, timeline)
    rows = np.searchsorted(history.keys, keys)
    there = rows < history.customers
    there[there] = history.keys[rows[there]] == keys[there]
    rows[~there] = -1
    from training.labels.kernels import outcomes  # compiled: not needed to read what a score says

    churned, value = outcomes(
        history.offsets,
        history.instants,
        history.values,
        _roles(history, churn),
        rows,
        dates + churn.horizon.start(0),
        dates + churn.horizon.end(0),
        churn.type == "contract",
    )
    return Labels(churned, value)


def latest_labelled(covered_until: int, horizon: Horizon, timeline: Timeline) -> int:
    """The newest local midnight whose horizon the data covers."""
    newest = covered_until - horizon.reach * DAY
    midnight = timeline.midnight_after(newest)
    if midnight > newest:
        midnight = timeline.instant(timeline.local(newest).date())
    return midnight


def require_covered(as_of: int, horizon: Horizon, covered_until: int, timeline: Timeline) -> None:
    """Refuse an as-of date whose horizon the data does not reach, naming the dates."""
    if horizon.end(as_of) > covered_until:
        raise HorizonNotCovered(
            timeline.name(as_of),
            horizon.reach,
            (timeline.local(as_of) + timedelta(days=horizon.reach)).date().isoformat(),
            timeline.local(covered_until).date().isoformat(),
            timeline.name(latest_labelled(covered_until, horizon, timeline)),
        )


def _standing(history: History, churn: Churn, roles: NDArray[np.uint8], as_of: int) -> NDArray[np.int8]:
    from training.labels.kernels import standings  # compiled: not needed to read what a score says

    now, since = (int(edge) for edge in edges(as_of, [churn.active_days]))
    floor = ALWAYS if churn.type == "contract" else since
    codes: NDArray[np.int8] = standings(
        history.offsets, history.instants, history.recorded, roles, now, floor
    )
    return codes


def _roles(history: History, churn: Churn) -> NDArray[np.uint8]:
    """uint8[n]: what each event means to the label; a refund is an amount but no activity."""
    from training.labels.kernels import roles  # compiled: not needed to read what a score says

    known = _of_kinds(churn)
    of_kind = np.array([*(known.get(kind, 0) for kind in history.kind_names), 0], dtype=np.uint8)
    back = np.uint8(STARTED if churn.type == "inactivity" else 0)
    said: NDArray[np.uint8] = roles(history.kinds, of_kind, history.values, back)
    return said


@lru_cache(maxsize=64)
def _of_kinds(churn: Churn) -> Mapping[str, int]:
    """The role of each kind that has one."""
    kinds = {*churn.started_by, *churn.ended_by, *churn.completed_by, *churn.amounts}
    return {
        kind: STARTED * (kind in churn.started_by)
        | ENDED * (kind in churn.ended_by)
        | COMPLETED * (kind in churn.completed_by)
        | AMOUNT * (kind in churn.amounts)
        for kind in kinds
    }
