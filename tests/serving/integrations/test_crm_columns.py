"""The list in the columns of other systems."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import pytest

from features.errors import ConfigurationError
from serving.cli.context import CliContext
from serving.integrations.crm_columns import READY, READY_LIFETIME
from serving.lists.filters import ListFilter
from serving.lists.score_reader import ScoreReader
from serving.project.settings import read
from serving.state.api_keys import add_key
from tests.serving.running import COMMAND, serving
from tests.serving.shapes import as_json

DOCS = Path(__file__).parents[3] / "docs" / "crm"


@pytest.mark.parametrize("name", sorted(READY))
def test_a_ready_map_is_written_and_its_page_names_every_column(
    scored_shop: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "list.csv"
    subprocess.run(
        [*COMMAND, "-C", str(scored_shop), "export", name, "--output", str(file)],
        check=True,
        capture_output=True,
    )
    call = CliContext(scored_shop)
    with call.records() as records:
        replies = ScoreReader.current(records, call.project, call.store)
    listed = as_json(replies.at_risk(ListFilter(), "en"))
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    columns = READY[name].columns | READY_LIFETIME[name]
    assert list(rows[0]) == list(columns)
    theirs = {ours: column for column, ours in columns.items()}
    for row, one in zip(rows, listed["customers"], strict=True):
        assert row[theirs["customer_id"]] == one["customer_id"]
        assert float(row[theirs["value_at_risk"]]) == round(one["value_at_risk"], 2)
        assert row[theirs["reason_1"]] == one["reasons"][0]["sentence"]
        spend = one["lifetime_value"][0]
        assert float(row[theirs["lifetime_value"]]) == round(spend["value"], 2)
        assert float(row[theirs["lifetime_value_high"]]) == round(spend["high"], 2)
        assert (row[theirs["lifetime_evidence"]], row[theirs["lifetime_months"]]) == ("normal", "12")
        assert (row[theirs["as_of"]], row[theirs["model_version"]]) == ("2025-02-01", "1")
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert all(f"| `{column}` |" in page for column in READY[name].columns)
    assert all(f"`{column}`" in page for column in READY_LIFETIME[name])


def test_the_service_gives_the_same_file(own_shop: Path, tmp_path: Path) -> None:
    with CliContext(own_shop).records() as records:
        key = add_key(records, "crm", ("read",), 0, who="test")
    bearer = {"authorization": f"Bearer {key}"}
    with serving(own_shop) as running:
        for name in sorted(READY):
            file = tmp_path / f"{name}.csv"
            export = [*COMMAND, "-C", str(own_shop), "export", name, "--output", str(file)]
            subprocess.run(export, check=True, capture_output=True)
            status, content = running.send("GET", f"/v1/at_risk.csv?columns={name}&limit=3", headers=bearer)
            wanted = "".join(file.read_bytes().decode().splitlines(True)[:4])
            assert (status, content.decode()) == (200, wanted)
        status, content = running.send("GET", "/v1/at_risk.csv?columns=zork", headers=bearer)
        assert (status, json.loads(content)["error"]["field"]) == (422, "columns")


def test_a_map_of_ones_own_goes_before_the_ready_one(own_shop: Path, tmp_path: Path) -> None:
    toml, file = own_shop / "kizuna.toml", tmp_path / "list.csv"
    toml.write_text(
        toml.read_text() + '\n[crm.hubspot.columns]\nMail = "customer_id"\nRisk = "churn_percent"\n'
    )
    done = [*COMMAND, "-C", str(own_shop), "export", "hubspot", "--output", str(file), "--limit", "2"]
    subprocess.run(done, check=True, capture_output=True)
    lines = file.read_text().splitlines()
    assert (lines[0], len(lines)) == ("Mail,Risk", 3)
    toml.write_text(toml.read_text() + '\n[crm.other.columns]\nX = "shoe_size"\n')
    with pytest.raises(
        ConfigurationError, match="the column X cannot be shoe_size: the fields are rank, customer_id"
    ):
        read(own_shop)
