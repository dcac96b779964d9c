#!/usr/bin/env bash
# MLflow 3.17.2, SQLite store: a project folder that is moved takes its runs along, but not its artifacts.
#
# One expects: database and artifact folder lie side by side in one folder and were named by a relative path,
# so the folder can be moved, copied or restored from a backup, and everything in it opens.
# What happens: the absolute path of the day the experiment was made is stored in the database. After the move
# the runs and metrics are there, listing a run's artifacts gives an empty list without an error, and logging
# one more artifact to the old experiment makes the folder that was moved away anew and writes it there.
# Why it matters to churn scoring: the champion is fetched from there. A project that was moved or restored has
# a model with figures, but cannot score with it; and customers' lists land in a folder that nobody looks at.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check "mlflow-skinny==3.17.2" "sqlalchemy>=2" "alembic" "pandas" 2>/dev/null
cat > "$place/look.py" <<'PY'
import os
import shutil
import sys
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow.tracking import MlflowClient

place = Path(sys.argv[1])
old, new = place / "shop", place / "moved"
(old / "mlruns").mkdir(parents=True)
os.chdir(old)
client = MlflowClient("sqlite:///mlruns/mlflow.db")
experiment = client.create_experiment("churn", artifact_location="mlruns/artifacts")
run = client.create_run(experiment).info.run_id
client.log_text(run, "AUC 0.86", "card.txt")
client.log_metric(run, "auc", 0.86)
before = [one.path for one in client.list_artifacts(run)]
os.chdir(place)
shutil.move(old, new)
os.chdir(new)
client = MlflowClient("sqlite:///mlruns/mlflow.db")
print("artifacts before the move:", before)
print("metric after the move:    ", client.get_run(run).data.metrics)
listed = [one.path for one in client.list_artifacts(run)]
print("artifacts after the move: ", listed)
client.log_text(run, "AUC 0.87", "later.txt")
back = sorted(str(file.relative_to(place)) for file in old.rglob("*") if file.is_file()) if old.exists() else []
print("files in the old folder:  ", back)
sys.exit(0 if before == ["card.txt"] and listed == [] and any("later.txt" in one for one in back) else 1)
PY
"$place/venv/bin/python" "$place/look.py" "$place"
