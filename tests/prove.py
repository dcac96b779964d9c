"""Proofs that take hours: the same tests as in `make test`, with many seeds and more cases each.

`make prove` runs every unit (a proof and a seed) that has not passed on the present code, one after another,
and notes each in `build/proofs.jsonl`, so that a stopped run goes on where it was. `docs/proofs.md` is the
table of what passed. In the background: `nohup make prove > build/prove.log 2>&1 &`. One proof alone, by its
name: `python -m tests.prove "messy exports"`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOG = ROOT / "build" / "proofs.jsonl"
TABLE = ROOT / "docs" / "proofs.md"
REFUSAL = ROOT / "build" / "refused.txt"
"""Where a test says why it was refused."""


@dataclass(frozen=True)
class Proof:
    """A test that is run once for each seed."""

    name: str
    claim: str
    tests: tuple[str, ...]
    code: tuple[str, ...]
    """Files and folders that the claim is about: when one changes, the proof has to be run again."""
    seeds: int
    cases: int
    """Generated cases, or kills, of one seed."""
    environment: Mapping[str, str]
    short_form: str
    """What `make test` runs of it."""
    most_refused: float = 0.0
    """The share of seeds whose input may be refused in words, which is no failure."""


PROOFS = (
    Proof(
        "kernel",
        "The compiled kernel equals the plain definitions, and what comes later changes nothing",
        ("tests/features/engine/test_kernel.py", "tests/test_invariants.py"),
        (
            "features/engine",
            "features/catalog",
            "features/events",
            "features/timeline.py",
            "tests/reference.py",
        ),
        20,
        1_000,
        {"HYPOTHESIS_PROFILE": "proof"},
        "500 histories for each invariant, one seed",
    ),
    Proof(
        "killed ingests",
        "After an ingest was killed at any instant every event is there exactly once",
        ("tests/test_store_crash.py",),
        ("features/event_store.py", "features/ingestion", "features/storage", "features/privacy"),
        10,
        30,
        {"KIZUNA_PROOF_KILLS": "30"},
        "three kills, one seed",
    ),
    Proof(
        "kills on S3",
        "After an ingest or an erasure on S3 was killed every event is there once, and the erased nowhere",
        ("tests/test_object_store_crash.py",),
        ("features/event_store.py", "features/ingestion", "features/storage", "features/privacy"),
        1,
        30,
        {"KIZUNA_PROOF_KILLS": "30"},
        "three kills of each, one seed",
    ),
    Proof(
        "killed runs",
        "A month of daily runs of which each third was killed ends as the month without kills",
        ("tests/test_run_crash.py",),
        (
            "serving/jobs",
            "serving/state/run_index.py",
            "serving/state/outbox.py",
            "serving/integrations/webhooks.py",
            "serving/application/lists/notify.py",
            "serving/application/models/score.py",
            "serving/application/campaigns/review.py",
        ),
        3,
        10,
        {"KIZUNA_PROOF_KILLS": "10"},
        "three days, two kills, one seed (`make test-slow`)",
    ),
    Proof(
        "messy exports",
        "Dirty exports give the cohort, labels, values and consent of clean ones, or are refused in words",
        ("tests/inputs/test_messy_exports.py::test_every_kind_of_dirt_at_once_changes_nobody",),
        (
            "features/ingestion",
            "features/events",
            "features/simulation",
            "training/labels",
        ),
        200,
        500,
        {"KIZUNA_PROOF_CUSTOMERS": "500"},
        "150 customers, one seed, and each kind of dirt alone",
        most_refused=0.1,
    ),
)


@dataclass(frozen=True)
class Unit:
    """What became of one proof with one seed on one state of the code."""

    proof: str
    seed: int
    code: str
    passed: bool
    seconds: float
    refused: bool = False
    """Whether the test passed because its input was refused in words."""


def digest(paths: tuple[str, ...]) -> str:
    """The first digits of the SHA-256 of these files and of the Python files of these folders."""
    found = hashlib.sha256()
    for path in paths:
        place = ROOT / path
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            found.update(str(file.relative_to(ROOT)).encode())
            found.update(file.read_bytes())
    return found.hexdigest()[:12]


def units() -> Iterator[Unit]:
    """The units that were run, oldest first."""
    if LOG.exists():
        for line in LOG.read_text(encoding="utf-8").splitlines():
            yield Unit(**json.loads(line))


def run(proof: Proof, seed: int) -> Unit:
    """Run one unit in a process of its own."""
    started = time.monotonic()
    REFUSAL.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n0", f"--hypothesis-seed={seed}", *proof.tests],
        cwd=ROOT,
        env={
            **os.environ,
            **proof.environment,
            "KIZUNA_PROOF_SEED": str(seed),
            "KIZUNA_PROOF_REFUSAL": str(REFUSAL),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    unit = Unit(
        proof.name,
        seed,
        digest(proof.code),
        passed=done.returncode == 0,
        seconds=round(time.monotonic() - started, 1),
        refused=REFUSAL.exists(),
    )
    if not unit.passed:
        sys.stdout.write(done.stdout)
    return unit


def states(proof: Proof, ran: list[Unit]) -> list[str]:
    """The digests that have a row: the present code's, after the last earlier one that was proved further."""
    present = digest(proof.code)
    seeds: dict[str, set[int]] = {present: set()}
    for unit in ran:
        if unit.proof == proof.name:
            seeds.setdefault(unit.code, set()).add(unit.seed)
    earlier = [code for code in seeds if code != present and len(seeds[code]) > len(seeds[present])]
    return [*earlier[-1:], present]


