"""The definition of churn: the `[churn]` settings, and what they mean in kinds of event and days.

Inactivity: a customer churns who is not active within `[as_of + lead, as_of + lead + horizon)`.
Contract: a customer churns whose last running contract ends within that same horizon by what is churn, and
for whom none begins again within `same_change_hours`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.errors import ConfigurationError
from features.events.recurring_amounts import Period
from features.events.schema import REFUND
from features.timeline import Horizon, Moments, days_after, whole_years

if TYPE_CHECKING:
    from features.catalog.definitions import Indicator


CONTRACT = "contract"
"""The indicator whose amounts are recurring."""


class ChurnSettings(BaseModel):
    """The `[churn]` part of `kizuna.toml`: when a customer counts as gone.

    What a customer spends in the horizon is what they buy: of the indicators that decide inactivity where
    those carry amounts, else of `purchase`. A contract's value is a recurring amount, what it costs a month
    or a year (`per` of its source), and says nothing of what falls due within the horizon: contracts alone
    give no value model. Ingest the payments as purchases to have one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["inactivity", "contract"] = Field(
        "inactivity", description="gone by falling silent, or by ending a contract"
    )
    indicators: tuple[str, ...] = Field(
        ("purchase",), description="inactivity: gone is who shows none of these in the horizon"
    )
    active_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="inactivity: who did so within these days can still leave; 365, 730 and so on are whole "
        "years of the calendar",
    )
    horizon_days: int = Field(
        60,
        ge=1,
        le=3650,
        description="the days of future that decide; 365, 730 and so on are whole years of the calendar",
    )
    lead_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="days between the as-of date and the horizon, so that there is time to act",
    )
    contacts: Literal["as_they_were", "without_contact"] = Field(
        "as_they_were",
        description='what is learned: "as_they_were" the risk with the contacts that were made, '
        '"without_contact" the risk if no campaign contacts anybody, from control groups',
    )
    started_by: tuple[str, ...] = Field(
        ("started", "renewed"), description="contract: kinds that begin or keep one"
    )
    ended_by: tuple[str, ...] = Field(("cancelled",), description="contract: kinds that are churn")
    completed_by: tuple[str, ...] = Field(
        ("completed",), description="contract: kinds that end it without churn"
    )
    changed_by: tuple[str, ...] = Field(
        ("upgraded", "downgraded"),
        description="contract: kinds that keep one and may move it to another plan (`detail`)",
    )
    renewed_by: tuple[str, ...] = Field(
        ("renewed",), description="contract: those of `started_by` that renew one and are no second contract"
    )
    paused_by: tuple[str, ...] = Field(("paused",), description="contract: kinds that pause one")
    resumed_by: tuple[str, ...] = Field(("resumed",), description="contract: kinds that end a pause")
    trial_by: tuple[str, ...] = Field(
        ("trial_started",), description="contract: kinds that begin a trial; its end is never churn"
    )
    same_change_hours: float = Field(
        24.0,
        ge=0,
        le=8760,
        description="contract: an end and a start at most so many hours apart are a change of plan",
    )
    pause_is_churn: bool = Field(False, description="contract: whether a pause counts as an end")
    count_trials: bool = Field(False, description="contract: whether who is on trial is a customer")
    term_days: int | None = Field(
        None,
        ge=1,
        le=36500,
        description="contract: one that is not renewed within so many days has ended; 365, 730 and so on are "
        "whole years of the calendar",
    )
    contracts_by: Literal["auto", "customer"] = Field(
        "auto",
        description='contract: "auto" tells contracts apart by `contract_id`, else by `detail`; "customer" '
        "takes all rows of a customer for one contract",
    )
    plans: tuple[str, ...] = Field(
        (),
        description="contract: the names of plans; an end that names one which the customer never started on "
        "record ends nothing else, while one that names anything else, such as a reason, ends what runs",
    )

    @model_validator(mode="after")
    def _decidable(self) -> ChurnSettings:
        if self.type == "inactivity" and not self.indicators:
            raise ValueError('indicators is empty: name what an active customer does, such as ["purchase"]')
        if self.type == "contract" and not (self.started_by and self.ended_by):
            raise ValueError("started_by and ended_by must each name at least one kind of event")
        return self


CONTRACT_SETTINGS = (
    "changed_by",
    "renewed_by",
    "paused_by",
    "resumed_by",
    "trial_by",
    "same_change_hours",
    "pause_is_churn",
    "count_trials",
    "term_days",
    "contracts_by",
    "plans",
)
"""The settings that only say how rows make contracts."""


