"""Display names that a project gives for places, details and values of attributes that no event has."""

from __future__ import annotations

from collections.abc import Sequence

from features.profiling.finding import CheckFinding
from features.profiling.names_in_use import NamesInUse
from features.spelling import nearest_word
from training.explanation.project_words import ProjectWords

MOST_SHOWN = 5
PLACES, DETAILS = "names.places", "names.details"


def given_name_findings(words: ProjectWords, names: NamesInUse) -> tuple[CheckFinding, ...]:
    """One finding with the names that the settings have and the events (`names`) spell otherwise."""
    found = {PLACES: names.places, DETAILS: names.details} | names.values
    unknown = [
        (where, name, nearest_word(name, found.get(where, ())))
        for where, given in _given(words).items()
        for name in given
        if found.get(where) and name not in found[where]
    ]
    misspelt = [one for one in unknown if one[2]]
    return (_finding(misspelt),) if misspelt else ()


def gives_names(words: ProjectWords) -> bool:
    """Whether the settings give a name to a place, a detail or a value of an attribute."""
    return any(_given(words).values())


def _given(words: ProjectWords) -> dict[str, list[str]]:
    """The names in the data, by the table of the settings that has them."""
    return {
        PLACES: [name for name, _ in words.places],
        DETAILS: [name for name, _ in words.details],
        **{name: [value for value, _ in table] for name, table in words.values},
    }


def _finding(unknown: Sequence[tuple[str, str, str]]) -> CheckFinding:
    shown = unknown[:MOST_SHOWN]
    rest = len(unknown) - len(shown)
    english = "; ".join(f"'{name}' in {_where(where)}: write '{near}'" for where, name, near in shown)
    japanese = "、".join(f"{_where(where)} の「{name}」→「{near}」" for where, name, near in shown)
    return CheckFinding(
        "unknown_display_names",
        f"kizuna.toml gives a name to what no event has: {english}"
        + (f"; and {rest} more. " if rest else ". ")
        + "Until then people read the name in the data.",
        f"kizuna.toml の表示名のうち、データにない名前があります：{japanese}"
        + (f"、ほか{rest}件。" if rest else "。")
        + "修正するまで、データの名前のまま表示されます。",
        {"names": [{"setting": _where(where), "name": name, "nearest": near} for where, name, near in shown]},
    )


def _where(table: str) -> str:
    return table if table in (PLACES, DETAILS) else f"attributes.values ({table})"
