"""`kizuna doctor`: what it prints, and that its advice can be pasted."""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from serving.cli.main import main
from serving.project.settings import read
from tests.serving import shop


@pytest.fixture(scope="module")
def ingested_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder that was ingested; not to be changed."""
    folder = tmp_path_factory.mktemp("shop")
    shop.lay_out(folder)
    shop.ingest(folder)
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one call."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return int(end.value.code or 0), out.out, out.err


def asked(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> dict[str, Any]:
    code, out, _ = said(capsys, "-C", folder, "--json", "doctor", *more)
    assert code == 0
    answer: dict[str, Any] = json.loads(out)
    return answer


def content(folder: Path) -> dict[str, str]:
    """The files of a project but the result of its last examination, which `doctor` keeps."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / "state" / "doctor.json"
    }


def test_json_is_one_object_with_the_data_the_horizons_and_the_advice(
    ingested_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = asked(capsys, ingested_shop)
    data = answer["data"]
    kinds = {kind["name"]: kind for kind in data["kinds"]}
    assert set(kinds) == {"purchase", "refund", "visit", "attribute.plan"}
    assert data["events"] == sum(kinds[name]["events"] for name in ("purchase", "refund", "visit"))
    assert data["rows"] == data["events"] + data["attributes"] == data["events"] + 80
    assert data["customers"] == 245
    assert kinds["visit"]["customers"] == 5
    assert kinds["refund"]["negative"] == kinds["refund"]["events"]
    assert (data["quarantined"], data["without_customer"]) == (0, 0)
    now = [one for one in answer["horizons"] if one["configured"]]
    churn = read(ingested_shop).settings.churn
    assert [(one["horizon_days"], one["active_days"]) for one in now] == [
        (churn.horizon_days, churn.active_days)
    ]
    for one in answer["horizons"]:
        if one["fits"]:
            assert 0 < one["churned"] < one["cohort"] <= 245
            assert one["labelled"]["last"] <= data["newest"]
            assert one["fit"]["dates"] <= one["labelled"]["dates"]
        else:
            assert one["needed_days"] > data["days"]
    assert answer["recommendation"]["enough_data"]


def test_the_block_can_be_pasted(
    ingested_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    advice = asked(capsys, ingested_shop)["recommendation"]
    folder = Path(shutil.copytree(ingested_shop, tmp_path / "shop"))
    file = folder / "kizuna.toml"
    before, _, rest = file.read_text(encoding="utf-8").partition("[churn]")
    after = rest[rest.find("\n[") + 1 :] if "\n[" in rest else ""
    file.write_text(before + advice["block"] + "\n" + after, encoding="utf-8")
    again = asked(capsys, folder)["recommendation"]
    assert again["churn"] == advice["churn"]
    assert again["sentences"][-1] == "That is what [churn] says already."
    assert tomllib.loads(advice["block"])["churn"]["horizon_days"] == advice["churn"]["horizon_days"]


@pytest.mark.parametrize("width", [80, 140])
def test_people_read_it_in_both_languages(
    ingested_shop: Path, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, english, _ = said(capsys, "-C", ingested_shop, "doctor", "--language", "en")
    assert code == 0
    for words in ("What churn could mean", "came back: of those", "Recommendation", "[churn]\ntype = "):
        assert words in english
    for heading in ("Indicator", "Customers", "Cohort", "Fit/cal/test"):
        assert heading in english, "no heading is cut"
    _, japanese, _ = said(capsys, "-C", ingested_shop, "doctor", "--language", "ja")
    for words in ("離反の定義の候補", "復帰率", "おすすめの設定", "[churn]\ntype = "):
        assert words in japanese
    assert "…" not in english + japanese
    assert all(len(line) <= width for line in english.splitlines())
    one = asked(capsys, ingested_shop, "--language", "ja")["recommendation"]["sentences"]
    assert all(sentence.endswith("。") for sentence in one)


def test_examining_changes_nothing_but_its_own_last_result(
    ingested_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(ingested_shop)
    asked(capsys, ingested_shop)
    assert content(ingested_shop) == before


def test_events_at_or_after_until_do_not_exist(
    ingested_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, half = asked(capsys, ingested_shop), asked(capsys, ingested_shop, "--until", "2024-06-01")
    assert half["data"]["newest"] < "2024-06-01" < whole["data"]["newest"]
    assert all(one["labelled"]["last"] < "2024-06-01" for one in half["horizons"] if one["fits"])


def test_nothing_ingested_is_a_sentence_and_exit_code_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.lay_out(tmp_path)
    sentence = "cannot read events: nothing was ingested yet; run `kizuna ingest`"
    code, out, err = said(capsys, "-C", tmp_path, "--json", "doctor")
    assert (code, err.strip().splitlines()[-1]) == (4, sentence)
    assert json.loads(out) == {"error": {"code": "bad_data", "message": sentence, "field": None}}
