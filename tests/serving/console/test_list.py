"""The list's page: every filter is on it, its files are those of the command line, and roles hold."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest

from features.errors import Forbidden, ModelError
from serving.application.access.audit import audit
from serving.application.customers.refuse_contact import refuse_contact
from serving.application.permissions import COMMAND_LINE, OPEN_CONSOLE
from serving.cli.context import CliContext
from serving.cli.main import main
from serving.console.app import error_page
from serving.console.host import ConsoleHost
from serving.console.pages.at_risk_list import at_risk_list, change_list, list_file
from serving.console.pages.list_form import APART, NOT_ALWAYS, FilterForm
from serving.console.visit import Download, Page, Redirect
from serving.lists.filters import CliOption, ListFilter
from serving.lists.list_address import SEGMENT, filter_pairs, list_filter
from serving.project.language import Language
from tests.serving import shop
from tests.serving.console.list_visits import hosting, html, visiting

NUMBERS = {"limit": "7", "min_probability": "0.3", "min_value_at_risk": "20"}
"""What a filter of a number is tried with; 0 where none is named here."""


@pytest.fixture(scope="module")
def folder(planned_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(planned_template, tmp_path_factory.mktemp("list") / "shop"))


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[ConsoleHost]:
    with hosting(folder) as place:
        yield place


def form_of(host: ConsoleHost, address: str = "/list") -> FilterForm:
    form = at_risk_list(visiting(host, address)).values["form"]
    assert isinstance(form, FilterForm)
    return form


def customers_of(page: str) -> list[str]:
    """The identifiers in the table, as a reader sees them."""
    return [unescape(one) for one in re.findall(r'<a class="id" href="[^"]*">([^<]*)</a>', page)]


def command_line(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["-C", str(folder), *arguments])
    assert end.value.code == 0
    return capsys.readouterr().out


def flags(choice: ListFilter) -> list[str]:
    """A filter as options of the command line."""
    given = ["--limit", str(choice.limit or 10_000)]
    for name, value in filter_pairs(choice):
        field = "segment" if name.startswith(SEGMENT) else name
        option = next(
            (one for one in ListFilter.model_fields[field].metadata if isinstance(one, CliOption)), None
        )
        if option is not None:
            given += [option.flag, f"{name.removeprefix(SEGMENT)}={value}" if field == "segment" else value]
    return given


def test_every_filter_is_on_the_page_and_finds_the_customers_of_the_command_line(
    host: ConsoleHost, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = form_of(host).fields
    names = {"segment" if one.name.startswith(SEGMENT) else one.name for one in fields}
    of_uplift = {*NOT_ALWAYS} - {"min_lifetime_value"}
    assert names == set(ListFilter.model_fields) - {*APART, *of_uplift}, "nobody has an uplift here"
    for field in fields:
        value = NUMBERS.get(field.name) or (field.values[0].value if field.values else "0")
        choice = list_filter([(field.name, value)])
        visit = visiting(host, f"/list?{field.name}={value}&rows=1000")
        page = html(visit, at_risk_list(visit))
        assert f'name="{field.name}"' in page
        listed = json.loads(command_line(folder, capsys, "--json", "at-risk", *flags(choice)))["customers"]
        assert customers_of(page) == [one["customer_id"] for one in listed], field.name
        assert visit.formats.people(len(listed)) in page, field.name


def test_every_order_is_on_the_page(
    host: ConsoleHost, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for one in form_of(host).orders:
        visit = visiting(host, f"/list?order_by={one.value}&rows=1000")
        order = ["--order-by", one.value] if one.value else []
        said = command_line(folder, capsys, "--json", "at-risk", "--limit", "10000", *order)
        listed = [customer["customer_id"] for customer in json.loads(said)["customers"]]
        assert customers_of(html(visit, at_risk_list(visit))) == listed


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_file_has_the_bytes_of_the_command_line(
    host: ConsoleHost, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], language: Language
) -> None:
    answer = list_file(visiting(host, "/list.csv?limit=60&min_probability=0.1", language=language))
    assert isinstance(answer, Download)
    file = tmp_path / "list.csv"
    command_line(
        folder, capsys, "at-risk", "--limit", "60", "--min-probability", "0.1", "--output", str(file),
        "--language", language,
    )  # fmt: skip
    assert "".join(answer.lines).encode() == file.read_bytes()
    for columns in ("salesforce", "hubspot"):
        address = f"/list.csv?limit=60&columns={columns}"
        answer = list_file(visiting(host, address, language=language))
        assert isinstance(answer, Download)
        command_line(
            folder, capsys, "export", columns, "--output", str(file), "--limit", "60", "--language", language
        )
        assert "".join(answer.lines).encode() == file.read_bytes()


def test_before_a_download_the_list_says_how_many_must_not_be_contacted_and_offers_those_planned_first(
    planned_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(planned_template, tmp_path / "shop"))
    with hosting(folder) as place:
        visit = visiting(place, "/list", language="ja")
        panel = html(visit, at_risk_list(visit))
        listed = json.loads(command_line(folder, capsys, "--json", "at-risk", "--limit", "10000"))[
            "customers"
        ]
        planned = panel.index("実施のみ：CSV")
        assert planned < panel.index("全員：CSV"), "those planned come first"
        assert "outcomes=planned" in panel[planned - 120 : planned]
        refused = sum(one["refused_channels"] == ["all"] for one in listed)
        warned = re.search(r"連絡不可の顧客が(\d+)名含まれます", panel)
        assert (int(warned[1]) if warned else 0) == refused
    to_refuse = next(one["customer_id"] for one in listed if one["outcome"] == "planned")
    with CliContext(folder).workspace() as workspace:
        refuse_contact(workspace, COMMAND_LINE, to_refuse, token="a" * 20)
    with hosting(folder) as place:
        visit = visiting(place, "/list", language="ja")
        assert f"連絡不可の顧客が{refused + 1}名含まれます" in html(visit, at_risk_list(visit))
        visit = visiting(place, "/list?outcomes=planned", language="ja")
        panel = html(visit, at_risk_list(visit))
        assert "実施のみ：CSV" in panel
        assert "全員：CSV" not in panel
        assert "含まれます" not in panel


def test_a_list_of_so_many_offers_no_file_of_other_planned_customers(
    planned_template: Path, tmp_path: Path
) -> None:
    with hosting(Path(shutil.copytree(planned_template, tmp_path / "shop"))) as place:
        panel = html(visit := visiting(place, "/list?limit=60", language="ja"), at_risk_list(visit))
    assert "全員：CSV" in panel
    assert "実施のみ：CSV" not in panel


def test_without_a_plan_too_a_download_of_everybody_warns_of_whom_not_to_contact(own_shop: Path) -> None:
    with CliContext(own_shop).workspace() as workspace:
        reader = workspace.scores.current()
        (name,) = reader.customers.names(reader.scores.answers.key[reader.scores.cohort[:1]]).to_pylist()
        refuse_contact(workspace, COMMAND_LINE, name, token="a" * 20)
    with hosting(own_shop) as place:
        visit = visiting(place, "/list")
        panel = html(visit, at_risk_list(visit))
        assert "includes 1 customer who must not be contacted" in panel
        assert "Planned only" not in panel


def test_a_viewer_sees_no_download_and_gets_none(host: ConsoleHost) -> None:
    for role, offered in (
        ("viewer", []),
        ("analyst", ["csv"]),
        ("marketer", ["csv", "salesforce", "hubspot"]),
    ):
        visit = visiting(host, "/list", role)  # type: ignore[arg-type]
        page = html(visit, at_risk_list(visit))
        assert re.findall(r'href="/list\.csv\?columns=(\w+)"', page) == offered
        assert ("/campaigns/start" in page) is (role != "viewer")
    for columns in ("csv", "salesforce"):
        with pytest.raises(Forbidden):
            list_file(visiting(host, f"/list.csv?columns={columns}", "viewer"))
    with pytest.raises(Forbidden):
        list_file(visiting(host, "/list.csv?columns=hubspot", "analyst"))
    with pytest.raises(Forbidden):
        change_list(visiting(host, "/list?limit=5", "viewer", form=[("do", "save"), ("name", "mine")]))


def test_a_filter_is_saved_used_edited_and_deleted(host: ConsoleHost) -> None:
    saved = change_list(visiting(host, "/list?limit=5&tiers=", form=[("do", "save"), ("name", "five")]))
    assert isinstance(saved, Redirect)
    number = saved.path.rpartition("saved=")[2]
    assert saved.path == f"/list?limit=5&saved={number}"
    visit = visiting(host, saved.path)
    page = html(visit, at_risk_list(visit))
    assert "Saved filter: five" in page
    assert len(customers_of(page)) == 5
    taken = visiting(host, "/list?limit=6", form=[("do", "save"), ("name", "five")])
    refused = change_list(taken)
    assert isinstance(refused, Page)
    assert refused.status == 422
    assert "there is one of that name already. Give another name." in html(taken, refused)
    for form in (
        [("do", "replace"), ("saved", number)],
        [("do", "rename"), ("saved", number), ("name", "six")],
        [("do", "delete"), ("saved", number)],
    ):
        assert isinstance(change_list(visiting(host, "/list?limit=6", form=form)), Redirect)
    entries = audit(host.service.workspace, COMMAND_LINE).entries
    actions = [one.action for one in entries if one.action.startswith("filter")]
    assert actions[:4] == ["filter delete", "filter rename", "filter save", "filter save"]
    lost = visiting(host, "/list?limit=6", form=[("do", "delete"), ("saved", number)])
    gone = change_list(lost)
    assert isinstance(gone, Page)
    assert "it was deleted meanwhile" in html(lost, gone)


def test_a_filter_of_yesterday_says_what_is_wrong_and_can_be_edited(host: ConsoleHost) -> None:
    form = [("do", "save"), ("name", "platinum")]
    saved = change_list(visiting(host, "/list?segment.plan=platinum&min_probability=0.1", form=form))
    assert isinstance(saved, Redirect)
    visit = visiting(host, saved.path)
    shown = at_risk_list(visit)
    page = html(visit, shown)
    assert shown.status == 422
    assert "cannot list the plan &#39;platinum&#39;: there is none of that name." in page
    assert "Does not fit the current scores" in page
    number = saved.path.rpartition("saved=")[2]
    assert f'href="/list?min_probability=0.1&amp;saved={number}"' in page, "the value can be taken out"
    assert isinstance(
        change_list(visiting(host, "/list?limit=6", form=[("do", "delete"), ("saved", number)])), Redirect
    )


def test_columns_are_remembered_for_who_chose_them(host: ConsoleHost) -> None:
    form = [("do", "columns"), ("columns", "stage"), ("columns", "tier"), ("columns", "nonsense")]
    assert isinstance(change_list(visiting(host, "/list?limit=3", "viewer", form=form)), Redirect)
    visit = visiting(host, "/list", "viewer")
    page = html(visit, at_risk_list(visit))
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', page) == ["Customer", "Engagement", "Stage"]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/list?min_probability=often", "min_probability"),
        ("/list?order_by=name", "order_by"),
        ("/list?cursor=nonsense", "cannot go on from this cursor"),
        ("/list?tiers=nonsense", "nonsense"),
        ("/list?segment.moon=full", "moon"),
    ],
)
def test_an_address_that_makes_no_sense_says_so_and_offers_the_filters(
    host: ConsoleHost, address: str, message: str
) -> None:
    visit = visiting(host, address)
    shown = at_risk_list(visit)
    page = html(visit, shown)
    assert shown.status == 422
    assert message in page
    assert 'name="tiers"' in page
    assert "Clear all filters" in page


def test_a_list_of_nobody_says_which_filter_to_leave_out(host: ConsoleHost) -> None:
    visit = visiting(host, "/list?min_value_at_risk=900000&segment.plan=gold", language="ja")
    page = html(visit, at_risk_list(visit))
    assert "条件に合う顧客がいません" in page
    assert re.findall(r'href="([^"]*)">「リスク金額の下限」を外す', page) == ["/list?segment.plan=gold"]


def test_only_who_is_planned_has_an_action(host: ConsoleHost) -> None:
    visit = visiting(host, "/list?rows=1000")
    rows = at_risk_list(visit).values["rows"]
    assert isinstance(rows, list)
    outcomes = {(row.outcome == "planned", row.action is not None) for row in rows}
    assert outcomes == {(True, True), (False, False)}


def test_what_customers_are_called_is_shown_as_text(scored_shop: Path, tmp_path: Path) -> None:
    planted = {"c0012": "<img src=x onerror=alert(1)>", "gold": "<b>gold</b>", "food": "<i>&food</i>"}
    folder = tmp_path / "shop"
    shop.lay_out(folder)
    for file in (folder / "data").glob("*.csv"):
        text = file.read_text(encoding="utf-8")
        for plain, markup in planted.items():
            text = re.sub(rf"\b{plain}\b", lambda _, to=markup: to, text)  # type: ignore[misc]
        file.write_text(text, encoding="utf-8")
    shop.ingest(folder)
    shop.score_all(folder, scored_shop / "bundle", dates=("2025-02-01",))
    with hosting(folder) as host:
        for address in (
            "/list?rows=1000",
            "/list?segment.plan=%3Cb%3Egold%3C%2Fb%3E",
            "/list?tiers=%3Cb%3Ex",
        ):
            visit = visiting(host, address)
            page = html(visit, at_risk_list(visit))
            assert not re.search("<img|<b>|<i>", page), address
            if "tiers" not in address:
                assert planted["c0012"] in customers_of(page)
                assert "&lt;b&gt;gold&lt;/b&gt;" in page


def test_an_open_console_offers_the_list_as_csv_alone() -> None:
    assert {"download", "save_filter"} <= OPEN_CONSOLE.permissions
    assert "contact" not in OPEN_CONSOLE.permissions


def test_before_anything_was_scored_the_list_says_what_to_do(tmp_path: Path) -> None:
    shop.lay_out(tmp_path / "shop")
    with hosting(tmp_path / "shop") as host:
        visit = visiting(host, "/list", language="ja")
        with pytest.raises(ModelError) as refused:
            at_risk_list(visit)
        page = html(visit, error_page(visit, refused.value))
    assert "まだスコアがありません" in page
    assert "kizuna score" in page


def test_while_the_database_is_away_the_list_is_shown_without_saved_filters(
    host: ConsoleHost, folder: Path
) -> None:
    usual = customers_of(shown(host, "/list?min_probability=0.1&saved=1"))
    with closing(sqlite3.connect(folder / "state" / "kizuna.db", isolation_level=None)) as database:
        for table in ("saved_filters", "preferences"):
            database.execute(f"alter table {table} rename to {table}_away")
        try:
            page = shown(host, "/list?min_probability=0.1&saved=1")
        finally:
            for table in ("saved_filters", "preferences"):
                database.execute(f"alter table {table}_away rename to {table}")
    assert customers_of(page) == usual
    assert "Saved filters cannot be read at the moment." in page
    assert 'value="save"' not in page, "nothing can be saved now"
    assert "Saved filters cannot be read" not in shown(host, "/list")


def shown(host: ConsoleHost, address: str) -> str:
    visit = visiting(host, address)
    return html(visit, at_risk_list(visit))
