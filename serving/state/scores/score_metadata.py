"""Where the scores of a file came from: its as-of date, the models, and the data behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.schemas.lifetime_responses import Evidence
from serving.schemas.responses import Contacts
from training.bundle.level_uncertainty import ExpectedLeavers
from training.bundle.lifetime.lifetime_values import LifetimeHorizons


@dataclass(frozen=True)
class UpliftSource:
    """The uplift model that a file's `uplift` came from."""

    fingerprint: str
    outcome: str
    """The outcome of campaigns that it was learned on, such as `retained`."""
    months: int
    """The review date, in months after the start."""
    campaigns: tuple[str, ...]
    learned_at: int
    """Microseconds UTC."""


@dataclass(frozen=True)
class ScoreMetadata:
    """Where scores came from. Instants in microseconds UTC."""

    as_of: int
    model_version: str
    fingerprint: str
    data_version: str
    newest: int | None
    """The newest event behind them."""
    covered_until: int | None = field(default=None, kw_only=True)
    """Until when the data can tell silence; what people note and the company does count for nothing."""
    evidence: Evidence
    contacts: Contacts = field(default="as_they_were", kw_only=True)
    """Which risk the model learned; files from before it was kept have none."""
    amounts: bool
    """Whether events carry amounts, so that there is a value at risk."""
    tiers: tuple[str, ...]
    """Names, lowest first."""
    scored_at: int
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values that each attribute has."""
    uplift: UpliftSource | None = field(default=None, kw_only=True)
    """None where no uplift model was in use."""
    expected_leavers: ExpectedLeavers | None = field(default=None, kw_only=True)
    """How many of the cohort are expected to leave; files from before it was kept have none."""
    lifetime: LifetimeHorizons | None = field(default=None, kw_only=True)
    """The horizons of lifetime value; files from before it was told have none."""

    @property
    def data_until(self) -> int | None:
        """The newest event of what customers did, as far as it is told apart from all others."""
        return min((one for one in (self.newest, self.covered_until) if one is not None), default=None)
