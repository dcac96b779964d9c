"""The populations behind lifetime value: how often customers buy, when they stop, what they spend, and how
long contracts run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MbgNbdParameters:
    """The four numbers of an MBG/NBD population; time in days."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True)
class GammaGammaParameters:
    """Gamma-Gamma (Fader and Hardie 2013): the spend of a day is Gamma(p, ν), and ν differs between customers
    as Gamma(q, scale)."""

    p: float
    q: float
    """Above 1."""
    scale: float


NO_PURCHASES = MbgNbdParameters(0.0, 1.0, 1.0, 1.0), GammaGammaParameters(1.0, 2.0, 0.0)
"""Where contracts are all that customers pay for."""


@dataclass(frozen=True)
class ContractSurvival:
    """How long contracts run: exponentially, at a rate that differs between customers as Gamma(shape, scale).

    The continuous counterpart of the shifted beta-geometric (Fader and Hardie 2007): the longer a contract
    has run, the longer it will. Time in days.
    """

    shape: float
    scale: float
    period: float
    """The days that a recurring amount pays for."""


@dataclass(frozen=True)
class ChurnHold:
    """What holds values to the calibrated churn probability."""

    days: float
    """The churn horizon."""
    kept: tuple[float, ...]
    """What the values over each horizon are multiplied by, for the total of the cohort to stay."""
