"""The champion as a bento: a folder that starts on its own with `bentoml serve`, wherever BentoML is.

It holds the code, kizuna.toml, the bundle and the hashes of the project's keys; no event, no score and no
customer. It answers live calls. Compiled code does not travel: a bento's first start in a place makes it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import requires
from pathlib import Path

import click

from serving.cli.context import CliContext

ROOMS = ("features", "training", "serving")
NOT_NEEDED = ("mlflow", "shap", "matplotlib", "woodelf-explainer", "rich")
"""Packages of training and of the command line."""

ENTRY = "serving.api.bentoml_service:SERVICE"


@click.command("package")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder to write."
)
@click.pass_obj
def package(call: CliContext, output: Path) -> None:
    """Write the champion as a bento that starts on its own.

    \b
    Example:
      kizuna package --output kizuna-bento
      bentoml serve ./kizuna-bento
    """
    from features.errors import UsageError

    if output.exists():
        raise UsageError(f"cannot package into {output}: it exists. Remove it, or name another folder.")
    with tempfile.TemporaryDirectory(prefix="kizuna-package-") as place:
        folder = Path(place) / "context"
        version = lay_out(call, folder)
        home = Path(place) / "home"
        environment = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
        named = ["--output", "tag", "--version", f"model-{version}"]
        built = [sys.executable, "-m", "bentoml", "build", ".", *named]
        done = subprocess.run(built, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UsageError(f"cannot package: `bentoml build` failed: {done.stderr.strip()[-500:]}")
        shutil.copytree(home / "bentos" / "kizuna" / f"model-{version}", output)
    call.say(
        {"folder": str(output), "model_version": version},
        f"Wrote model {version} to {output}. Start it with `bentoml serve {output}`; it asks for the "
        "project's keys. The first start in a place compiles for a minute or two before it answers.",
    )


def lay_out(call: CliContext, folder: Path) -> str:
    """Put what the bento is made of into a folder; returns the champion's version."""
    from serving.project.settings import FILE
    from serving.state.active_model import in_use
    from serving.state.database import Database

    project = call.project
    with call.records() as records:
        champion = in_use(records, project.state)
        keys = records.keys()
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
    home = f"{champion.version}-{champion.bundle.fingerprint}"
    champion.bundle.save(inside / "state" / "bundles" / home)
    with Database(f"sqlite:///{inside / 'state' / 'kizuna.db'}") as records:
        records.use_champion(champion.version, champion.bundle.fingerprint, call.now)
        records.take_keys(key for key in keys if key.opens(call.now))
    needed = [one.partition(";")[0].strip() for one in requires("kizuna") or () if "extra ==" not in one]
    packages = [one for one in needed if not one.startswith(NOT_NEEDED)]
    (folder / "bentofile.yaml").write_text(
        f"service: {ENTRY}\nname: kizuna\ninclude:\n"
        + "".join(f'  - "{room}/"\n' for room in (*ROOMS, "project"))
        + "python:\n  lock_packages: false\n  packages:\n"
        + "".join(f'    - "{one}"\n' for one in packages),
        encoding="utf-8",
    )
    return champion.version
