"""Scoring: model and scores come into use together, and dates far beyond the data are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.cli.context import CliContext
from serving.cli.main import main
from serving.integrations.training import tracking
from serving.state.scores.score_index import current_champion, current_scores
from tests.experiments import prepare
from tests.training.trained import like
from training.bundle.model_bundle import Bundle

WEBHOOK = """
[[webhooks]]
name = "crm"
url = "http://127.0.0.1:9/x"
secret = "0123456789abcdef"
"""


@pytest.fixture
def trained_shop(own_shop: Path) -> Path:
    """The scored shop with its model registered, and a newer one as champion that was not scored with yet."""
    prepare(own_shop)
    registry, made = tracking(CliContext(own_shop).project), Bundle.load(own_shop / "bundle")
    for one in (made, like(made, data_version="newer")):
        with registry.run("run") as run:
            registry.register(run, one)
    registry.promote("2")
    return own_shop


def run(
    capsys: pytest.CaptureFixture[str], folder: Path, *words: str, as_json: bool = True
) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *(["--json"] if as_json else []), *words])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def in_use(folder: Path) -> tuple[str, str]:
    """The version of the model in use, and of the model that made the scores in use."""
    with CliContext(folder).records() as records:
        champion, scores = current_champion(records), current_scores(records)
    assert champion is not None
    assert scores is not None
    return champion[0], scores.model_version


def test_a_scoring_that_fails_leaves_model_and_scores_as_they_were(
    trained_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_use(trained_shop) == ("1", "1")
    code, _, err = run(capsys, trained_shop, "score", "--as-of", "2025-12-01")
    assert (code, err.splitlines()[-1][:32]) == (4, "cannot score as of 2025-12-01: n")
    assert in_use(trained_shop) == ("1", "1"), "live answers would run ahead of the stored list"
    assert run(capsys, trained_shop, "score", "--as-of", "2025-02-01")[0] == 0
    assert in_use(trained_shop) == ("2", "2")


def test_scoring_far_beyond_the_data_warns_with_both_dates(
    trained_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, trained_shop, "score", "--as-of", "2025-02-24")
    (warning,) = json.loads(out)["warnings"]
    assert code == 0
    assert warning == (
        "the scores are as of 2025-02-24, but the customers' events end on 2025-02-03, 20 days before, so "
        "customers look silent who may not be. Ingest newer events with `kizuna ingest`, or give an earlier "
        "date; `kizuna notify` refuses these scores."
    )
    assert (
        "  warning: the scores"
        in run(capsys, trained_shop, "score", "--as-of", "2025-02-24", as_json=False)[1]
    )


@pytest.mark.parametrize("date", ["2025-02-01", "2025-02-04", "2025-02-13"])
def test_a_gap_of_a_third_of_the_horizon_is_no_warning(
    trained_shop: Path, capsys: pytest.CaptureFixture[str], date: str
) -> None:
    assert json.loads(run(capsys, trained_shop, "score", "--as-of", date)[1])["warnings"] == []


def test_notify_refuses_scores_far_beyond_the_data(
    trained_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (trained_shop / "kizuna.toml").open("a") as file:
        file.write(
            '\n[[webhooks]]\nname = "crm"\nurl = "http://127.0.0.1:9/x"\nsecret = "0123456789abcdef"\n'
        )
    run(capsys, trained_shop, "score", "--as-of", "2025-02-24")
    code, out, _ = run(capsys, trained_shop, "notify")
    assert code == 4
    assert json.loads(out)["error"]["message"] == (
        "cannot notify: the scores are as of 2025-02-24, but the customers' events end on 2025-02-03, 20 "
        "days before, so customers look silent who may not be. Ingest newer events with `kizuna ingest` and "
        "run `kizuna score` again."
    )
    with CliContext(trained_shop).workspace() as workspace, workspace.database.reading() as connection:
        assert connection.exec_driver_sql("select count(*) from outbox").scalar() == 0


def test_the_next_changes_are_counted_from_the_newest_sound_scores(
    trained_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scores far beyond the data are not what later scores are compared with either."""
    with (trained_shop / "kizuna.toml").open("a") as file:
        file.write(WEBHOOK + "probability = 0.5\n")
    run(capsys, trained_shop, "score", "--as-of", "2025-02-20")
    with (trained_shop / "data" / "orders.csv").open("a", newline="") as file:
        for late in range(40):
            file.write(f"c{late:04d},2025-02-20T09:00:00,purchase,10,s0,food,late{late}\r\n")
    assert run(capsys, trained_shop, "ingest")[0] == 0
    assert run(capsys, trained_shop, "score", "--as-of", "2025-02-21")[0] == 0
    run(capsys, trained_shop, "notify")
    with CliContext(trained_shop).workspace() as workspace, workspace.database.reading() as connection:
        contents = connection.exec_driver_sql("select content from outbox").scalars().all()
    assert {json.loads(content)["since"][:10] for content in contents} == {"2025-02-01"}


def test_a_missing_variable_of_a_webhook_stops_notify_alone(
    trained_shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    with (trained_shop / "kizuna.toml").open("a") as file:
        file.write(WEBHOOK.replace("0123456789abcdef", "${HOOK_SECRET}"))
    assert run(capsys, trained_shop, "at-risk", "--limit", "3")[0] == 0
    code, out, _ = run(capsys, trained_shop, "notify")
    assert code == 3
    assert json.loads(out)["error"]["message"] == (
        f"cannot use {trained_shop / 'kizuna.toml'}: it refers to ${{HOOK_SECRET}}, but the environment has "
        "no variable HOOK_SECRET. Set it, for example with `export HOOK_SECRET=…`."
    )
