"""The warm-up compiles what requests and labels run, so that nobody waits for the compiler."""

from __future__ import annotations

import subprocess
import sys

FOLLOWED = """
import sys
from numba.core.registry import CPUDispatcher
from serving.cli import warmup

def compiled():
    rooms = ("features.", "training.", "serving.")
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(rooms)]
    return {
        (function.py_func.__module__, function.py_func.__name__): set(map(str, function.signatures))
        for module in modules
        for function in vars(module).values()
        if isinstance(function, CPUDispatcher)
    }

warmup.warm()
before = compiled()
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
import numpy as np
from features.catalog.defaults import indicators
from features.event_store import EventStore
import pyarrow as pa
from training.causal.uplift_evidence import assess_uplift
from training.diagnosis.contract_findings import contract_findings
from training.labels.cohort import cohorts, customers_at, statuses
from training.labels.labelling import label
from training.labels.settings import Churn, ChurnSettings

rows = warmup._purchases(7)
store = EventStore(Path(mkdtemp()), buckets=2)
store.add(rows, source="other", timeline=warmup.UTC, now=warmup.LAST)
for more in ({}, {"term_days": 365}, {"contracts_by": "customer"}):
    settings = ChurnSettings.model_validate({"type": "contract", "horizon_days": 10, **more})
    churn = Churn.of(settings, indicators({}), "Asia/Tokyo")
    at = warmup.FIRST + 50 * warmup.DAY
    for history in store.histories():
        for recorded in (history.recorded, np.empty(0, np.int64)):
            history = replace(history, recorded=recorded)
            statuses(history, churn, at)
            label(history, churn, cohorts(history, churn, [at])[0], at, warmup.LAST, warmup.UTC)
            customers_at(history, churn, [at])
    contract_findings(store, churn, warmup.LAST)
draw = np.random.default_rng(0)
outcome = (draw.random(200) < 0.5).astype(float)
judged = assess_uplift(pa.table({"a": draw.random(200)}), draw.random(200) < 0.5, outcome, 0.5, resamples=2)
assert judged.intervals is not None
later = compiled()
names = {name for _, name in later}
wanted = {"coefficient", "current_standings"}
assert wanted | {"contract_places", "_stays", "_standings", "_outcomes"} <= names, names
new = {name: sorted(found - before.get(name, set())) for name, found in later.items()}
print({name: found for name, found in new.items() if found})
"""


def test_labels_statuses_of_contracts_and_uplift_compile_nothing_after_the_warm_up() -> None:
    ran = subprocess.run([sys.executable, "-c", FOLLOWED], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "{}"
    assert "2/7 training" in ran.stderr, ran.stderr
