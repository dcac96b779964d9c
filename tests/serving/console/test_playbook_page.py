"""The playbook's page: read by everyone, edited wrongly and rightly, saved once, brought back."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from serving.actions.playbook import FILE, default_text
from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE
from tests.serving.console.browser import visiting
from tests.serving.console.people import PASSWORD, Client, add_people, project_of
from tests.serving.running import Server, serving

DEFAULT = default_text("shop")
MARKUP = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planned shop with an account for each role."""
    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("playbook") / "shop"))
    add_people(folder)
    with project_of(folder) as workspace:
        make_plan(workspace, COMMAND_LINE)
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Server]:
    with serving(folder, "--host", "127.0.0.1") as running:
        yield running


@pytest.fixture
def fresh(folder: Path) -> Iterator[Path]:
    """The folder without a playbook, before and after."""
    (folder / FILE).unlink(missing_ok=True)
    yield folder
    (folder / FILE).unlink(missing_ok=True)


def signed_in(server: Server, name: str) -> Client:
    client = Client(server.port, headers={"accept-language": "en"})
    assert client.sign_in(name).status == 303
    return client


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


def submit(client: Client, path: str, **fields: str) -> tuple[int, str]:
    """Send a form of the playbook's pages with this browser's token; the page it leads to."""
    token = client.get("/playbook/edit").token
    shown = client.post(path, {"csrf": token, **fields})
    if shown.status == 303:
        return 303, client.get(shown.headers["location"]).text
    return shown.status, shown.text


def test_everyone_reads_the_rules_and_only_marketers_and_administrators_edit(
    service: Server, fresh: Path
) -> None:
    for name, may_edit in (("hanako", True), ("taro", True), ("yumi", False), ("ken", False)):
        client = signed_in(service, name)
        shown = client.get("/playbook")
        assert shown.status == 200
        assert "Bought often, and has left" in shown.text
        assert ("/playbook/edit" in shown.text) is may_edit
        assert client.get("/playbook/edit").status == (200 if may_edit else 403)
        if not may_edit:
            token = client.get("/account").token
            for path in ("/playbook/edit", "/playbook/preview", "/playbook/save", "/playbook/restore"):
                fields = {"csrf": token, "text": DEFAULT, "opened": "", "number": "1"}
                assert client.post(path, fields).status == 403, path
    assert not (fresh / FILE).exists()


def test_markup_in_rules_notes_and_texts_is_shown_as_text(service: Server, fresh: Path) -> None:
    text = DEFAULT.replace('en = "Has left"', f'en = "{MARKUP}"').replace("the shop team", MARKUP)
    taro = signed_in(service, "taro")
    status, checked = submit(taro, "/playbook/edit", text=text, opened="")
    assert (status, MARKUP in checked) == (200, False)
    assert html.escape(MARKUP) in checked
    status, page = submit(taro, "/playbook/save", text=text, opened="", note=MARKUP)
    assert status == 303
    assert MARKUP not in page
    assert page.count(html.escape(MARKUP)) >= 2
    assert MARKUP in (fresh / FILE).read_text(encoding="utf-8")


def test_of_two_editors_the_second_sees_both_texts_and_loses_neither(service: Server, fresh: Path) -> None:
    taro, hanako = signed_in(service, "taro"), signed_in(service, "hanako")
    opened = hidden(hanako.get("/playbook/edit").text, "opened")
    assert opened == ""
    mine, theirs = DEFAULT.replace("capacity = 300", "capacity = 7"), f"# of taro\n{DEFAULT}"
    assert submit(taro, "/playbook/save", text=theirs, opened="")[0] == 303
    status, page = submit(hanako, "/playbook/save", text=mine, opened=opened)
    assert status == 409
    assert "# of taro" in page
    assert "capacity = 7" in page
    assert (fresh / FILE).read_text(encoding="utf-8") == theirs
    assert submit(hanako, "/playbook/save", text=mine, opened=hidden(page, "opened"))[0] == 303
    assert (fresh / FILE).read_text(encoding="utf-8") == mine


def test_what_cannot_be_written_is_said_and_what_was_typed_stays(service: Server, fresh: Path) -> None:
    taro = signed_in(service, "taro")
    text = DEFAULT.replace("capacity = 300", "capacity = 8")
    # A link into a folder that is not there: nobody can write that file, whatever they may do.
    (fresh / FILE).symlink_to(fresh / "nowhere" / "playbook.toml")
    status, page = submit(taro, "/playbook/save", text=text, opened="")
    assert (status, "capacity = 8" in page) == (422, True)
    assert "cannot write" in page


def test_an_earlier_version_is_brought_back(service: Server, fresh: Path) -> None:
    taro = signed_in(service, "taro")
    submit(taro, "/playbook/save", text=f"# one\n{DEFAULT}", opened="", note="the first")
    opened = hidden(taro.get("/playbook/edit").text, "opened")
    submit(taro, "/playbook/save", text=f"# two\n{DEFAULT}", opened=opened)
    page = taro.get("/playbook?versions=all").text
    number = max(int(found) for found in re.findall(r"/playbook/version\?number=(\d+)", page))
    shown = taro.get(f"/playbook/version?number={number}").text
    assert "# one" in shown
    status, page = submit(taro, "/playbook/restore", number=str(number), opened=hidden(shown, "opened"))
    assert status == 303
    assert f"restored version {number}" in page
    assert (fresh / FILE).read_text(encoding="utf-8").startswith("# one")
    assert taro.get("/playbook/version?number=99999").status == 422
    assert taro.get("/playbook/version?number=x").status == 422


