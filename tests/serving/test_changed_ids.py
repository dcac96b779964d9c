"""A customer whose id changed is found under both ids, listed once, and scored from all that is known."""

from __future__ import annotations

import csv
import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from serving.cli.context import CliContext
from serving.cli.main import main
from serving.lists.customer_view import predict_reply
from serving.lists.filters import ListFilter
from serving.schemas.requests import PredictRequest
from serving.scoring.live import append, beside_stored
from serving.state.active_model import ActiveModel
from tests.serving import shop
from tests.serving.shapes import as_json
from training.bundle.model_bundle import Bundle

ALIASES = """
[[aliases]]
query = "select old_id, new_id from read_csv('data/aliases.csv', all_varchar = true)"
"""


@pytest.fixture(scope="module")
def merged(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scored shop, in which c0006 then turned out to be c0003, and c0009 became m0009."""
    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("merged") / "shop"))
    (folder / "data" / "aliases.csv").write_text("old_id,new_id\nc0003,c0006\nc0009,m0009\n")
    with (folder / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write(ALIASES)
    answer(folder, "ingest")
    return folder


def answer(folder: Path, *words: str) -> Any:
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(printed), pytest.raises(SystemExit) as left:
        main(["-C", str(folder), "--json", *words])
    assert left.value.code in (None, 0)
    printed.seek(0)
    return json.loads(printed.read())


def test_before_the_next_scores_nobody_is_listed_twice_or_without_a_name(merged: Path) -> None:
    with CliContext(merged).workspace() as workspace:
        reader = workspace.scores.current()
        listed = [one.customer_id for one in reader.at_risk(ListFilter(), "en").customers]
    assert None not in listed
    assert len(set(listed)) == len(listed)
    assert "c0003" not in listed


@pytest.mark.parametrize(("old", "new"), [("c0003", "c0006"), ("c0009", "m0009")])
def test_scores_and_explanations_are_found_by_the_old_id_and_by_the_new(
    merged: Path, old: str, new: str
) -> None:
    with CliContext(merged).workspace() as workspace:
        reader = workspace.scores.current()
        one, other = reader.of([old, new], "en").customers
        assert one.customer_id == old
        assert one.status == other.status != "unknown"
        assert one.churn_probability == other.churn_probability
        explained = [reader.explain(name, "en", workspace.store).customer for name in (old, new)]
        assert explained[0].reasons == explained[1].reasons


def test_the_next_scores_are_those_of_a_shop_whose_data_say_the_new_ids(
    merged: Path, scored_shop: Path, tmp_path: Path
) -> None:
    other = tmp_path / "renamed"
    shop.lay_out(other)
    now = {"c0003": "c0006", "c0009": "m0009"}
    for name in ("orders.csv", "plans.csv"):
        file = other / "data" / name
        with file.open(encoding="utf-8", newline="") as lines:
            rows = [[now.get(row[0], row[0]), *row[1:]] for row in csv.reader(lines)]
        with file.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows(rows)
    shop.ingest(other)
    scores = []
    for folder in (merged, other):
        shop.score_all(folder, scored_shop / "bundle", dates=("2025-02-08",))
        with CliContext(folder).workspace() as workspace:
            reader = workspace.scores.current()
            names = reader.customers.names(reader.scores.answers.key).to_pylist()
            rows = reader.of(names, "en").customers
            assert None not in names
            scores.append({row.customer_id: as_json(row) for row in rows})
    assert scores[0] == scores[1]


def test_live_calls_with_the_old_id_go_on_from_what_is_stored_under_the_new(merged: Path) -> None:
    call = CliContext(merged)
    champion = ActiveModel("1", Bundle.load(merged / "bundle"))
    event = {"occurred_at": "2025-02-03T10:00:00Z", "kind": "purchase", "value": 12.5, "event_id": "x1"}

    def sent(name: str) -> PredictRequest:
        customers = [{"customer_id": name, "events": [event]}]
        return PredictRequest.model_validate({"customers": customers, "as_of": "2025-02-10", "append": True})

    beside = [
        as_json(predict_reply(beside_stored(champion, sent(name), call.now, call.store), "en"))["customers"][
            0
        ]
        for name in ("c0003", "c0006")
    ]
    kept = as_json(predict_reply(append(champion, sent("c0003"), call.now, call.store), "en"))["customers"][0]
    assert beside[0] == {**beside[1], "customer_id": "c0003"} == kept
    assert beside[0]["churn_probability"] is not None


def test_a_plan_that_was_made_before_names_nobody_twice(own_shop: Path) -> None:
    answer(own_shop, "plan", "--limit", "500")
    (own_shop / "data" / "aliases.csv").write_text("old_id,new_id\nc0003,c0006\n")
    with (own_shop / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write(ALIASES)
    answer(own_shop, "ingest")
    for words in (("plan", "--limit", "500"), ("at-risk", "--limit", "500")):
        listed = [one["customer_id"] for one in answer(own_shop, *words)["customers"]]
        assert None not in listed
        assert "c0003" not in listed
        assert len(set(listed)) == len(listed)


def test_erasing_removes_what_was_scored_under_every_key(own_shop: Path) -> None:
    with CliContext(own_shop).workspace() as workspace:
        key = workspace.store.customers.all_keys("c0006")
    (own_shop / "data" / "aliases.csv").write_text("old_id,new_id\nc0003,c0006\n")
    with (own_shop / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write(ALIASES)
    answer(own_shop, "ingest")
    with CliContext(own_shop).workspace() as workspace:
        assert set(key) < set(workspace.store.customers.all_keys("c0003"))
    erased = answer(own_shop, "erase", "c0003")
    assert erased["other_ids"] == ["c0006"]
    assert erased["score_files"] == 2
