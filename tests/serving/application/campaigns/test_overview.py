"""Tests of a campaign's overview: what its pages read of assignment files, and how long that stays valid."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from serving.application.campaigns import overview
from serving.application.campaigns.export import preview_export
from serving.application.campaigns.overview import campaign_overview
from serving.application.data.erase import erase
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import ScoresOnDisk
from serving.cli.context import CliContext
from serving.experiments import held_back
from serving.experiments.campaign_file import Assignment, load
from serving.lists.score_reader import ScoreReader
from serving.state.campaigns.campaign_index import campaign


@dataclass(frozen=True, eq=False)
class ScoresOfService(ScoresOnDisk):
    """The scores that a service keeps, with the holds that it read a moment ago."""

    reader: ScoreReader

    def current(self) -> ScoreReader:
        return self.reader


def test_a_shown_campaign_reads_its_assignment_once_and_asks_the_kept_holds(
    started_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[Path] = Counter()

    def counted(file: Path) -> Assignment:
        read[file] += 1
        return load(file)

    with CliContext(started_shop).workspace() as place:
        reader = place.scores.current()
        kept = ScoresOfService(place.project, place.store, place.database, place.clock, reader)
        place = replace(place, scores=kept)
        for module in (overview, held_back):
            monkeypatch.setattr(module, "load", counted)
        first = campaign_overview(place, COMMAND_LINE, "spring")
        assert first.effects
        read.clear()
        assert campaign_overview(place, COMMAND_LINE, "spring").effects is first.effects
        found = preview_export(place, COMMAND_LINE, "spring")
    assert (found.exported + sum(found.left_out.values()), found.left_out["control_group"]) == (
        first.record.treatment,
        0,
    )
    assert list(read.values()) == [1], "the arm itself, which alone the export needs"


def test_the_effects_that_arms_can_show_are_computed_anew_once_somebody_of_them_was_erased(
    started_template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(started_template, tmp_path / "shop"))
    with CliContext(folder).workspace() as place:
        before = campaign_overview(place, COMMAND_LINE, "spring").effects
        assignment = load(held_back.assignment_file(place.project, campaign(place.database, "spring")))
        (name,) = place.store.customers.names(assignment.treated[:1]).to_pylist()
        erase(place, COMMAND_LINE, name)
        after = campaign_overview(place, COMMAND_LINE, "spring").effects
    assert [one.months for one in after] == [one.months for one in before]
    assert [one.churned for one in after] != [one.churned for one in before]
