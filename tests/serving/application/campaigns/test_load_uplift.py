"""Whom contact helps in a campaign that was run elsewhere, asked by the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.serving.application.campaigns.test_load import load

REFUSED = "no evidence that contact helps some more than others: "
ASKED = ("--control", "none", "--outcome", "visit", "--uplift", "visit")
FEATURES = ("--feature", "past", "--feature", "likes", "--feature", "town")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of which nothing was set and nothing ingested."""
    (tmp_path / "kizuna.toml").write_text("", encoding="utf-8")
    return tmp_path


def mixed_campaign(customers: int = 3_000) -> pa.Table:
    """Mail helps those who were there before and drives away those who were not; others come anyway."""
    draw = np.random.default_rng(0)
    arm = np.resize(["none", "mail"], customers)
    past, likes = draw.normal(0, 1, customers), draw.normal(0, 1, customers)
    chance = 0.5 + 0.2 * np.clip(likes, -1, 1) + (arm == "mail") * 0.3 * np.clip(past, -1, 1)
    return pa.table(
        {
            "id": np.arange(customers),
            "arm": arm,
            "visit": draw.random(customers) < chance,
            "again": (draw.random(customers) < chance).astype(np.int8),
            "past": past,
            "likes": likes,
            "town": draw.choice(["north", "south"], customers),
            "constant": np.ones(customers),
        }
    )


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capsys.readouterr().out))


def test_a_campaign_that_helps_some_and_drives_others_away_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(folder, mixed_campaign(), *ASKED, *FEATURES, "--feature", "constant") == 0
    answered = answer(capsys)
    uplift = answered["uplift"]
    assert (uplift["outcome"], uplift["treated"], uplift["control"]) == ("visit", "mail", "none")
    assert uplift["used"] is True
    assert uplift["reason"].startswith("contact helps some more than others")
    assert 0 < uplift["low"] < uplift["qini"] < uplift["high"]
    assert uplift["difference"] == pytest.approx(uplift["qini"] - uplift["response_qini"])
    assert uplift["per"] == 1000
    assert [one["outcome"] for one in answered["effects"]] == ["visit"]
    assert answered["notes"] == [
        "feature 'constant' is left out: it is the same for all, or each of its texts is rare."
    ]


def test_the_same_file_gives_the_same_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = mixed_campaign(1_000)
    answers = []
    for _ in range(2):
        assert load(folder, table, *ASKED, *FEATURES) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


def test_the_outcome_of_the_uplift_need_not_be_compared(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--control", "none", "--outcome", "visit", "--uplift", "again", "--feature", "past")
    assert load(folder, mixed_campaign(1_000), *options) == 0
    answered = answer(capsys)
    assert [one["outcome"] for one in answered["effects"]] == ["visit"]
    assert answered["uplift"]["outcome"] == "again"


def test_without_the_question_there_is_no_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(folder, mixed_campaign(200), "--control", "none", "--outcome", "visit") == 0
    assert answer(capsys)["uplift"] is None


def test_a_feature_that_tells_nothing_is_no_evidence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(folder, mixed_campaign(1_000), *ASKED, "--feature", "town") == 0
    uplift = answer(capsys)["uplift"]
    assert uplift["used"] is False
    assert uplift["reason"] == REFUSED + "the interval of the Qini coefficient does not lie above zero."


@pytest.mark.parametrize(
    ("customers", "feature", "why"),
    [
        (90, "past", "the outcome is known of fewer than 100 customers."),
        (300, "constant", "no feature tells customers apart."),
    ],
)
def test_too_little_is_no_evidence_and_gives_no_figures(
    folder: Path, capsys: pytest.CaptureFixture[str], customers: int, feature: str, why: str
) -> None:
    assert load(folder, mixed_campaign(customers), *ASKED, "--feature", feature) == 0
    uplift = answer(capsys)["uplift"]
    assert (uplift["used"], uplift["reason"], uplift["qini"]) == (False, REFUSED + why, None)


def test_an_outcome_of_a_handful_is_no_evidence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = mixed_campaign(400)
    rare = pa.array(np.arange(400) < 12)
    table = table.set_column(table.column_names.index("visit"), "visit", rare)
    assert load(folder, table, *ASKED, "--feature", "past") == 0
    why = "in an arm fewer than 10 customers have another outcome than most."
    assert answer(capsys)["uplift"]["reason"] == REFUSED + why


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--control", "none", "--outcome", "visit", "--feature", "past"),
            "cannot use --feature without --uplift.",
        ),
        (ASKED, "cannot ask whom contact helps on 'visit' without features."),
        ((*ASKED, "--feature", "visit"), "cannot use the column 'visit' as a feature:"),
        ((*ASKED, "--feature", "arm"), "cannot use the column 'arm' as a feature:"),
        ((*ASKED, "--feature", "id"), "cannot use the column 'id' as a feature:"),
        ((*ASKED, "--feature", "age"), "--feature names the column 'age', which it does not have."),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert load(folder, mixed_campaign(200), *options, as_json=False) == 2
    captured = capsys.readouterr()
    assert message in " ".join(captured.err.split())
    assert captured.out == ""


def test_the_table_shows_the_figures_and_the_verdict_in_both_languages(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = mixed_campaign(1_000)
    assert load(folder, table, *ASKED, *FEATURES, as_json=False) == 0
    english = " ".join(capsys.readouterr().out.split())
    assert "Whom contact helps: Qini coefficients per 1,000 treated customers" in english
    assert "contact helps some more than others" in english
    assert load(folder, table, *ASKED, "--feature", "town", "--language", "ja", as_json=False) == 0
    japanese = "".join(capsys.readouterr().out.split())
    assert "誰に施策が効くか" in japanese
    assert "という証拠はありません" in japanese
