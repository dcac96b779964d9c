"""The commands `kizuna models` and `kizuna mlflow`: trained versions, the champion by hand, runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from serving.cli.context import CliContext

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from serving.application.models.registry import NewChampion, TrainedModel


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.pass_obj
def mlflow(call: CliContext, host: str, port: int) -> None:
    """Show the project's training runs and comparisons in MLflow's own screens, until stopped.

    Whoever reaches the address can read and change the runs: MLflow's server asks nobody who they are.

    \b
    Example:
      kizuna mlflow --port 5001
    """
    from serving.integrations.listener import require_free
    from serving.integrations.mlflow_screens import exposure, serve_screens, server_address

    elsewhere = server_address(call.project)
    if elsewhere is not None:
        call.say({"url": elsewhere}, f"The runs of this project are on a server already: {elsewhere}")
        return
    require_free(host, port)  # MLflow takes seconds to load
    from serving.application.models.registry import experiment_address

    with call.workspace() as workspace:
        server = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        url = experiment_address(workspace, call.actor, server).url
    call.say({"url": url}, f"MLflow starts on {url} (stop with Ctrl+C)")
    for warning in exposure(host):
        click.echo(call.translated(warning), err=True)
    serve_screens(call.project, host, port)


@click.group()
def models() -> None:
    """Trained models: which there are, which is the champion, and another one in its place."""


@models.command("list")
@click.pass_obj
def list_models(call: CliContext) -> None:
    """Every trained version, the newest first, and what the gates said of it."""
    from serving.application.models.registry import list_models as list_all

    with call.workspace() as workspace:
        models = list_all(workspace, call.actor).models
    rows = [
        {
            "version": trained.model.version,
            "champion": trained.model.champion,
            "registered_at": call.day(trained.model.registered_at),
            "trained_until": trained.model.tags.get("trained_until"),
            "data_version": trained.model.tags.get("data_version"),
            "evidence": trained.model.tags.get("evidence"),
            "contacts": trained.model.tags.get("contacts", "as_they_were"),
            "fingerprint": trained.model.tags.get("fingerprint"),
            "run_id": trained.model.run_id,
            "figures": dict(trained.figures),
            "refusals": list(trained.refusals),
            "warnings": list(trained.warnings),
        }
        for trained in models
    ]
    lines = [*_lines(models)] or ["There is no model yet. Train one with `kizuna train`."]
    call.answer({"models": rows}, *lines)


@models.command()
@click.option("--server", default="http://127.0.0.1:5000", show_default=True, help="Where MLflow answers.")
@click.pass_obj
def address(call: CliContext, server: str) -> None:
    """Where MLflow's screens show the training runs of this project; `kizuna mlflow` starts them."""
    from serving.application.models.registry import experiment_address

    with call.workspace() as workspace:
        url = experiment_address(workspace, call.actor, server).url
    call.say({"url": url}, url)


@models.command()
@click.argument("version")
@click.pass_obj
def promote(call: CliContext, version: str) -> None:
    """Make VERSION the champion, whatever the gates said; the promotion log says that it was by hand."""
    from serving.application.models.registry import promote as promote_version

    with call.workspace() as workspace:
        _say(call, promote_version(workspace, call.actor, version))


@models.command()
@click.pass_obj
def rollback(call: CliContext) -> None:
    """Put the champion before the present one back in its place."""
    from serving.application.models.registry import rollback as roll_back

    with call.workspace() as workspace:
        _say(call, roll_back(workspace, call.actor))


def _say(call: CliContext, new: NewChampion) -> None:
    call.answer(
        {"champion": new.version, "action": new.action, "fingerprint": new.fingerprint},
        f"Model {new.version} is now the champion. `kizuna score` scores with it; until then the service "
        "answers with the model and scores it has.",
    )


def _lines(models: Iterable[TrainedModel]) -> Iterator[str]:
    """Each version with its figures and the gates' decision, and what the star means."""
    any_champion = False
    for trained in models:
        model, until = trained.model, str(trained.model.tags.get("trained_until"))[:10]
        figures = [
            f"{name.replace('_', ' ')} {value:.3f}"
            for name, value in trained.figures.items()
            if name in ("auc", "log_loss")
        ]
        low = ["evidence: low"] if model.tags.get("evidence") == "low" else []
        low += ["without contact"] if model.tags.get("contacts") == "without_contact" else []
        yield f"{'*' if model.champion else ' '} {model.version:>3}  until {until}  " + ", ".join(
            [*figures, *low]
        )
        yield from (f"       refused: {reason}" for reason in trained.refusals)
        yield from (f"       warning: {reason}" for reason in trained.warnings)
        any_champion |= model.champion
    if any_champion:
        yield "* is the champion"
