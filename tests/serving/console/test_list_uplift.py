"""The list's page where an uplift model is in use: its filters, orders, column and files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.console.host import ConsoleHost
from serving.console.pages.at_risk_list import at_risk_list, change_list, list_file
from serving.console.pages.campaigns import do_with_campaign
from serving.console.pages.list_form import NOT_ALWAYS
from serving.console.visit import Download, Redirect
from serving.state.campaigns.campaign_index import campaigns
from tests.serving.console.list_visits import hosting, html, visiting
from tests.serving.console.test_list import command_line, customers_of, form_of


@pytest.fixture(scope="module")
def folder(uplifted_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(uplifted_template, tmp_path_factory.mktemp("uplift_list") / "shop"))


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[ConsoleHost]:
    with hosting(folder) as place:
        yield place


def test_filters_and_orders_of_uplift_are_on_the_page_and_list_as_the_command_line(
    host: ConsoleHost, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = form_of(host)
    assert set(NOT_ALWAYS) <= {field.name for field in form.fields}
    assert {"uplift", "incremental_value"} <= {one.value for one in form.orders}
    visit = visiting(host, "/list?order_by=uplift&max_uplift=0&rows=1000")
    page = html(visit, at_risk_list(visit))
    asked = ("--order-by", "uplift", "--max-uplift", "0", "--limit", "10000")
    listed = json.loads(command_line(folder, capsys, "--json", "at-risk", *asked))["customers"]
    assert customers_of(page) == [one["customer_id"] for one in listed]
    assert "In past campaigns contact drove customers like this away" in page


def test_the_file_has_the_columns_of_uplift(host: ConsoleHost) -> None:
    answer = list_file(visiting(host, "/list.csv?limit=3"))
    assert isinstance(answer, Download)
    heading = next(iter(answer.lines))
    assert ",uplift,incremental_value,uplift_reason," in heading


def test_the_file_of_a_campaign_has_the_columns_of_uplift(host: ConsoleHost) -> None:
    name = next(one.name for one in campaigns(host.service.workspace.database) if one.file)
    form = [("do", "export"), ("columns", "csv")]
    answer = do_with_campaign(visiting(host, f"/campaign/do?name={name}", form=form))
    assert isinstance(answer, Download)
    assert ",uplift,incremental_value,uplift_reason," in next(iter(answer.lines))


def test_the_column_shows_the_uplift_in_points_with_its_sign(host: ConsoleHost) -> None:
    form = [("do", "columns"), ("columns", "uplift"), ("columns", "incremental_value")]
    assert isinstance(change_list(visiting(host, "/list", form=form)), Redirect)
    rows = at_risk_list(visiting(host, "/list?order_by=uplift&rows=1000")).values["rows"]
    assert isinstance(rows, list)
    first, last = rows[0].cells[0], rows[-1].cells[0]
    assert re.fullmatch(r"\+\d+\.\d pt", first.text)
    assert re.fullmatch(r"−\d+\.\d pt", last.text)
    assert first.is_number
