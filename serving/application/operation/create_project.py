"""Making a project: an empty one, or one of a simulated service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.simulation.simulate import AdvanceSummary, SimulationSummary
from features.simulation.simulate import advance as advance_simulated
from features.simulation.simulate import simulate as write_simulation
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, ProjectFolder
from serving.project.language import FILE
from serving.project.proposal.data_files import files_in
from serving.project.proposal.project_file import proposed_project
from serving.project.proposal.proposed_source import ProposedSource
from serving.project.recipes.catalogue import RECIPES
from serving.project.recipes.export_files import looked_for
from serving.project.recipes.project_file import project_text
from serving.project.template import refuse_existing, template, with_currency, write


@dataclass(frozen=True)
class CreatedProject:
    """The settings file that was written, and the sources that were proposed in it."""

    file: Path
    proposed: tuple[ProposedSource, ...] = ()


@dataclass(frozen=True)
class ListedRecipe:
    """A recipe of `kizuna init --from`: the tool, the files that it looks for, and what becomes what."""

    name: str
    tool: str
    files: str
    becomes: str


@use_case("operate")
def create_project(
    place: ProjectFolder,
    actor: Actor,
    *,
    language: str = "en",
    data: Sequence[str] = (),
    currency: str | None = None,
) -> CreatedProject:
    """Write a kizuna.toml, commented in a language, with sources for the files of the patterns `data`.

    Without patterns the files in the folder's `data` count, and without any the file is the plain template.
    Raises `ConfigurationError` where there is a kizuna.toml, and where a file that is named cannot be read.
    """
    refuse_existing(place.folder, FILE)
    patterns = list(data) or files_in(place.folder)
    if not patterns:
        return CreatedProject(write(place.folder, FILE, with_currency(template(language), currency)))
    text, sources = proposed_project(patterns, place.folder, language, place.clock())
    return CreatedProject(write(place.folder, FILE, with_currency(text, currency)), sources)


@use_case("operate")
def create_from_export(
    place: ProjectFolder,
    actor: Actor,
    *,
    recipe: str,
    export: Path,
    language: str = "en",
    currency: str | None = None,
) -> CreatedProject:
    """Write a kizuna.toml that reads the export of another tool.

    Raises `UsageError` for a recipe that does not exist, and `ConfigurationError` where the export is not
    there or does not look like one, and where there is a kizuna.toml already; nothing is written then.
    """
    refuse_existing(place.folder, FILE)
    text = project_text(recipe, export, place.folder, language)
    return CreatedProject(write(place.folder, FILE, with_currency(text, currency)))


@use_case("operate")
def recipes(place: ProjectFolder, actor: Actor) -> tuple[ListedRecipe, ...]:
    """The exports of other tools that `create_from_export` knows."""
    return tuple(
        ListedRecipe(recipe.name, recipe.tool, looked_for(recipe), recipe.becomes)
        for recipe in RECIPES.values()
    )


@use_case("operate")
def simulate(
    place: ProjectFolder,
    actor: Actor,
    *,
    customers: int,
    months: int,
    seed: int,
    messy: float = 0.0,
    dirt: Sequence[str] = (),
    progress: Progress | None = None,
) -> SimulationSummary:
    """Write a project of a simulated subscription service, with the truth about it apart.

    With `messy`, a share from 0 to 1, its exports are as dirty as real ones are, by every kind of dirt or
    those named.
    Its clock stands still at the end of the record: `[simulated] now` in its kizuna.toml names the file.
    """
    return write_simulation(
        place.folder,
        customers=customers,
        months=months,
        seed=seed,
        messy=messy,
        dirt=tuple(dirt) or None,
        progress=progress,
    )


@use_case("operate")
def advance_simulation(
    place: ProjectFolder,
    actor: Actor,
    *,
    months: int,
    contacts: Path | None = None,
    progress: Progress | None = None,
) -> AdvanceSummary:
    """Let the simulated service live on for some months, under the contacts of a file if one is given.

    Its clock then stands at the new end of the record; `ingest` takes in what happened.
    """
    return advance_simulated(place.folder, months=months, contacts=contacts, progress=progress)