def table() -> str:
    """The page of what was proved, on the present code and on the last earlier state that got further."""
    lines = [
        "# Proofs",
        "",
        "Tests with more seeds and cases than a test run has time for; `make prove` writes this page.",
        "A unit is one seed; it counts for the state of the code whose digest stands beside it.",
        "A proof's last row is the present code; a row above it is an earlier state that was proved further.",
        "",
        "| proof | claim | cases a seed | seeds passed | of them refused | failed | minutes | code "
        "| in every test run |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ran = list(units())
    for proof in PROOFS:
        for code in states(proof, ran):
            latest = {unit.seed: unit for unit in ran if (unit.proof, unit.code) == (proof.name, code)}
            passed = sum(unit.passed for unit in latest.values())
            refused = sum(unit.refused for unit in latest.values())
            minutes = sum(unit.seconds for unit in latest.values()) / 60
            lines.append(
                f"| {proof.name} | {proof.claim} | {proof.cases:,} | {passed} of {proof.seeds} "
                f"| {refused} | {len(latest) - passed} | {minutes:.0f} | `{code}` | {proof.short_form} |"
            )
    return "\n".join(lines) + "\n"


def named(names: Sequence[str]) -> tuple[Proof, ...]:
    """The proofs of these names, all where none is given; raises `SystemExit` for a name there is not."""
    known = [proof.name for proof in PROOFS]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no proof is called '{unknown[0]}'; the proofs are: {', '.join(known)}.")
    return tuple(proof for proof in PROOFS if not names or proof.name in names)


def main(names: Sequence[str] = ()) -> int:
    """Run what has not passed yet, of these proofs or of all; 1 where a unit failed."""
    proofs = named(names)
    LOG.parent.mkdir(exist_ok=True)
    failed = 0
    for proof in proofs:
        code = digest(proof.code)
        passed = {
            unit.seed for unit in units() if (unit.proof, unit.code, unit.passed) == (proof.name, code, True)
        }
        for seed in range(1, proof.seeds + 1):
            if seed in passed:
                continue
            unit = run(proof, seed)
            with LOG.open("a", encoding="utf-8") as log:
                log.write(json.dumps(asdict(unit)) + "\n")
            TABLE.write_text(table(), encoding="utf-8")
            outcome = ("refused" if unit.refused else "passed") if unit.passed else "FAILED"
            sys.stdout.write(f"{proof.name}, seed {seed}: {outcome} in {unit.seconds:.0f} s\n")
            sys.stdout.flush()
            failed += not unit.passed
        refused = {
            unit.seed for unit in units() if (unit.proof, unit.code, unit.refused) == (proof.name, code, True)
        }
        if len(refused) > proof.most_refused * proof.seeds:
            sys.stdout.write(f"{proof.name}: {len(refused)} seeds refused, more than may be\n")
            failed += 1
    TABLE.write_text(table(), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
