"""The playbook in words and counted, its text checked, and what an edit would change before it is saved."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from features.errors import ConfigurationError, Forbidden
from serving.actions.plan_changes import FIELDS, CountedChange
from serving.actions.plan_file import StoredPlan
from serving.actions.plan_text import planned_actions
from serving.actions.playbook import FILE, default_text
from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE, person
from serving.application.playbook.check import PlaybookCheck, check_playbook
from serving.application.playbook.preview import MOST_SHOWN, preview_is_quick, preview_playbook
from serving.application.playbook.save import save_playbook
from serving.application.playbook.show import show_playbook
from serving.application.playbook.stored_file import NO_FILE
from serving.application.workspace import Workspace
from serving.cli.context import CliContext
from serving.schemas.plan_responses import PlannedAction
from serving.schemas.terms import OUTCOME_WORDS, OUTCOMES, PLANNED
from tests.serving.actions.test_playbook import HEAD, rule

ANN, VIEWER = person("ann", "marketer"), person("vic", "viewer")
DEFAULT = default_text("shop")


@pytest.fixture(scope="module")
def planned(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop with a plan by the default playbook; not to be changed."""
    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("planned") / "shop"))
    with CliContext(folder).workspace() as workspace:
        make_plan(workspace, COMMAND_LINE)
    return folder


@pytest.fixture(scope="module")
def shop(planned: Path) -> Iterator[Workspace]:
    """The planned shop; not to be changed."""
    with CliContext(planned).workspace() as workspace:
        yield workspace


@pytest.fixture
def changing(planned: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A planned shop of one's own."""
    with CliContext(Path(shutil.copytree(planned, tmp_path / "shop"))).workspace() as workspace:
        yield workspace


@pytest.fixture
def unplanned(own_shop: Path) -> Iterator[Workspace]:
    with CliContext(own_shop).workspace() as workspace:
        yield workspace


def check(workspace: Workspace, text: str, language: str = "en") -> PlaybookCheck:
    return check_playbook(workspace, ANN, text, language)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_every_line_that_cannot_be_used_is_named_with_what_to_write(shop: Workspace) -> None:
    text = DEFAULT.replace("cool_down_days = 30 ", "cool_down = 30 ").replace(
        'when.value = "top 40%"', 'when.value = "much"', 1
    )
    problems = check(shop, text).problems
    assert [(one.line, one.message) for one in problems] == [
        (
            line_of(text, "cool_down = 30"),
            "there is no key `touch.high.cool_down` in a playbook (found: `cool_down = 30`). Write "
            "`cool_down_days` instead, such as `cool_down_days = 30`.",
        ),
        (
            line_of(text, '"much"'),
            '`rules.when.value` is `"much"`, but it takes a condition such as `>= 0.2`, `0.1 to 0.3` or '
            '`top 10%`, in double quotes. Write it like `when.value = "top 40%"`.',
        ),
    ]


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ('x = "', "the text has no closing quote"),
        ("x = yes", "Put text between double quotes"),
        ("x : 1", "Write `name = value`"),
        ("[touch.new", "the heading is not closed"),
        ("x = 1 2", "something stands after the end"),
        ("x = 1\nx = 2", "stands here twice"),
        ("[touch.high]", "heading stands here twice"),
        ("= 3", "neither `name = value` nor a [heading]"),
        ("x = [1", "the list is not closed"),
    ],
)
def test_a_slip_in_the_toml_is_named_with_its_line_in_both_languages(
    shop: Workspace, wrong: str, advice: str
) -> None:
    text = HEAD + rule("one") + wrong
    (problem,) = check(shop, text).problems
    assert problem.line == len(text.splitlines())
    assert advice in problem.message
    (japanese,) = check(shop, text, "ja").problems
    assert any(letter > "ぁ" for letter in japanese.message), japanese.message


def test_an_attribute_that_nobody_has_is_named_with_its_line(shop: Workspace) -> None:
    text = DEFAULT.replace('do_not_contact = "do_not_contact"', 'do_not_contact = "plann"')
    (problem,) = check(shop, text).problems
    assert problem.line == line_of(text, 'do_not_contact = "plann"')
    assert problem.message == (
        "`do_not_contact` is 'plann', which no customer has. The attributes are plan. Write 'plan' instead."
    )
    members = '[[loyalty]]\nname = "p"\nwindow_days = 9\nmembers = { attribute = "club", value = "x" }\n'
    text = f'{DEFAULT}{members}levels = [{{ name = "s", en = "S", ja = "S", purchases = 1, amount = 1 }}]\n'
    (problem,) = check(shop, text).problems
    assert (problem.line, "'club', which no customer has" in problem.message) == (
        line_of(text, "members = { attribute = \"club\""),
        True,
    )  # fmt: skip


