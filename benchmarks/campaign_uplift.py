"""Whom contact helps, on simulated campaigns and a real one: `python -m benchmarks.campaign_uplift --record
FILE`.

100 simulated campaigns in which contact helps some and drives others away, and 100 in which nothing that is
known tells them apart. Each has 20,000 customers, of whom 10 % are control, as `kizuna campaign start` draws
them. Counted is in how many the uplift model may rank customers. With `--data ../shared/data` the three
questions of the Hillstrom e-mail experiment come on top.

A campaign takes a few seconds. Each is written to the record as soon as it is judged, and a second call goes
on after the last. Every campaign has a seed of its own, so the record does not depend on the order.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.causal.uplift_evidence import UpliftAssessment, assess_uplift
from training.causal.uplift_metrics import qini_coefficient
from training.causal.uplift_models import UpliftParameters

Floats = NDArray[np.float64]

CUSTOMERS = 20_000
CONTROL = 0.1
HELPED, DRIVEN_AWAY = 0.45, 2.0
"""What a contact does to the hazard of leaving over the horizon; for the unmoved it does nothing."""
SHARES = (0.35, 0.5, 0.15)
"""Helped, unmoved, driven away: as the service of `kizuna simulate` has them."""
WORLDS = {
    "persuadables": True,
    "persuadables and sleeping dogs": True,
    "no effect": False,
    "the same effect for all": False,
    "hidden types, by chance": False,
    "hidden types, by chance, on the hazard": False,
}
"""Every kind of world that counts, and whether what is known tells whom contact helps."""
HARDER = "sleeping dogs only"
"""Only who is driven away can be told; a tenth as many of these are judged, and reported by themselves."""
ADDED = {
    "no effect": (0.0, 0.0, 0.0),
    "the same effect for all": (0.04, 0.04, 0.04),
    "hidden types, by chance": (0.12, 0.0, -0.1),
}
"""What contact adds to the probability of staying of the helped, the unmoved and the driven away."""
HILLSTROM = (("Womens E-Mail", "visit"), ("Mens E-Mail", "visit"), ("Womens E-Mail", "conversion"))
HILLSTROM_FEATURES = (
    "recency", "history", "history_segment", "mens", "womens", "zip_code", "newbie", "channel",
)  # fmt: skip


@dataclass(frozen=True)
class SimulatedCampaign:
    """A campaign whose truth is known."""

    features: pa.Table
    treated: NDArray[np.bool_]
    retained: Floats
    effect: Floats
    """What contact adds to each customer's probability of staying."""
    expected: Floats
    """The mean effect on customers of whom the same is known: no score can tell more."""


@dataclass(frozen=True)
class JudgedCampaign:
    """What was found in a campaign."""

    world: str
    number: int
    used: bool
    reason: str
    qini: float
    low: float
    high: float
    response_qini: float
    difference_low: float
    best_qini: float
    """Of the expected effects as the score."""
    effect: float
    """The mean of the true effects."""
    retained: float


def simulated_campaign(world: str, number: int, customers: int = CUSTOMERS) -> SimulatedCampaign:
    """Draw a campaign: who is in it, who was contacted, who stayed."""
    draw = np.random.default_rng([sum(map(ord, world)), number])
    silence, frequency = draw.gamma(1.5, 40, customers), draw.gamma(2.5, 0.4, customers)
    tenure, inquiries = draw.exponential(500, customers), draw.poisson(0.6, customers)
    plan = draw.choice(3, customers, p=[0.45, 0.4, 0.15])
    newsletter = draw.random(customers) < 0.8
    answer = np.where(draw.random(customers) < 0.45, draw.normal(8, 1.5, customers), np.nan)
    noise = draw.normal(0, 1, (customers, 4))
    leaning = (
        -1.4 + 0.008 * (silence - 60) - 0.8 * (frequency - 1) + 0.25 * inquiries - 0.0004 * (tenure - 500)
    )
    leaving = np.clip(1 / (1 + np.exp(-leaning)), 0.01, 0.8)
    helped = 1.2 * (inquiries > 0) + 0.012 * (silence - 60)
    driven = 1.5 * (tenure < 150) - 0.8 * (plan == 0) + 1.0 * ~newsletter
    chances = {
        "persuadables": (helped, np.full(customers, -np.inf)),
        HARDER: (np.zeros(customers), driven),
        "persuadables and sleeping dogs": (helped, driven),
    }
    if world in ADDED:  # nobody is so sure to stay that the effect could not be added in full
        leaving = 0.13 + 0.7 * leaving
    likely = _chances(*chances.get(world, (np.zeros(customers), np.zeros(customers))))
    types = (draw.random(customers)[:, None] > np.cumsum(likely, axis=1)[:, :2]).sum(axis=1)
    if world in ADDED:
        by_type = np.broadcast_to(ADDED[world], (customers, 3))
    else:
        by_type = leaving[:, None] - (1 - (1 - leaving[:, None]) ** np.array([HELPED, 1.0, DRIVEN_AWAY]))
    effect = by_type[np.arange(customers), types]
    treated = np.ones(customers, dtype=np.bool_)
    treated[draw.permutation(customers)[: round(CONTROL * customers)]] = False
    staying = np.clip(1 - leaving + treated * effect, 0, 1)
    features = pa.table(
        {
            "days_since_last": silence,
            "frequency": frequency,
            "tenure_days": tenure,
            "inquiries": inquiries,
            "plan": np.array(["light", "standard", "premium"])[plan],
            "newsletter": newsletter,
            "nps": answer,
            **{f"noise_{place}": column for place, column in enumerate(noise.T)},
        }
    )
    retained = (draw.random(customers) < staying).astype(np.float64)
    return SimulatedCampaign(features, treated, retained, effect, (likely * by_type).sum(axis=1))


