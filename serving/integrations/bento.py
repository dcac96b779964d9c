"""A bento: a folder that starts on its own with `bentoml serve`, wherever BentoML is.

It holds the code, kizuna.toml, the bundle, the hashes of the project's keys, and its people with the hashes
of their passwords; no event, no score and no customer. It answers live calls. Compiled code does not travel:
a bento's first start in a place makes it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import requires
from pathlib import Path

from features.errors import UsageError
from serving.project.language import FILE
from serving.project.settings import Project
from serving.state.accounts.copying import CopiedAccount, copy_accounts
from serving.state.active_model import ActiveModel
from serving.state.api_keys import ApiKey, copy_keys
from serving.state.campaigns.uplift_index import UpliftRecord, load_texts, save_texts, use_uplift
from serving.state.database import Database
from serving.state.scores.score_index import use_champion

ROOMS = ("features", "training", "serving")
NOT_NEEDED = ("mlflow", "shap", "matplotlib", "woodelf-explainer", "rich")
"""Packages of training and of the command line."""

ENTRY = "serving.api.bentoml_service:SERVICE"


def build_bento(
    project: Project,
    model: ActiveModel,
    keys: Sequence[ApiKey],
    people: Sequence[CopiedAccount],
    now: int,
    output: Path,
    uplift: UpliftRecord | None = None,
) -> None:
    """Write a bento of this model that accepts these keys and people.

    Raises `UsageError` where `output` exists.

    It carries the uplift model in use too, for scores that are made there; live answers have no uplift.
    """
    if output.exists():
        raise UsageError(f"cannot package into {output}: it exists. Remove it, or name another folder.")
    with tempfile.TemporaryDirectory(prefix="kizuna-package-") as place:
        folder = Path(place) / "context"
        lay_out(project, model, keys, people, now, folder, uplift)
        home = Path(place) / "home"
        environment = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
        named = ["--output", "tag", "--version", f"model-{model.version}"]
        command = [sys.executable, "-m", "bentoml", "build", ".", *named]
        build = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if build.returncode:
            raise UsageError(f"cannot package: `bentoml build` failed: {build.stderr.strip()[-500:]}")
        shutil.copytree(home / "bentos" / "kizuna" / f"model-{model.version}", output)


def lay_out(
    project: Project,
    model: ActiveModel,
    keys: Sequence[ApiKey],
    people: Sequence[CopiedAccount],
    now: int,
    folder: Path,
    uplift: UpliftRecord | None = None,
) -> None:
    """Put what the bento is made of into a folder."""
    code = Path(__file__).parents[2]
    for room in ROOMS:
        shutil.copytree(code / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "*.nb*"))
    inside = folder / "project"
    inside.mkdir(parents=True)
    # Its sources and addresses are of no use there, and their secrets no one's business.
    (inside / FILE).write_text(
        f'timezone = "{project.settings.timezone}"\nlanguage = "{project.settings.language}"\n',
        encoding="utf-8",
    )
    home = f"{model.version}-{model.bundle.fingerprint}"
    model.bundle.save(inside / "state" / "bundles" / home)
    with Database(f"sqlite:///{inside / 'state' / 'kizuna.db'}") as database:
        use_champion(database, model.version, model.bundle.fingerprint, now)
        copy_keys(database, keys)
        copy_accounts(database, people)
        if uplift is not None:
            save_texts(inside / "state", load_texts(project.state, uplift.fingerprint))
            use_uplift(database, uplift)
    needed = [one.partition(";")[0].strip() for one in requires("kizuna") or () if "extra ==" not in one]
    packages = [one for one in needed if not one.startswith(NOT_NEEDED)]
    (folder / "bentofile.yaml").write_text(
        f"service: {ENTRY}\nname: kizuna\ninclude:\n"
        + "".join(f'  - "{room}/"\n' for room in (*ROOMS, "project"))
        + "python:\n  lock_packages: false\n  packages:\n"
        + "".join(f'    - "{one}"\n' for one in packages),
        encoding="utf-8",
    )