def test_before_the_first_plan_a_check_says_that_it_is_not_complete(unplanned: Workspace) -> None:
    found = check(unplanned, DEFAULT)
    assert (found.problems, found.is_complete, found.rules) == ((), False, DEFAULT.count("[[rules]]"))
    make_plan(unplanned, COMMAND_LINE)
    assert check(unplanned, DEFAULT).is_complete


EDITS = {
    "a limit": DEFAULT.replace('when.probability = "bottom 50%"', 'when.probability = "bottom 20%"'),
    "a capacity": DEFAULT.replace("capacity = 300", "capacity = 3"),
    "who may be leaving": DEFAULT.replace('leaving = "top 10%"', 'leaving = "top 40%"'),
    "touch models in another order": DEFAULT.replace("[touch.high]", "[touch.late]", 1).replace(
        'touch = "high"', 'touch = "late"'
    ),
    "when a customer came back": DEFAULT.replace("returned_days = 90", "returned_days = 1"),
    "which contacts count": DEFAULT.replace('kinds = ["coupon_sent", "call_made"]', 'kinds = ["purchase"]'),
    "other rules": HEAD + rule("all"),
}  # fmt: skip
FROM_EVENTS = {"when a customer came back", "which contacts count"}


@pytest.mark.parametrize("edit", EDITS)
def test_a_preview_is_what_the_next_plan_makes_of_the_text(changing: Workspace, edit: str) -> None:
    text = EDITS[edit]
    assert text != DEFAULT
    found = preview_playbook(changing, ANN, text, "en")
    assert found is not None
    assert preview_is_quick(changing, ANN, text) is (edit not in FROM_EVENTS)
    before = changing.scores.current().plan
    assert before is not None
    save_playbook(changing, ANN, text, NO_FILE)
    after = make_plan(changing, COMMAND_LINE).plan
    for plan, counts in ((before, "before"), (after, "after")):
        outcome = np.asarray(plan.table.column("outcome"))
        assert {OUTCOME_WORDS[OUTCOMES[n]][0]: int((outcome == n).sum()) for n in set(outcome.tolist())} == {
            one.words: getattr(one, counts) for one in found.outcomes if getattr(one, counts)
        }
        rules = np.asarray(plan.table.column("rule"))
        expected = {one.say("en"): int((rules == n).sum()) for n, one in enumerate(plan.playbook.rules)}
        assert expected == {
            one.words: getattr(one, counts) for one in found.rules if getattr(one, counts) is not None
        }
    assert found.planned_after == int((np.asarray(after.table.column("outcome")) == PLANNED).sum())
    assert found.changed > 0 or edit in ("which contacts count", "touch models in another order")
    assert len(found.sample) == min(found.changed, 20)
    for customer in found.sample:
        assert any(field.is_changed for field in customer.fields)
    told_by_plans = Counter[tuple[str, str | None, str | None]]()
    for was, becomes in zip(actions(before), actions(after), strict=True):
        if was.outcome == becomes.outcome == "planned":
            sides = [(name, told(was, name), told(becomes, name)) for name in FIELDS[:-1]]
            told_by_plans.update(side for side in sides if side[1] != side[2])
    counted = Counter(
        {(change.field, change.before, change.after): change.planned for change in found.changes}
    )
    assert told_by_plans <= counted or len(found.changes) == MOST_SHOWN


def actions(plan: StoredPlan) -> list[PlannedAction]:
    return list(planned_actions(plan, np.arange(len(plan.keys)), "en"))


def told(action: PlannedAction, name: str) -> str | None:
    """What the plan itself says in a field of the preview."""
    words: dict[str, str | None] = {
        "rule": action.rule_words,
        "action": action.action_words,
        "touch": action.touch_words,
        "channel": action.action_channel_words,
        "owner": action.owner,
        "deadline": action.deadline,
    }
    return words[name]


def test_a_later_deadline_is_told_for_each_customer_and_counted_apart_for_those_left_out(
    changing: Workspace,
) -> None:
    """Rows that look the same before and after tell a marketer nothing."""
    text = DEFAULT.replace("capacity = 300", "capacity = 3")
    save_playbook(changing, ANN, text, NO_FILE)
    plan = make_plan(changing, COMMAND_LINE).plan
    rules, outcome = (np.asarray(plan.table.column(name)) for name in ("rule", "outcome"))
    number = next(
        number
        for number, one in enumerate(plan.playbook.rules)
        if one.touch == "low" and ((rules == number) & (outcome == PLANNED)).any()
    )
    rule = plan.playbook.rules[number]
    days, place = rule.deadline_days or 0, text.index(f'name = "{rule.name}"')
    later = text[place:].replace(f"deadline_days = {days}", f"deadline_days = {days + 2}", 1)
    found = preview_playbook(changing, ANN, text[:place] + later, "ja")
    assert found is not None
    planned = int(((rules == number) & (outcome == PLANNED)).sum())
    assert (found.changed, found.changed_planned) == (int((rules == number).sum()), planned)
    assert found.changed > planned > 0
    today = plan.timeline.local(plan.as_of).date()
    dates = [(today + timedelta(days=days + more)).isoformat() for more in (0, 2)]
    assert found.changes == (CountedChange("deadline", dates[0], dates[1], planned, found.changed - planned),)
    assert [one.is_planned for one in found.sample[:planned]] == [True] * planned
    for one in found.sample:
        assert [(field.field, field.before, field.after) for field in one.fields if field.is_changed] == [
            ("deadline", *dates)
        ]
        assert tuple(field.field for field in one.fields) == FIELDS


