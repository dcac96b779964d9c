"""A project with a million scored customers, made from one that was scored."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.storage.customer_ids import CUSTOMERS_SCHEMA, Customers, plan_growth
from features.storage.delta_table import Lake
from serving.cli.context import CliContext
from serving.state.scores.score_file import load, save
from serving.state.scores.score_index import ScoreFile, current_scores, use_scores

MANY = 1_000_000
SEED = 0
"""Of which customers are repeated."""


def fill(project: Path, folder: Path, many: int = MANY) -> list[str]:
    """Copy the project without its events, and give it this many customers; returns their names."""
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("events", "customers", "scores"))
    with CliContext(project).records() as records:
        current = current_scores(records)
    if current is None:
        raise SystemExit("score the project first: kizuna score")
    scores = load(project / "state" / "scores" / current.file)
    chance = np.random.default_rng(SEED)
    like = scores.answers.take(chance.integers(0, len(scores.answers), many))
    probability = like.churn_probability * chance.uniform(0.5, 1.0, many)
    expected = like.expected_value * chance.uniform(0.5, 1.5, many)
    answers = replace(
        like,
        key=np.arange(many),
        churn_probability=probability,
        expected_value=expected,
        value_at_risk=probability * expected,
    )
    call = CliContext(folder)
    facts = replace(scores.facts, scored_at=scores.facts.scored_at + 1)
    file = save(call.project.scores, answers, facts)
    names = [f"customer-{number:08d}" for number in range(many)]
    lake = Lake(folder / "state" / "customers", CUSTOMERS_SCHEMA)
    growth = plan_growth(lake, Customers(pa.array(names)), "benchmark")
    lake.commit(*(growth or ([], [])), record={"given": many})
    with call.records() as records:
        use_scores(
            records,
            ScoreFile(file, facts.as_of, facts.model_version, facts.data_version, many, facts.scored_at),
            (facts.model_version, facts.fingerprint),
        )
    return names