@dataclass(frozen=True)
class ContractRules:
    """How the rows of a customer make contracts; see the settings of the same names."""

    changed_by: tuple[str, ...] = ("upgraded", "downgraded")
    renewed_by: tuple[str, ...] = ("renewed",)
    paused_by: tuple[str, ...] = ("paused",)
    resumed_by: tuple[str, ...] = ("resumed",)
    trial_by: tuple[str, ...] = ("trial_started",)
    same_change_hours: float = 24.0
    pause_is_churn: bool = False
    count_trials: bool = False
    term_days: int | None = None
    contracts_by: Literal["auto", "customer"] = "auto"
    plans: tuple[str, ...] = ()
    """An end that names one of these, which the customer never started, is that of a contract from before the
    record. An end that names anything else, such as a reason, ends what runs."""

    @staticmethod
    def from_json(d: dict[str, Any]) -> ContractRules:
        read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in d.items()}
        return ContractRules(**read)


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
    contracts: ContractRules = ContractRules()

    @staticmethod
    def of(settings: ChurnSettings, indicators: Sequence[Indicator], timezone: str = "UTC") -> Churn:
        """Read the settings against the project's indicators; whole years are those of its time zone.

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
            horizon=Horizon(
                settings.horizon_days, settings.lead_days, timezone if _counts_years(settings) else None
            ),
            contracts=ContractRules(**{name: getattr(settings, name) for name in CONTRACT_SETTINGS})
            if contract
            else ContractRules(),
        )

    @property
    def definition(self) -> str:
        """The label in one English sentence, with its exact interval."""
        horizon = self.horizon
        start, end = f"as_of + {horizon.lead_days} d", f"as_of + {horizon.reach} d"
        if horizon.years:
            end = f"{start if horizon.lead_days else 'as_of'} + {_years(horizon.years)}"
        span = f"[{start}, {end})"
        if self.type == "contract":
            return f"{' or '.join(self.ended_by)} in {span}, among those with a running contract"
        kinds = " or ".join(self.started_by)
        years = whole_years(self.active_days) if horizon.calendar else 0
        before = _years(years) if years else f"{self.active_days} d"
        return f"no {kinds} in {span}, among those with one in [as_of - {before}, as_of)"

    def active_since(self, as_of: Moments) -> Moments:
        """Where the active days before an as-of date begin."""
        return days_after(as_of, -self.active_days, self.horizon.calendar)

    def to_json(self) -> dict[str, Any]:
        """As JSON; rules of contracts that are the default, and a calendar that is none, are left out."""
        written = asdict(self)
        if self.horizon.calendar is None:
            del written["horizon"]["calendar"]
        if self.contracts == ContractRules():
            del written["contracts"]
        return written

    @staticmethod
    def from_json(d: dict[str, Any]) -> Churn:
        lists = ("indicators", "started_by", "ended_by", "completed_by", "amounts")
        read: dict[str, Any] = {name: tuple(d[name]) for name in lists}
        read |= {"horizon": Horizon(**d["horizon"])}
        read |= {"contracts": ContractRules.from_json(d.get("contracts", {}))}
        return Churn(**{**d, **read})


def recurring_units(indicators: Sequence[Indicator], churn: Churn) -> dict[str, Period]:
    """The period to which recurring amounts are brought, by kind; what customers spend has none.

    Kinds that begin, change or end a contract count as those of the indicator `contract`.
    """
    by_kind: dict[str, Period] = {}
    for indicator in indicators:
        period = indicator.per or ("month" if indicator.name == CONTRACT else None)
        if period is None:
            continue
        kinds = list(indicator.kinds)
        if indicator.name == CONTRACT and churn.type == "contract":
            rules = churn.contracts
            kinds += [*churn.started_by, *churn.ended_by, *churn.completed_by, *rules.changed_by]
            kinds += [*rules.paused_by, *rules.resumed_by, *rules.trial_by]
        by_kind |= dict.fromkeys(kinds, period)
    return {kind: period for kind, period in by_kind.items() if kind not in {*churn.amounts, REFUND}}


def _counts_years(settings: ChurnSettings) -> bool:
    """Whether any of the days that decide stand for whole years."""
    own = settings.active_days if settings.type == "inactivity" else settings.term_days
    return any(whole_years(days) for days in (settings.horizon_days, own) if days)


def _years(count: int) -> str:
    return "1 year" if count == 1 else f"{count} years"
