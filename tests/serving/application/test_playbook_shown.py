"""The playbook's page: which version made the plan in use, and where the places of a touch model went."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from serving.actions.capacity_use import capacity_use
from serving.actions.control_group import hold_control_group, nobody_held, release_control_group
from serving.actions.plan_file import StoredPlan
from serving.actions.playbook import FILE, default_text
from serving.application.campaigns.start import start_campaign
from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE, person
from serving.application.playbook.save import restore_version, save_playbook
from serving.application.playbook.show import ShownPlaybook, show_playbook
from serving.application.playbook.stored_file import NO_FILE
from serving.application.workspace import Workspace
from serving.cli.context import CliContext
from serving.cli.main import main
from serving.presentation.rule_words import capacity_line, capacity_lines
from serving.schemas.plan_responses import TouchUse
from serving.schemas.terms import IN_CONTROL, NO_ROOM, PLANNED

ANN, VIEWER = person("ann", "marketer"), person("vic", "viewer")
DEFAULT = default_text("shop")
TIGHT = DEFAULT.replace('ja = "テックタッチ"\n', 'ja = "テックタッチ"\ncapacity = 20\n')


@pytest.fixture
def changing(planned_template: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A planned shop of one's own."""
    folder = Path(shutil.copytree(planned_template, tmp_path / "shop"))
    with CliContext(folder).workspace() as workspace:
        yield workspace


def versions(shown: ShownPlaybook) -> tuple[int | None, bool, int | None]:
    """The version that made the plan in use, whether it was the default, and the version of the next plan."""
    assert shown.plan is not None
    return shown.plan.version, shown.plan.is_of_default, shown.next_version


def test_the_version_of_the_plan_in_use_and_that_of_the_next_are_told_apart(changing: Workspace) -> None:
    def seen() -> tuple[int | None, bool, int | None]:
        return versions(show_playbook(changing, VIEWER))

    assert seen() == (None, True, None)
    save_playbook(changing, ANN, TIGHT, NO_FILE)
    assert seen() == (None, True, 1)
    make_plan(changing, COMMAND_LINE)
    assert seen() == (1, False, 1)
    opened = show_playbook(changing, VIEWER).fingerprint
    save_playbook(changing, ANN, f"# later\r\n{TIGHT}", opened)
    assert seen() == (1, False, 2)
    shown = show_playbook(changing, VIEWER)
    assert shown.plan is not None
    assert shown.plan.is_of_this_text  # another version with the same rules
    restore_version(changing, ANN, 1, shown.fingerprint)
    assert seen() == (3, False, 3)


def test_a_plan_by_a_file_with_windows_line_ends_knows_its_version(changing: Workspace) -> None:
    (changing.project.folder / FILE).write_bytes(TIGHT.replace("\n", "\r\n").encode())
    make_plan(changing, COMMAND_LINE)
    assert versions(show_playbook(changing, VIEWER)) == (1, False, 1)


def test_a_plan_by_a_file_that_was_named_is_of_no_version(changing: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(TIGHT, encoding="utf-8")
    make_plan(changing, COMMAND_LINE, playbook=file)
    assert versions(show_playbook(changing, VIEWER)) == (None, False, None)


def test_places_that_became_free_since_the_plan_are_told_in_words(changing: Workspace) -> None:
    """110 of 150 planned, and 169 without a place: 40 were left out after the places had been given."""
    save_playbook(changing, ANN, TIGHT, NO_FILE)
    make_plan(changing, COMMAND_LINE)
    low = next(one for one in show_playbook(changing, VIEWER, "en").touches if one.words == "tech touch")
    assert low.use is not None
    assert (low.use.given, low.use.planned, low.use.change, low.use.left_since) == (20, 20, 0, {})
    waiting = low.use.no_room
    assert waiting > 0
    assert low.explanation == (
        f"tech touch: room for 20 customers. All 20 places were given when the plan was made; "
        f"for {waiting} more there is no room."
    )
    start_campaign(changing, COMMAND_LINE, "spring", accept_few=True, seed=3)
    low = next(one for one in show_playbook(changing, VIEWER, "ja").touches if one.words == "テックタッチ")
    assert low.use is not None
    gone = low.use.left_since["control_group"]
    assert (low.use.given, low.use.planned, low.use.change) == (20, 20 - gone, -gone)
    assert gone > 0
    assert low.explanation == (
        f"テックタッチ：上限20名。プランの作成時に20名分すべてを割り当てました（ほかに{low.use.no_room}名が枠不足）。"
        f"その後{gone}名が対象から外れたため（施策の対照群{gone}名）、実施予定は{20 - gone}名です。"
        "空いた枠は、次のプランで枠不足の顧客に割り当てられます。"
    )
    make_plan(changing, COMMAND_LINE)
    low = next(one for one in show_playbook(changing, VIEWER, "ja").touches if one.words == "テックタッチ")
    assert low.use is not None
    assert (low.use.given, low.use.planned) == (20, 20)


def column_of(plan: StoredPlan, outcome: NDArray[np.int8]) -> tuple[int, str, pa.Array]:
    return plan.table.schema.get_field_index("outcome"), "outcome", pa.array(outcome)


def test_the_use_of_places_adds_up_whatever_changed_since(changing: Workspace) -> None:
    save_playbook(changing, ANN, TIGHT, NO_FILE)
    plan = make_plan(changing, COMMAND_LINE).plan
    some = plan.keys[::3]
    held = hold_control_group(plan, lambda keys: np.isin(keys, some))
    in_control = plan.table.column("outcome").to_numpy().copy()
    in_control[np.flatnonzero(in_control == PLANNED)[:9]] = IN_CONTROL
    made = replace(plan, table=plan.table.set_column(*column_of(plan, in_control)))
    freed = hold_control_group(release_control_group(made, nobody_held), lambda keys: np.isin(keys, some))
    assert sum(use.joined_since for use in capacity_use(freed, "en")) > 0
    for one in (plan, held, freed, held.without(some[:5])):
        outcome = np.asarray(one.table.column("outcome"))
        uses = capacity_use(one, "en")
        assert sum(use.planned for use in uses) == int((outcome == PLANNED).sum())
        assert sum(use.no_room for use in uses) == int((outcome == NO_ROOM).sum())
        for use in uses:
            assert use.given - sum(use.left_since.values()) + use.joined_since == use.planned


def test_a_touch_model_with_room_left_or_without_a_limit_needs_no_words() -> None:
    use = TouchUse("high", "high touch", 150, 150, 110, 169, {"control_group": 38, "cool_down": 2}, 0)
    assert capacity_line(replace(use, capacity=None), "en") is None
    assert capacity_line(replace(use, given=100, planned=60, no_room=0), "en") is None
    assert capacity_lines([use], "en") == [
        "high touch: room for 150 customers. All 150 places were given when the plan was made; for 169 more "
        "there is no room. Since then 40 of them were left out (38 in the control group of a campaign, "
        "2 contacted meanwhile), so 110 are planned. The next plan gives the free places to others."
    ]
    back = replace(use, no_room=0, planned=113, joined_since=3)
    assert (capacity_line(back, "ja") or "").endswith("対照群の期間を終えた3名が加わっています。")


def test_the_terminal_says_where_the_places_went(own_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_shop / FILE).write_text(TIGHT, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["-C", str(own_shop), "plan", "--limit", "1", "--language", "ja"])
    assert end.value.code == 0
    assert "テックタッチ：上限20名。プランの作成時に20名分すべてを割り当てました（ほかに" in "".join(
        capsys.readouterr().out.split()
    )