def _chances(helped: Floats, driven: Floats) -> Floats:
    """float64[n, 3]: of helped, unmoved and driven away; the shares, shifted by log-odds of each customer."""
    odds = np.array(SHARES) * np.exp(np.column_stack([helped, np.zeros(len(helped)), driven]))
    chances: Floats = odds / odds.sum(axis=1, keepdims=True)
    return chances


def judge(world: str, number: int, customers: int = CUSTOMERS) -> JudgedCampaign:
    """Fit and judge one campaign."""
    campaign = simulated_campaign(world, number, customers)
    found = assess_uplift(
        campaign.features,
        campaign.treated,
        campaign.retained,
        1 - CONTROL,
        parameters=UpliftParameters(threads=1),
    )
    qini = found.intervals
    assert qini is not None, found.reason
    return JudgedCampaign(
        world,
        number,
        found.used,
        found.reason,
        qini.qini,
        qini.low,
        qini.high,
        qini.other,
        qini.difference_low,
        qini_coefficient(campaign.expected, campaign.treated, campaign.retained),
        float(campaign.effect.mean()),
        float(campaign.retained.mean()),
    )


def planned(campaigns: int) -> list[tuple[str, int]]:
    """The campaigns to judge, with and without heterogeneity in turn, and of each the kinds in turn."""
    telling = [world for world, tells in WORLDS.items() if tells]
    silent = [world for world, tells in WORLDS.items() if not tells]
    turns = []
    for number in range(campaigns):
        turns += [(worlds[number % len(worlds)], number) for worlds in (telling, silent)]
        turns += [(HARDER, number)] if number % 10 == 0 else []
    return turns


def simulate(record: Path, campaigns: int, processes: int = 1) -> list[JudgedCampaign]:
    """Judge the campaigns that the record does not hold yet, and add each to it."""
    lines = record.read_text("utf-8").splitlines() if record.exists() else []
    judged = {(one.world, one.number): one for one in (JudgedCampaign(**json.loads(line)) for line in lines)}
    wanted = planned(campaigns)
    missing = [turn for turn in wanted if turn not in judged]
    with record.open("a", encoding="utf-8") as file, get_context("spawn").Pool(processes) as pool:
        for one in pool.imap(_judge, missing):
            judged[one.world, one.number] = one
            file.write(json.dumps(asdict(one)) + "\n")
            file.flush()
    return [judged[turn] for turn in wanted]


def _judge(turn: tuple[str, int]) -> JudgedCampaign:
    return judge(*turn)


def table(judged: Sequence[JudgedCampaign]) -> str:
    """The campaigns as a Markdown table, a row a kind of world."""
    rows = [
        "| world | campaigns | used | Qini, median | best possible | response model |",
        "|---|---|---|---|---|---|",
    ]
    for world in (*WORLDS, HARDER):
        of_world = [one for one in judged if one.world == world]
        if of_world:
            medians = [
                float(np.median([getattr(one, name) for one in of_world]))
                for name in ("qini", "best_qini", "response_qini")
            ]
            used = sum(one.used for one in of_world)
            cells = [world, str(len(of_world)), str(used), *(f"{median:.1f}" for median in medians)]
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def hillstrom(data: Path) -> Iterator[tuple[str, str, UpliftAssessment]]:
    """The three questions of the Hillstrom experiment: one mail against none, on one outcome."""
    customers = pq.read_table(data / "hillstrom" / "customers.parquet")
    arm = np.array(customers["segment"].to_pylist())
    for mail, outcome in HILLSTROM:
        rows = (arm == mail) | (arm == "No E-Mail")
        chosen = customers.filter(pa.array(rows))
        treated = arm[rows] == mail
        values = chosen[outcome].to_numpy().astype(np.float64)
        features = chosen.select(HILLSTROM_FEATURES)
        yield mail, outcome, assess_uplift(features, treated, values, float(treated.mean()))


def main() -> None:
    """Judge the campaigns and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="where judged campaigns are kept")
    parser.add_argument("--campaigns", type=int, default=100, help="with and without heterogeneity [100]")
    parser.add_argument("--processes", type=int, default=1, help="how many work at once [1]")
    parser.add_argument("--data", type=Path, help="the folder with hillstrom/customers.parquet")
    call = parser.parse_args()
    if call.data:
        print("| mail | outcome | Qini | response | difference | T-learner | DR-learner | verdict |")
        print("|---|---|---|---|---|---|---|---|")
        for mail, outcome, found in hillstrom(call.data):
            qini, scores = found.intervals, found.scores
            assert qini is not None
            assert scores is not None
            learners = [
                f"{qini_coefficient(score, found.treated, found.outcome):.2f}"
                for score in (scores.t_learner, scores.dr_learner)
            ]
            cells = [
                mail,
                outcome,
                f"{qini.qini:.2f} ({qini.low:.2f} to {qini.high:.2f})",
                f"{qini.other:.2f}",
                f"{qini.difference:.2f} ({qini.difference_low:.2f} to {qini.difference_high:.2f})",
                *learners,
                found.reason,
            ]
            print(f"| {' | '.join(cells)} |")
        print()
    judged = simulate(call.record, call.campaigns, call.processes)
    for known, name in ((True, "with"), (False, "without")):
        used = [one.used for one in judged if WORLDS.get(one.world) == known]
        print(f"{name} heterogeneity: used in {sum(used)} of {len(used)}")
    print()
    print(table(judged))


if __name__ == "__main__":
    main()
