"""`kizuna models`: which there are, and putting one in the champion's place by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from features.errors import UsageError
from serving.application.models.registry import promote, rollback
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.integrations.training import tracking as project_tracking
from serving.state.active_model import in_use
from tests.serving.cli.command import run
from tests.serving.model_versions import three_versions
from tests.training.trained import like
from training.bundle.promotions import PROMOTIONS, champion_before, promotion_log
from training.registry.gates import GateDecision
from training.registry.promotion_log import log_promotion


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with three trained versions: the first two were champions, the third was refused."""
    (tmp_path / "kizuna.toml").write_text("[[sources]]\nname = 'orders'\nquery = 'select 1'\n")
    three_versions(tmp_path)
    return tmp_path


def champion(folder: Path) -> str | None:
    return project_tracking(CliContext(folder).project).champion_version()


def test_a_rollback_that_is_asked_for_twice_goes_back_once(shop: Path) -> None:
    with CliContext(shop).workspace() as workspace:
        assert rollback(workspace, COMMAND_LINE, "2").version == "1"
        promote(workspace, COMMAND_LINE, "3")
        with pytest.raises(UsageError, match="cannot roll back from version 2: it is not the champion any"):
            rollback(workspace, COMMAND_LINE, "2")
    assert champion(shop) == "3"


def test_the_list_shows_every_version_and_what_the_gates_said(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, shop, "models", "list")
    assert code == 0
    assert out.splitlines() == [
        "    3  until 2024-03-01  auc 0.830, log loss 0.410, without contact",
        "       refused: leak: 'x' knows the future",
        "*   2  until 2024-02-01  auc 0.820, log loss 0.410",
        "    1  until 2024-01-01  auc 0.810, log loss 0.410",
        "* is the champion",
    ]
    held = json.loads(run(capsys, shop, "--json", "models", "list")[1])["models"]
    assert [(one["version"], one["champion"]) for one in held] == [("3", False), ("2", True), ("1", False)]
    assert [one["contacts"] for one in held] == ["without_contact", "as_they_were", "as_they_were"]
    assert held[0]["refusals"] == ["leak: 'x' knows the future"]
    assert held[1]["figures"] == {"auc": 0.82, "log_loss": 0.41, "lift_at_capacity": 4.0}


def test_before_the_first_training_the_list_is_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kizuna.toml").write_text("")
    code, out, _ = run(capsys, tmp_path, "models", "list")
    assert (code, out) == (0, "There is no model yet. Train one with `kizuna train`.\n")
    code, _, err = run(capsys, tmp_path, "models", "rollback")
    assert (code, err) == (
        2,
        "cannot roll back: there is no champion yet. `kizuna models list` shows every version, and "
        "`kizuna models promote VERSION` takes any of them.\n",
    )


def test_a_refused_version_can_be_promoted_by_hand_and_the_log_says_so(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, shop, "models", "promote", "3")
    assert code == 0
    assert out == (
        "Model 3 is now the champion. `kizuna score` scores with it; until then the service answers with the "
        "model and scores it has.\n"
    )
    assert champion(shop) == "3"
    last = promotion_log(shop / "state" / PROMOTIONS)[-1]
    assert (last["action"], last["version"], last["promoted"]) == ("promote", "3", True)
    assert last["warnings"] == ["by hand: no gate was asked"]


def test_rolling_back_goes_to_the_champion_before_and_then_further(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, shop, "models", "promote", "3")
    answers = [json.loads(run(capsys, shop, "--json", "models", "rollback")[1]) for _ in range(2)]
    assert [(one["champion"], one["action"]) for one in answers] == [("2", "rollback"), ("1", "rollback")]
    assert champion(shop) == "1"
    code, _, err = run(capsys, shop, "models", "rollback")
    assert (code, err) == (
        2,
        "cannot roll back: version 1 is the first champion. `kizuna models list` shows every version, and "
        "`kizuna models promote VERSION` takes any of them.\n",
    )


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("9", "there is no such model. Choose one of 1, 2, 3; see `kizuna models list`."),
        ("two", "there is no such model. Choose one of 1, 2, 3; see `kizuna models list`."),
        ("2", "it is the champion already."),
    ],
)
def test_what_cannot_be_promoted_is_refused_in_a_sentence(
    shop: Path, capsys: pytest.CaptureFixture[str], version: str, said: str
) -> None:
    before = (shop / "state" / PROMOTIONS).read_bytes()
    code, _, err = run(capsys, shop, "models", "promote", version)
    assert (code, err) == (2, f"cannot promote version {version}: {said}\n")
    assert champion(shop) == "2"
    assert (shop / "state" / PROMOTIONS).read_bytes() == before


def test_a_version_whose_files_are_gone_does_not_become_the_champion(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = project_tracking(CliContext(shop).project).bundle_of("1").parent.parent
    shutil.rmtree(files)
    code, _, err = run(capsys, shop, "models", "rollback")
    assert (code, err) == (
        5,
        f"cannot fetch version 1 of 'churn': its files are not at {files.as_uri()}. "
        "Put them back, or train again with `kizuna train`.\n",
    )
    assert champion(shop) == "2"


def test_the_next_score_uses_the_promoted_version(own_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.bundle.model_bundle import Bundle

    call = CliContext(own_shop)
    tracking, made = project_tracking(call.project), Bundle.load(own_shop / "bundle")
    for one in (made, like(made, data_version="newer")):
        with tracking.run("run") as trained:
            tracking.register(trained, one)
    tracking.promote("1")
    assert run(capsys, own_shop, "models", "promote", "2")[0] == 0
    with call.records() as records:
        assert in_use(records, call.project.state).version == "1"
    assert run(capsys, own_shop, "score", "--as-of", "2025-02-01")[0] == 0
    with call.records() as records:
        assert in_use(records, call.project.state).version == "2"


def line(version: str, action: str = "train", *, promoted: bool = True) -> dict[str, object]:
    return {"version": version, "action": action, "promoted": promoted}


def test_the_champion_before_is_read_off_the_log() -> None:
    log = [line("1"), line("2", promoted=False), line("3"), line("4")]
    assert champion_before(log, "4") == "3"
    log.append(line("3", "rollback"))
    assert champion_before(log, "3") == "1"
    assert champion_before([*log, line("5")], "5") == "3"
    assert champion_before([*log, line("1", "rollback")], "1") is None
    assert champion_before([line("1"), line("2")], "9") == "2"
    assert champion_before([], None) is None


def test_a_line_of_the_log_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / PROMOTIONS
    log_promotion(log, GateDecision(True, (), (), {}), decided_at="2024-05-01", version="1")
    with log.open("a") as file:
        file.write('{"version": "2", "prom')
    assert [one["version"] for one in promotion_log(log)] == ["1"]


def test_the_address_of_the_experiment_is_printed(
    shop: Path, own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, shop, "models", "address")[1] == "http://127.0.0.1:5000/#/experiments/1\n"
    assert run(capsys, own_shop, "models", "address", "--server", "http://mlflow.example/")[1] == (
        "http://mlflow.example\n"
    )
