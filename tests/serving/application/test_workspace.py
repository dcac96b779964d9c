"""The open project of one answer: its scores are read once, however many parts ask for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.application.customers.overview import customer_overview
from serving.application.permissions import COMMAND_LINE
from serving.application.playbook.preview import preview_playbook
from serving.application.playbook.show import show_playbook
from serving.application.workspace import ScoresOnDisk
from serving.cli.context import CliContext
from serving.lists.score_reader import ScoreReader


def test_whatever_belongs_to_one_answer_is_of_the_scores_of_one_look(
    planned_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    read = ScoresOnDisk.current

    def counted(self: ScoresOnDisk) -> ScoreReader:
        looks.append(self)
        return read(self)

    monkeypatch.setattr(ScoresOnDisk, "current", counted)
    with CliContext(planned_shop).workspace() as place:
        pinned = place.pinned()
        reader = pinned.scores.current()
        assert pinned.pinned().scores.current() is reader
        (name,) = reader.customers.names(reader.scores.answers.key[:1]).to_pylist()
        looks.clear()
        customer_overview(place, COMMAND_LINE, name)
        assert len(looks) == 1
        text = show_playbook(place, COMMAND_LINE).text
        assert len(looks) == 2
        preview_playbook(place, COMMAND_LINE, text)
        assert len(looks) == 3
