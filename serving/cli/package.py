"""The command `kizuna package`: the champion as a bento."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.context import CliContext


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
    from serving.application.models.package import package as package_champion

    with call.workspace() as workspace:
        made = package_champion(workspace, call.actor, output)
    call.answer(
        {"folder": str(output), "model_version": made.model_version},
        f"Wrote model {made.model_version} to {output}. Start it with `bentoml serve {output}`; it asks for "
        "the project's keys, and its people sign in with their passwords. The first start in a place "
        "compiles for a minute or two before it answers.",
    )
