"""The files of an export: which of a recipe's sources a folder holds, and whether they look like it."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from features.errors import ConfigurationError, UsageError
from features.ingestion.files.encodings import is_text
from features.ingestion.sampling import sample
from features.spelling import nearest_word
from serving.project.recipes.catalogue import RECIPES, Recipe, RecipeSource
from serving.project.recipes.sql_file import Reading

ENOUGH, FILES = 1000, 5
"""How many first rows of how many files are looked at to tell whether an export is what it is said to be."""


@dataclass(frozen=True)
class FoundSource:
    """A source of a recipe, the form in which its files came, and the call that reads them."""

    source: RecipeSource
    files: tuple[Path, ...]
    call: str


def recipe_named(name: str) -> Recipe:
    """The recipe of this name; raises `UsageError` where there is none."""
    recipe = RECIPES.get(name.lower())
    if recipe is None:
        near = nearest_word(name.lower(), RECIPES)
        hint = f"Did you mean '{near}'? " if near else ""
        raise UsageError(
            f"cannot make a project from '{name}': there is no recipe of that name. {hint}There are "
            f"{', '.join(RECIPES)}; `kizuna init --from` lists them.",
            field="from",
        )
    return recipe


def find_sources(recipe: Recipe, export: Path, folder: Path) -> tuple[FoundSource, ...]:
    """Which sources of a recipe the files at `export` make, in the words of a project in `folder`.

    Raises `ConfigurationError` where nothing is there, where the files do not look like the export, and where
    they have two forms of which only one can be right.
    """
    if not export.exists():
        raise ConfigurationError(
            f"cannot make a project from {recipe.name}: there is no file or folder {export}. "
            f"Name the one that holds the export: {looked_for(recipe)}."
        )
    present = sorted(_files(export))
    taken = [
        (source, reading, files)
        for source in recipe.sources
        for reading in source.query.readings
        if (files := matching(present, reading.patterns))
    ]
    looks = [(source, reading, files, _problem(source, reading, files)) for source, reading, files in taken]
    right = [(source, reading, files) for source, reading, files, problem in looks if problem is None]
    names = {source.name for source, *_ in right}
    lacking = {source.name for source, *_ in taken} - names
    if not right or lacking or (recipe.needed is not None and recipe.needed not in names):
        raise _not_the_export(recipe, export, present, [problem for *_, problem in looks if problem])
    for name in names:
        forms = [(reading, files) for source, reading, files in right if source.name == name]
        if len(forms) > 1:
            held = " and ".join(f"{files[0].name} ({len(files)})" for _, files in forms)
            raise ConfigurationError(
                f"cannot make a project from {recipe.name}: {export} holds {name} in {len(forms)} forms, "
                f"{held}, and reading both would count everything twice. Keep one of them there, or name a "
                "folder with one."
            )
    return tuple(
        FoundSource(source, files, reading.of(_paths(reading, files, export, folder)))
        for source, reading, files in right
    )


def looked_for(recipe: Recipe) -> str:
    """The patterns of a recipe's files, in words."""
    return "; ".join(f"{source.name}: {', '.join(source.query.patterns)}" for source in recipe.sources)


def matching(files: Sequence[Path], patterns: Sequence[str]) -> tuple[Path, ...]:
    """The files whose names fit a pattern."""
    return tuple(file for file in files if any(fnmatchcase(file.name, pattern) for pattern in patterns))


def place(path: Path, folder: Path) -> str:
    """How a query names a path: from the project folder where it lies inside, else from the root."""
    whole, inside = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    return whole.relative_to(inside).as_posix() if whole.is_relative_to(inside) else whole.as_posix()


def text_scheme(files: Sequence[Path]) -> str:
    """What comes before the paths of text files: nothing for UTF-8, `cp932://` for Japanese ones of Windows,
    `utf_16://` for Excel's Unicode text.

    Raises `ConfigurationError` where they are neither, or some the one and some the other.
    """
    found: dict[str, Path] = {}
    for file in files:
        for encoding, scheme in (("utf-8", ""), ("utf-16", "utf_16://"), ("cp932", "cp932://")):
            if (encoding != "utf-16" or _has_mark(file)) and is_text(file, encoding):
                found.setdefault(scheme, file)
                break
        else:
            raise ConfigurationError(
                f"cannot read {file}: it is neither UTF-8 nor CP932 text. Save it again as UTF-8."
            )
    if len(found) > 1:
        raise ConfigurationError(
            f"cannot read {' and '.join(str(file) for file in found.values())} together: they are in several "
            "encodings. Save them in one, or name a folder for each."
        )
    return next(iter(found))


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _has_mark(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2) in (b"\xff\xfe", b"\xfe\xff")


def _files(export: Path) -> list[Path]:
    if export.is_file():
        return [export]
    return [file for file in export.rglob("*") if file.is_file() and not file.name.startswith(".")]


def _paths(reading: Reading, files: Sequence[Path], export: Path, folder: Path) -> str:
    """The files as a list of patterns in SQL: tomorrow's files of the same names are then read too."""
    scheme = reading.scheme or (text_scheme(files) if "read_csv" in reading.call else "")
    if export.is_file():
        return f"[{literal(scheme + glob.escape(place(export, folder)))}]"
    root = glob.escape(place(export, folder))
    used = [pattern for pattern in reading.patterns if matching(files, (pattern,))]
    start = "" if root == "." else f"{root}/"
    return "[" + ", ".join(literal(f"{scheme}{start}**/{pattern}") for pattern in used) + "]"


def _problem(source: RecipeSource, reading: Reading, files: Sequence[Path]) -> str | None:
    """Why none of the first files looks like the export, or None."""
    problem = None
    for file in files[:FILES]:
        scheme = reading.scheme or (text_scheme([file]) if "read_csv" in reading.call else "")
        path = literal(scheme + glob.escape(file.absolute().as_posix()))
        rows = reading.of(f"[{path}]")
        # The recipe's own SQL over a path that is quoted.
        query = f"select 1 from (select * from {rows} limit {ENOUGH}) where {source.query.looks_right}"  # noqa: S608
        try:
            if sample(query, Path("/"), source.name).num_rows:
                return None
            why = f"{file.name} has no row where {source.query.looks_right}"
        except ConfigurationError as error:
            why = (
                f"{file.name} cannot be read so: {error.message.removesuffix(' Correct it in kizuna.toml.')}"
            )
        problem = problem or why
    return problem


def _not_the_export(
    recipe: Recipe, export: Path, present: Sequence[Path], problems: Sequence[str]
) -> ConfigurationError:
    endings = Counter(
        "".join(file.suffixes[-2 if file.suffix == ".gz" else -1 :]) or file.name for file in present
    )
    held = ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common(5)) or "no files"
    names = ", ".join(file.name for file in present[:3])
    wrong = f" {problems[0].rstrip('.')}." if problems else ""
    return ConfigurationError(
        f"cannot make a project from {recipe.name}: {export} does not look like its export. Looked for "
        f"{looked_for(recipe)}. Found {held}{f' ({names})' if names else ''}.{wrong} Name the folder that "
        "holds the export, or write the sources yourself after `kizuna init`."
    )
