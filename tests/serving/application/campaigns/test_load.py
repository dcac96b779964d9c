"""The effect of a campaign that was run elsewhere, loaded from a table by the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from serving.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of which nothing was set and nothing ingested."""
    (tmp_path / "kizuna.toml").write_text("", encoding="utf-8")
    return tmp_path


def campaign_table(customers: int = 900) -> pa.Table:
    """Three arms of equal size: mail raises visits and spend, post raises them more."""
    chance = np.random.default_rng(1)
    arm = np.resize(["none", "mail", "post"], customers)
    history = chance.uniform(1, 100, customers)
    visit = chance.random(customers) < np.select([arm == "mail", arm == "post"], [0.4, 0.6], 0.2)
    return pa.table(
        {
            "id": [f"{number:04}" for number in range(customers)],
            "arm": arm,
            "visit": visit,
            "spend": visit * chance.lognormal(2, 1, customers),
            "history": history,
            "town": np.resize(["north", "south", "south", "west"], customers),
            "nothing": pa.nulls(customers, pa.float64()),
        }
    )


def load(
    folder: Path, table: pa.Table, *options: str, name: str = "table.parquet", as_json: bool = True
) -> int:
    file = folder / name
    if file.suffix == ".csv":
        pacsv.write_csv(table, file)
    else:
        pq.write_table(table, file)
    arguments = ["campaign", "load", "spring", str(file), "--customer", "id", "--arm", "arm"]
    with pytest.raises(SystemExit) as end:
        main(["-C", str(folder), *(["--json"] if as_json else []), *arguments, *options])
    return int(end.value.code or 0)


def loaded(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capsys.readouterr().out))


def refusal(folder: Path, capsys: pytest.CaptureFixture[str], table: pa.Table, *options: str) -> str:
    """What the error says; the folder holds nothing new."""
    assert load(folder, table, *options, as_json=False) in (2, 4)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.replace(f"{folder}/", "")


