"""The settings that a training depends on and two kizuna.toml give differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serving.project.settings import Project
from training.registry.parameter_texts import parameter_texts

TRAINED_BY = frozenset(
    ("timezone", "indicators", "features", "churn", "tiers", "capacity", "consent", "value")
)
"""The parts of a file that a training depends on besides the events that are stored."""


@dataclass(frozen=True)
class ChangedSetting:
    """A setting that the two files give differently, by its dotted name; None where one does not have it."""

    name: str
    first: str | None
    second: str | None


def changed_settings(first: Project, second: Project) -> tuple[ChangedSetting, ...]:
    """The settings that a training depends on and the two give differently; entries with names by these."""
    one, other = (dict(_texts(project)) for project in (first, second))
    return tuple(
        ChangedSetting(name, one.get(name), other.get(name))
        for name in dict.fromkeys([*one, *other])
        if one.get(name) != other.get(name)
    )


def _texts(project: Project) -> Iterator[tuple[str, str]]:
    parts: dict[str, Any] = project.settings.model_dump(
        mode="json", include=set(TRAINED_BY), exclude_defaults=True
    )
    if project.closed_sources:  # what has ended for good decides until when the record is known
        parts["sources.closed"] = ", ".join(project.closed_sources)
    added = parts.get("features", {}).pop("add", ())
    return parameter_texts(parts | {"features.add": {entry["name"]: _entry(entry) for entry in added}})


def _entry(entry: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in entry.items() if key != "name")
