"""The command `kizuna init`: a project's file, empty, or over an export of another tool."""

from __future__ import annotations

import os
from pathlib import Path

import click

from features.errors import UsageError
from serving.cli.context import LANGUAGES, CliContext


@click.command()
@click.option(
    "--from", "recipe", metavar="NAME", is_flag=False, flag_value="",
    help="Read the export of another tool, which lies at PATH; alone: list the tools.",
)  # fmt: skip
@click.option(
    "--data", multiple=True, metavar="PATTERN",
    help="Propose sources for these files, as in 'exports/*.csv'; may be given again [FOLDER/data].",
)  # fmt: skip
@click.option("--language", type=LANGUAGES, help="The language of its comments and of the project [locale].")
@click.option(
    "--currency",
    metavar="CODE",
    help="The currency of amounts, such as EUR [JPY in a Japanese project, else none].",
)
@click.argument("paths", nargs=-1, metavar="[PATH] [FOLDER]", type=click.Path(path_type=Path))
@click.pass_obj
def init(
    call: CliContext,
    recipe: str | None,
    data: tuple[str, ...],
    language: str | None,
    currency: str | None,
    paths: tuple[Path, ...],
) -> None:
    """Write a commented kizuna.toml into FOLDER (or the project folder).

    With --from its sources read the export that lies at PATH, a file or a folder. Else files of --data, or in
    FOLDER/data, are looked at: the sources that fit them are proposed, with three rows as they would be read.

    \b
    Examples:
      kizuna init my-project
      kizuna init my-project --data 'exports/*.csv' --currency EUR
      kizuna init --from
      kizuna init --from shopify exports/shopify my-shop
    """
    from serving.application.operation.create_project import create_from_export, create_project, recipes
    from serving.presentation.proposal import proposal_lines, proposal_reply
    from serving.project.language import locale_language

    call.language = language or locale_language(os.environ)
    if recipe is None:
        if len(paths) > 1:
            raise UsageError(
                f"cannot write a project into {len(paths)} folders: name one, as in `kizuna init {paths[0]}`."
            )
        created = create_project(
            call.new_project(*paths), call.actor, language=call.language, data=data, currency=currency
        )
        file = created.file
        if created.proposed:
            call.say(
                proposal_reply(file, created.proposed), *proposal_lines(file, created.proposed, call.language)
            )
            return
        call.say({"file": str(file)}, f"Wrote {file}. Tell it where your data is, then run `kizuna ingest`.")
        return
    if data:
        raise UsageError(
            f"cannot make a project from {recipe} with --data: a recipe knows its files. "
            "Leave one of the two out."
        )
    if recipe == "":
        listed = recipes(call.new_project(), call.actor)
        lines = [line for one in listed for line in (f"{one.name:<12} {one.tool}", f"{'':<13}{one.files}")]
        call.say(
            {"recipes": [vars(one) for one in listed]},
            *lines,
            "Write a project with `kizuna init --from NAME PATH [FOLDER]`.",
        )
        return
    if not 1 <= len(paths) <= 2:
        raise UsageError(
            f"cannot make a project from {recipe}: name the file or folder that holds its export, and "
            f"if you like the project's own folder, as in `kizuna init --from {recipe} exports my-project`."
        )
    place = call.new_project(*paths[1:])
    file = create_from_export(
        place, call.actor, recipe=recipe, export=paths[0], language=call.language, currency=currency
    ).file
    folder = f" -C {place.folder}" if paths[1:] else ""
    call.say(
        {"file": str(file), "recipe": recipe},
        f"Wrote {file}. Look at what becomes what, then run `kizuna{folder} ingest`.",
    )
