"""How long it takes to assign a million customers: strata, arms, balance, what could be seen, and the file.

python -m benchmarks.campaign_assignment --customers 1_000_000
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.catalog.definitions import indicators
from features.timeline import DAY
from serving.experiments.assignment import assign_arms, risk_deciles, strata
from serving.experiments.balance import covariate_balance
from serving.experiments.campaign_file import Assignment, AssignmentFacts, load, save
from serving.experiments.visible_effects import visible_effects
from training.labels.settings import Churn, ChurnSettings

CHURN = Churn.of(ChurnSettings(horizon_days=90), indicators({}))


def measured(customers: int, folder: Path, seed: int = 1) -> dict[str, float | int]:
    """Seconds of each step for made-up scores, the control group of 10 %, and how far the shares are off."""
    dice = np.random.default_rng(seed)
    keys = np.sort(dice.choice(customers * 4, customers, replace=False)).astype(np.int64)
    probability, value = dice.beta(2, 8, customers), dice.lognormal(4, 1, customers)
    tier = dice.integers(0, 5, customers).astype(np.int8)
    plan = pa.array(np.array(["gold", "silver", "basic"])[dice.integers(0, 3, customers)])
    started = time.perf_counter()
    decile = risk_deciles(probability)
    stratum = strata(decile, tier, 5)
    arm = assign_arms(keys, stratum, 0.1, seed)
    assigned = time.perf_counter()
    covariate_balance(arm, {"risk": probability, "value": value, "tier": tier.astype(np.float64)})
    sizes = int((arm == 0).sum()), int((arm == 1).sum())
    dates = {months: months * 30 * DAY for months in (1, 3, 6, 12)}
    visible_effects(sizes, probability, value, CHURN, 0, dates)
    summed_up = time.perf_counter()
    columns = {
        "key": keys, "arm": arm, "stratum": stratum, "risk_decile": decile, "churn_probability": probability,
        "expected_value": value, "value_at_risk": value * probability, "tier": tier, "tenure_days": value,
        "past_spend": value,
    }  # fmt: skip
    facts = AssignmentFacts("benchmark", ("a", "b", "c", "d", "e"), ("plan",))
    assignment = Assignment.of(columns, facts, [None] * customers, {"plan": plan})
    save(folder / "campaign.arrow", assignment)
    written = time.perf_counter()
    found = load(folder / "campaign.arrow").control
    np.isin(keys, found)
    control = np.bincount(stratum, weights=arm == 1)
    return {
        "customers": customers,
        "assign_seconds": assigned - started,
        "balance_and_power_seconds": summed_up - assigned,
        "file_seconds": written - summed_up,
        "total_seconds": written - started,
        "read_control_seconds": time.perf_counter() - written,
        "customers_off_the_share": abs(sizes[1] - 0.1 * customers),
        "most_off_in_a_stratum": float(np.abs(control - 0.1 * np.bincount(stratum)).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=lambda text: int(text.replace("_", "")), default=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(parser.parse_args().customers, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