def test_a_preview_that_needs_the_events_is_a_job_whose_result_can_be_saved(
    service: Server, fresh: Path
) -> None:
    taro = signed_in(service, "taro")
    text = DEFAULT.replace("returned_days = 90", "returned_days = 1")
    status, page = submit(taro, "/playbook/edit", text=text, opened="")
    assert (status, 'action="/playbook/preview"' in page) == (200, True)
    token = taro.get("/playbook/edit").token
    job = taro.post("/playbook/preview", {"csrf": token, "text": text, "opened": ""}).headers["location"]
    service.wait_for(lambda: "See the result" in taro.get(job).text)
    result = taro.get(job.replace("/jobs?id=", "/playbook/preview?job=")).text
    assert "Planned contacts that change" in result
    assert "returned_days = 1" in html.unescape(result)


def test_a_later_deadline_is_marked_for_each_customer_and_said_in_words(service: Server, fresh: Path) -> None:
    taro = signed_in(service, "taro")
    text = re.sub(r"deadline_days = (\d+)", lambda found: f"deadline_days = {int(found[1]) + 2}", DEFAULT)
    status, page = submit(taro, "/playbook/edit", text=text, opened="")
    assert status == 200
    assert re.search(r'<th[^>]*>Deadline</th><td><span class="nowrap">\d+ \w+ \d{4}</span></td>', page)
    changed = re.findall(r'<td data-label="(\w+)" class="changed"><del>.*?</ins></td>', page)
    assert len(changed) == 20
    assert set(changed) == {"Deadline"}
    assert "The number of customers by rule and outcome stays the same." in page


def test_one_sentence_says_which_version_made_the_plan_and_which_makes_the_next(
    service: Server, fresh: Path
) -> None:
    taro = signed_in(service, "taro")
    submit(taro, "/playbook/save", text=f"# one\n{DEFAULT}", opened="")
    page = " ".join(taro.get("/playbook").text.split())
    number = max(map(int, re.findall(r"Version (\d+)", page)))
    assert re.search(
        r"The plan in use \([^)]*\) was made with the default playbook\. "
        rf"The next plan will be made with version {number}; the numbers below are of the plan in use\.",
        page,
    )
    assert page.count(">next plan</span>") == 1
    assert ">current<" not in page


def test_every_error_of_the_editor_quotes_what_is_in_the_file(service: Server, fresh: Path) -> None:
    taro = signed_in(service, "taro")
    text = DEFAULT.replace("deadline_days = 1\n", 'deadline_days = "５日"\n', 1)
    assert text != DEFAULT
    status, page = submit(taro, "/playbook/edit", text=text, opened="")
    assert status == 200
    assert "<code>deadline_days = 5</code>" in page
    problems = page[page.index('id="problems"') :]
    assert "`" not in problems[: problems.index("</ul>")]


@pytest.mark.parametrize("javascript", [True, False])
def test_a_playbook_is_edited_wrongly_then_rightly(
    browser: Browser, service: Server, fresh: Path, javascript: bool
) -> None:
    with visiting(browser, service.port, javascript=javascript) as visitor:
        page = visitor.page
        visitor.open("/sign-in?next=/playbook")
        page.fill("[name=name]", "taro")
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Start from the default").click()
        text = page.input_value("#text")
        assert text == DEFAULT
        page.fill("#text", text.replace('when.tier = ["middle", "high"]', 'when.tear = ["middle"]'))
        page.get_by_role("button", name="Check and preview").click()
        line = DEFAULT[: DEFAULT.index('when.tier = ["middle", "high"]')].count("\n") + 1
        assert page.get_by_role("alert").get_by_role("link", name=f"line {line}").is_visible()
        said = page.get_by_role("alert").inner_text()
        assert "there is no key rules.when.tear" in said
        assert "Write when.tier instead" in said
        if javascript:
            chosen = "(e => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)"
            assert page.evaluate(chosen) == 'when.tear = ["middle"]'
            assert visitor.violations() == []
        assert not (fresh / FILE).exists()
        page.fill("#text", text.replace('when.probability = "bottom 50%"', 'when.probability = "bottom 10%"'))
        page.get_by_role("button", name="Check and preview").click()
        assert page.get_by_role("heading", name="Preview of changes").is_visible()
        assert page.get_by_role("cell", name="Everyone else").count() >= 1
        if javascript:
            assert visitor.violations() == []
        page.get_by_label("Note").fill("fewer are left alone")
        page.get_by_role("button", name="Save").click()
        assert "Saved as version" in page.get_by_role("status").inner_text()
        assert page.get_by_text("fewer are left alone").first.is_visible()
        assert page.get_by_text("The next plan will be made with version").is_visible()
        if javascript:
            assert visitor.violations() == []
        assert 'when.probability = "bottom 10%"' in (fresh / FILE).read_text(encoding="utf-8")
        assert visitor.elsewhere == []
        assert visitor.errors == []