def test_one_treated_arm_is_compared_with_control(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = campaign_table()
    options = ("--control", "none", "--treated", "post", "--outcome", "visit", "--outcome", "spend")
    assert load(folder, table, *options) == 0
    answer = loaded(capsys)
    assert answer["campaign"] == "spring"
    assert answer["arms"] == {"mail": 300, "none": 300, "post": 300}
    visit, spend = answer["effects"]
    assert (visit["outcome"], visit["treated"], visit["control"]) == ("visit", "post", "none")
    rates = {
        arm: np.asarray(table["visit"])[np.asarray(table["arm"]) == arm].mean() for arm in ("post", "none")
    }
    assert visit["difference"] == pytest.approx(rates["post"] - rates["none"])
    assert visit["low"] < visit["difference"] < visit["high"]
    assert visit["unadjusted"] == {key: visit[key] for key in ("difference", "low", "high")}
    assert spend["outcome"] == "spend"


def test_of_several_treated_arms_all_together_come_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(folder, campaign_table(), "--control", "none", "--outcome", "visit") == 0
    effects = loaded(capsys)["effects"]
    assert [effect["treated"] for effect in effects] == ["all", "mail", "post"]
    assert effects[0]["difference"] == pytest.approx(
        (effects[1]["difference"] + effects[2]["difference"]) / 2
    )


def test_a_covariate_adjusts_and_the_plain_difference_stands_beside(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    covariates = ("--covariate", "history", "--covariate", "town", "--covariate", "nothing")
    options = ("--control", "none", "--treated", "mail", "--outcome", "spend", *covariates)
    assert load(folder, campaign_table(), *options) == 0
    answer = loaded(capsys)
    (effect,) = answer["effects"]
    assert effect["method"] == "regression"
    assert effect["difference"] != effect["unadjusted"]["difference"]
    assert answer["notes"] == ["covariate 'nothing' is left out: nobody has a value of it."]


def test_csv_gives_the_same_as_parquet_and_keeps_the_zeros_of_ids(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--control", "none", "--outcome", "spend", "--covariate", "history")
    assert load(folder, campaign_table(), *options) == 0
    of_parquet = loaded(capsys)
    assert load(folder, campaign_table(), *options, name="table.csv") == 0
    assert loaded(capsys) == of_parquet
    twins = pa.table({"id": ["1", "01"], "arm": ["a", "b"], "spend": [1.0, 2.0]})
    assert load(folder, twins, "--control", "a", "--outcome", "spend", name="twins.csv") == 0


def test_a_rare_outcome_has_newcombes_interval_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pa.table({"id": range(100), "arm": ["a"] * 50 + ["b"] * 50, "bought": [1, 1, 1] + [0] * 97})
    assert load(folder, table, "--control", "b", "--outcome", "bought") == 0
    answer = loaded(capsys)
    assert answer["effects"][0]["low"] == pytest.approx(-0.0215, abs=1e-4)
    assert answer["notes"] == [
        "outcome 'bought' is rare or nearly sure in an arm: its interval is Newcombe's, not adjusted."
    ]


def test_an_outcome_not_known_of_some_and_an_arm_of_one_are_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pa.table({"id": range(4), "arm": list("abbb"), "spend": [3.0, 4.0, None, 6.0]})
    assert load(folder, table, "--control", "b", "--outcome", "spend") == 0
    answer = loaded(capsys)
    assert answer["effects"][0]["difference"] == pytest.approx(-2.0)
    assert (answer["effects"][0]["low"], answer["effects"][0]["high"]) == (None, None)
    assert answer["notes"] == [
        "outcome 'spend' is not known of 1 customers, who are left out of it.",
        "outcome 'spend' has no interval: an arm has one customer of whom it is known.",
    ]


BASE = ("--control", "none", "--outcome", "visit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--control", "none", "--outcome", "visits"),
            "cannot load table.parquet: --outcome names the column 'visits', which it does not have. Its "
            "columns are 'id', 'arm', 'visit', 'spend', 'history', 'town', 'nothing'.\n",
        ),
        (
            ("--control", "nobody", "--outcome", "visit"),
            "cannot load table.parquet: --control names the arm 'nobody', which nobody has. The arms in "
            "'arm' are 'mail', 'none', 'post'.\n",
        ),
        (
            (*BASE, "--treated", "fax"),
            "cannot load table.parquet: --treated names the arm 'fax', which nobody has. The arms in "
            "'arm' are 'mail', 'none', 'post'.\n",
        ),
        (
            (*BASE, "--treated", "mail", "--treated", "none"),
            "cannot load table.parquet: 'none' is named as control and as treated. Name it once.\n",
        ),
        (
            ("--control", "none", "--outcome", "town"),
            "cannot load table.parquet: the outcome 'town' is not numeric, as 'north' shows. Give numbers, "
            "or 1 for yes and 0 for no.\n",
        ),
        (
            (*BASE, "--covariate", "visit"),
            "cannot load a campaign in which the column 'visit' has several roles. Name it once: as the arm, "
            "as an outcome, or as a covariate, which was known before.\n",
        ),
        (
            (*BASE, "--covariate", "id"),
            "cannot load table.parquet: the covariate 'id' has 900 different texts, and 30 can be used. "
            "Leave it out, or group its values.\n",
        ),
    ],
)
def test_options_that_do_not_fit_the_table_are_refused(
    options: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(folder, capsys, campaign_table(), *options) == message


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("id", ["1", "1", "2", "3"], "1 customers of 'id' have several rows, one of them 2."),
        ("id", ["1", None, "2", "3"], "1 rows have no customer in 'id'."),
        ("arm", ["a", None, "none", "none"], "1 rows have no arm in 'arm'."),
        ("arm", ["a", " ", "none", "none"], "1 rows have no arm in 'arm'."),
        ("arm", ["none"] * 4, "everybody is in the arm 'none'"),
        ("arm", ["all", "a", "none", "none"], "an arm is called 'all'"),
        ("visit", [1.0, float("inf"), 2.0, 3.0], "the outcome 'visit' is infinite in some rows."),
        ("visit", [1.0, 1.0, None, None], "an outcome is known of nobody in one of the arms."),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    column: str, values: list[Any], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"id": list("abcd"), "arm": ["a", "a", "none", "none"], "visit": [1.0, 0.0, 1.0, 0.0]}
    assert message in refusal(folder, capsys, pa.table({**columns, column: values}), *BASE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.xlsx", b"x", "its name ends neither in .parquet nor in .csv."),
        ("table.parquet", b"not a table", "it cannot be read as parquet"),
        ("table.csv", "id,arm,visit\n1,対照,1\n".encode("cp932"), "it cannot be read as csv"),
        ("table.csv", b"id,arm,visit\n", "it has no rows."),
        ("missing.csv", None, "there is no such file."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    name: str, content: bytes | None, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    arguments = ["campaign", "load", "x", str(folder / name), "--customer", "id", "--arm", "arm", *BASE]
    with pytest.raises(SystemExit) as end:
        main(["-C", str(folder), *arguments])
    assert end.value.code in (2, 4)
    assert message in capsys.readouterr().err


def test_each_row_can_be_a_customer_and_people_read_a_table(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(campaign_table(), folder / "table.parquet")
    arguments = [
        "campaign",
        "load",
        "spring",
        str(folder / "table.parquet"),
        "--customer",
        "row",
        "--arm",
        "arm",
    ]
    options = [*BASE, "--outcome", "spend", "--covariate", "history"]
    for language, words in (("en", ("Difference", "95% interval", "all")), ("ja", ("差", "95%区間", "全体"))):
        with pytest.raises(SystemExit) as end:
            main(["-C", str(folder), *arguments, *options, "--language", language])
        assert not end.value.code
        shown = capsys.readouterr().out
        assert all(word in shown for word in (*words, "visit", "spend", "mail", "post", "300"))
