#!/usr/bin/env bash
# One binned LightGBM Dataset serves several models: bins are the dear part of small trees.
#
# Expected: `set_weight(None)`, `set_weight(ones)` and `set_init_score(None)` take back what an earlier model
# of the same Dataset was given, as their documented "or None" says.
# Seen (lightgbm 4.7.0): none of the three reaches the constructed Dataset. The Python attribute says None, the
# data behind it keeps the old weights and start values, and the next model is trained with them, without a
# word. `set_field("weight", None)` and `set_field("init_score", None)` do take them back.
#
# Why it matters here: churn models begin from the level of each as-of date (`init_score`) and may weight
# contacted customers; a tier or value model that shares the bins then answers another question, with
# probabilities that look plausible.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PY'
import lightgbm
import numpy as np

draw = np.random.default_rng(0)
matrix = draw.normal(size=(2_000, 3))
left = (draw.random(2_000) < 1 / (1 + np.exp(-matrix[:, 0]))).astype(float)
settings = {"objective": "binary", "num_threads": 1, "deterministic": True, "verbosity": -1, "seed": 0}


def first_model(data):
    """The mean raw score of ten trees, without the start values."""
    return float(lightgbm.train(settings, data, 10).predict(matrix, raw_score=True).mean())


def fresh():
    return lightgbm.Dataset(matrix, left, free_raw_data=False, params=settings).construct()


alone = first_model(fresh())
heavy = np.where(left > 0, 9.0, 1.0)
seen = {}
for name, give, take in (
    ("set_weight(None)", lambda d: d.set_weight(heavy), lambda d: d.set_weight(None)),
    ("set_weight(ones)", lambda d: d.set_weight(heavy), lambda d: d.set_weight(np.ones(2_000))),
    ("set_init_score(None)", lambda d: d.set_init_score(np.full(2_000, 3.0)), lambda d: d.set_init_score(None)),
    (
        "set_field(…, None)",
        lambda d: d.set_weight(heavy).set_init_score(np.full(2_000, 3.0)),
        lambda d: [d.set_field(field, None) for field in ("weight", "init_score")],
    ),
):
    data = fresh()
    give(data)
    take(data)
    seen[name] = first_model(data)
print(f"a Dataset of its own: {alone:+.4f}")
for name, mean in seen.items():
    print(f"{name:22} after another model: {mean:+.4f}", "taken back" if np.isclose(mean, alone) else "KEPT")
kept = [name for name, mean in seen.items() if not np.isclose(mean, alone)]
raise SystemExit(kept != ["set_weight(None)", "set_weight(ones)", "set_init_score(None)"])
PY
