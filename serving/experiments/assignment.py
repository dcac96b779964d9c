"""Random assignment to treatment and control: a keyed hash within strata of risk decile and tier.

The arms follow from the customers' keys, their strata, the control share and the seed alone: not from the
order of rows, nor from how ids are spelled. Whoever has the record of a campaign can draw it again.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

ARMS = ("treatment", "control")
TREATMENT, CONTROL = range(len(ARMS))
Arm = Literal["treatment", "control"]

DECILES = 10
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_START = 0x5851F42D4C957F2D
"""Tells the random start of a draw from the hash of a customer."""


def keyed_hash(seed: int, keys: NDArray[np.int64]) -> NDArray[np.uint64]:
    """uint64[n]: the keyed hash of each customer key; different keys have different hashes.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number
    generators), once over the key and once more over that with the 64-bit seed.
    """
    return _mixed(_mixed(keys.astype(np.uint64)) ^ np.uint64(seed))


def in_share(seed: int, keys: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """bool[n]: whether each customer's hash lies in the first `share` of all hashes.

    Whoever is in a share is in every larger one of the same seed.
    """
    if share <= 0:
        return np.zeros(len(keys), np.bool_)
    if share >= 1:
        return np.ones(len(keys), np.bool_)
    inside: NDArray[np.bool_] = keyed_hash(seed, keys) < np.uint64(int(share * 2**64))
    return inside


def risk_deciles(probability: NDArray[np.float64]) -> NDArray[np.int8]:
    """int8[n]: the tenth of these customers' churn probabilities that each is in, 0 the lowest.

    Equal probabilities have the same decile. −1 where there is no probability.
    """
    known = ~np.isnan(probability)
    decile = np.full(len(probability), -1, np.int8)
    if known.any():
        edges = np.quantile(probability[known], np.arange(1, DECILES) / DECILES)
        decile[known] = np.searchsorted(edges, probability[known], side="right")
    return decile


def strata(decile: NDArray[np.int8], tier: NDArray[np.int8], tiers: int) -> NDArray[np.int32]:
    """int32[n]: the stratum of each customer, one for each risk decile and tier; −1 counts as one of both."""
    stratum: NDArray[np.int32] = (decile.astype(np.int32) + 1) * (tiers + 1) + tier + 1
    return stratum


def assign_arms(
    keys: NDArray[np.int64], stratum: NDArray[np.int32], control_share: float, seed: int
) -> NDArray[np.int8]:
    """int8[n]: `TREATMENT` or `CONTROL` for each customer, by stratified systematic sampling.

    Within a stratum the customers are ordered by their hash and the first of them are the control group. How
    many is rounded so that what one stratum rounds away is carried to the next: the whole control group is
    the share of all to within one customer, each stratum's to less than one. The rounding has a random start
    (Madow 1949, On the theory of systematic sampling), so that everybody's probability of control is exactly
    the share, whatever the sizes of the strata. The keys must be distinct.
    """
    hashes = keyed_hash(seed, keys)
    order = np.lexsort((hashes, stratum))
    _, first, sizes = np.unique(stratum[order], return_index=True, return_counts=True)
    start = float(_mixed(np.array([_START], np.uint64) ^ np.uint64(seed))[0] >> np.uint64(11)) / 2**53
    until = np.floor(np.cumsum(sizes) * control_share + start).astype(np.int64)
    controls = np.diff(until, prepend=0)
    place = np.arange(len(keys)) - np.repeat(first, sizes)
    arm = np.empty(len(keys), np.int8)
    arm[order] = np.where(place < np.repeat(controls, sizes), CONTROL, TREATMENT)
    return arm


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64: a bijection of 64-bit words in which every bit depends on every other."""
    with np.errstate(over="ignore"):
        words = values + _GAMMA
        words = (words ^ (words >> np.uint64(30))) * _FIRST
        words = (words ^ (words >> np.uint64(27))) * _SECOND
        mixed: NDArray[np.uint64] = words ^ (words >> np.uint64(31))
    return mixed
