"""What customers are expected to spend before a level is set: purchases to come, contracts while they run."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from training.bundle.lifetime.parameters import ContractSurvival, GammaGammaParameters, MbgNbdParameters

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Constants = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]

BOUGHT, SINCE_FIRST, SINCE_LAST, TOTAL, AMOUNT, SINCE_START, SINCE_CONTRACT = range(7)
"""The columns of facts: of purchases (`lifetime_model.READ`), then of contracts where there are any."""


@dataclass(frozen=True)
class SpendProcess:
    """A population of customers: how they buy, what they spend, and how long their contracts run."""

    population: MbgNbdParameters
    spend: GammaGammaParameters
    contract: ContractSurvival | None

    @property
    def constants(self) -> Constants:
        """The parameters as the compiled code takes them."""
        contract = (0.0, 1.0, 1.0) if self.contract is None else astuple(self.contract)
        return astuple(self.population), astuple(self.spend), contract

    def known(self, facts: Floats, running: Flags) -> Flags:
        """bool[n]: who ever bought, or has a contract that costs something."""
        bought: Flags = facts[:, BOUGHT] > 0
        return bought if self.contract is None else bought | paying(facts, running)

    def expectations(self, facts: Floats, running: Flags, days: Floats) -> tuple[Floats, Floats]:
        """float64[n, h] twice: payments expected within these days (days with a purchase, and periods of a
        running contract), and what they bring."""
        from training.bundle.lifetime.value_kernel import expectations  # compiled

        expected, plain = expectations(np.ascontiguousarray(facts), running, days, *self.constants)
        return expected, plain


def days_known(facts: Floats) -> Floats:
    """float64[n]: days since the first purchase, or the first row of a contract where that is earlier."""
    first: Floats = facts[:, SINCE_FIRST]
    return first if facts.shape[1] <= SINCE_CONTRACT else np.fmax(first, facts[:, SINCE_CONTRACT])


def paying(facts: Floats, running: Flags) -> Flags:
    """bool[n]: who has a contract, as `running` says, that costs something."""
    if facts.shape[1] <= AMOUNT:
        return np.zeros(len(facts), dtype=np.bool_)
    costs: Flags = running & (facts[:, AMOUNT] > 0)
    return costs
