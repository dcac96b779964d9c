"""The definition of churn: the `[churn]` settings, and what they mean in kinds of event and days.

Inactivity: a customer churns who is not active within `[as_of + lead, as_of + lead + horizon)`.
Contract: a customer churns whose contract's first end within that same horizon is no completion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.errors import ConfigurationError
from features.events.schema import REFUND
from features.timeline import Horizon

if TYPE_CHECKING:
    from features.catalog.definitions import Indicator


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
    """Kinds whose values are what the customer spent, refunds included; a contract's value is no spend.

    A negative value of such a kind takes back and is no activity; of any other it is a value like others."""
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
            indicator for indicator in indicators if indicator.name == "purchase" and indicator.amounts
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