def test_another_channel_where_the_own_one_is_not_known_is_a_change(shop: Workspace) -> None:
    text = DEFAULT.replace('fallback_channel = "email"', 'fallback_channel = "phone"')
    found = preview_playbook(shop, ANN, text, "en")
    assert found is not None
    assert {(one.field, one.before, one.after) for one in found.changes} >= {("channel", "email", "phone")}


def test_a_change_of_the_other_language_alone_is_shown_too(shop: Workspace) -> None:
    text = DEFAULT.replace('ja = "CRMチーム"', 'ja = "CRM部"')
    found = preview_playbook(shop, ANN, text, "en")
    assert found is not None
    assert {(one.field, one.before, one.after) for one in found.changes} == {("owner", "CRMチーム", "CRM部")}


def test_an_edit_of_comments_changes_nobody(shop: Workspace) -> None:
    found = preview_playbook(shop, ANN, f"# hello\n{DEFAULT}", "en")
    assert found is not None
    assert (found.changed, found.moves, found.sample) == (0, (), ())


def test_a_preview_writes_nothing(shop: Workspace) -> None:
    before = {file: file.stat().st_mtime_ns for file in shop.project.folder.rglob("*") if file.is_file()}
    preview_playbook(shop, ANN, EDITS["a limit"])
    after = {file: file.stat().st_mtime_ns for file in shop.project.folder.rglob("*") if file.is_file()}
    assert {file for file in {*before, *after} if before.get(file) != after.get(file)} == set()


def test_a_preview_works_before_the_first_plan(unplanned: Workspace) -> None:
    found = preview_playbook(unplanned, ANN, EDITS["a limit"])
    assert found is not None
    assert found.changed > 0


def test_a_text_that_cannot_be_used_has_no_preview(shop: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="line 1"):
        preview_playbook(shop, ANN, "rules = 3")


def test_every_rule_is_shown_in_words_with_its_customers(shop: Workspace) -> None:
    shown = show_playbook(shop, VIEWER, "en")
    assert shown.is_default
    assert shown.plan is not None
    assert shown.plan.is_of_this_text
    assert sum(rule.counts.customers for rule in shown.rules if rule.counts) == shown.plan.counts.customers
    fit = next(rule for rule in shown.rules if rule.name == "regular-gone")
    assert [(one.label, one.words) for one in fit.conditions] == [
        ("Engagement tier", "middle third or highest third"),
        ("Stage", "lapsed"),
    ]
    assert (fit.touch, fit.owner, fit.deadline_days) == ("low touch", "CRM team", 14)
    assert fit.channel_words == "the customer's own, else email"
    alone = next(rule for rule in shown.rules if rule.name == "in-peace")
    assert alone.action is None
    assert "more harm than good" in (alone.held_back or "")
    japanese = {rule.name: rule for rule in show_playbook(shop, VIEWER, "ja").rules}
    assert [(one.label, one.words) for one in japanese["in-peace"].conditions] == [("離反確率", "下位50%")]


def test_counts_are_of_the_plan_in_use_and_say_so_after_a_change(changing: Workspace) -> None:
    save_playbook(changing, ANN, EDITS["a limit"], NO_FILE)
    shown = show_playbook(changing, VIEWER, "en")
    assert not shown.is_default
    assert shown.plan is not None
    assert not shown.plan.is_of_this_text
    make_plan(changing, COMMAND_LINE)
    again = show_playbook(changing, VIEWER, "en")
    assert again.plan is not None
    assert again.plan.is_of_this_text


def test_a_file_that_cannot_be_used_is_shown_with_its_line(changing: Workspace) -> None:
    (changing.project.folder / FILE).write_text(f"{DEFAULT}\n[[rules]]\n", encoding="utf-8")
    shown = show_playbook(changing, VIEWER, "en")
    assert shown.problem is not None
    assert shown.problem.line == DEFAULT.count("\n") + 2
    assert shown.rules == ()
    assert shown.text.startswith(DEFAULT)


def test_checking_and_trying_take_the_permission_to_edit(shop: Workspace) -> None:
    for use_case in (check_playbook, preview_playbook, preview_is_quick):
        with pytest.raises(Forbidden):
            use_case(shop, VIEWER, DEFAULT)  # type: ignore[operator]
