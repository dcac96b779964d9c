"""The sample-ratio check: whether as many customers are in each arm as the declared share says.

Fabijan, A. and others (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD. Arms
that differ from it more than chance allows were not drawn, or not recorded, as declared, and no effect can
be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

MISMATCH = 0.001
"""A p-value below it is a mismatch: the check is made at every report, and must not cry wolf."""
EXACT_BELOW = 10_000
"""Customers below which the binomial test is exact."""


@dataclass(frozen=True)
class SampleRatio:
    """The share of customers in the control arm against the declared one."""

    share: float
    declared: float
    p_value: float
    mismatch: bool


def check_sample_ratio(treatment: int, control: int, declared: float) -> SampleRatio:
    """Compare the sizes of the arms with the declared share of the control arm, 0 to 1.

    Exact for few customers, Pearson's chi-square for many.
    """
    total = treatment + control
    if not total:
        return SampleRatio(0.0, declared, 1.0, False)
    if not 0 < declared < 1:
        p_value = float(control == declared * total)
    elif total < EXACT_BELOW:
        from scipy.stats import binomtest

        p_value = float(binomtest(control, total, declared).pvalue)
    else:
        from scipy.special import chdtrc

        distance = (control - declared * total) ** 2 / (total * declared * (1 - declared))
        p_value = float(chdtrc(1, distance))
    return SampleRatio(control / total, declared, p_value, p_value < MISMATCH)
