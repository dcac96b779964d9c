"""Whom contact helps, in the list: columns, filters, orders and the one reason."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from features.errors import ConfigurationError
from serving.application.campaigns.learn import stop_using_uplift
from serving.application.lists.at_risk import list_at_risk
from serving.application.lists.explain import explain
from serving.application.lists.export import export_list
from serving.application.lists.make_plan import make_plan
from serving.application.models.score import score
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace
from serving.lists.filters import ListFilter
from serving.lists.uplift_reason import UPLIFT, uplift_reason
from serving.presentation.csv import list_csv, plan_csv
from serving.presentation.plan import plan_reply
from serving.schemas.responses import ListedCustomer, UpliftBasis
from tests.inputs.services import answer, kizuna
from tests.serving.actions.test_playbook import HEAD, rule
from tests.serving.application.campaigns.test_start import opened
from tests.serving.campaign_shop import at
from tests.serving.uplift_shop import END

BASIS = UpliftBasis("retained", 3, ("spring",), "2025-03-20")


@pytest.fixture(scope="module")
def place(uplifted_shop: Path) -> Workspace:
    """The shop, only read."""
    return at(opened(uplifted_shop), END)


def listed(place: Workspace, **filters: object) -> list[ListedCustomer]:
    choice = ListFilter.model_validate({"limit": 1_000, **filters})
    return list(list_at_risk(place, COMMAND_LINE, choice, "en").customers)


def test_the_list_is_ordered_by_uplift_and_by_what_it_is_worth(place: Workspace) -> None:
    uplift = [one.uplift for one in listed(place, order_by="uplift")]
    value = [one.incremental_value for one in listed(place, order_by="incremental_value")]
    assert len(uplift) == len(value) == len(listed(place)) > 50
    assert uplift == sorted(uplift, reverse=True)  # type: ignore[type-var]
    assert value == sorted(value, reverse=True)  # type: ignore[type-var]
    assert uplift[0] > 0 > uplift[-1]  # type: ignore[operator]


def test_filters_take_whom_contact_helps_and_leave_out_whom_it_drives_away(place: Workspace) -> None:
    everyone = listed(place)
    least = float(np.median([one.uplift for one in everyone if one.uplift is not None and one.uplift > 0]))
    helped = [one for one in everyone if one.uplift is not None and one.uplift >= least]
    driven = [one for one in everyone if one.uplift is not None and one.uplift <= 0]
    worth = [one for one in everyone if (one.incremental_value or 0) >= 0.1]
    assert [len(helped), len(driven), len(worth)] == [
        len(listed(place, min_uplift=least)),
        len(listed(place, max_uplift=0)),
        len(listed(place, min_incremental_value=0.1)),
    ]
    assert 0 < len(helped) < len(everyone)
    assert 0 < len(driven) < len(everyone)
    assert 0 < len(worth) < len(everyone)


def test_each_customer_has_one_line_about_past_campaigns_after_the_reasons_of_the_risk(
    place: Workspace,
) -> None:
    for one in listed(place):
        assert one.uplift is not None
        lines = [reason for reason in one.reasons if reason.feature == UPLIFT]
        assert len(lines) == (round(abs(one.uplift) * 100, 1) > 0)
        assert lines in ([], one.reasons[-1:])
        for line in lines:
            assert line.direction == ("lowers" if one.uplift > 0 else "raises")
            assert line.value == one.uplift
    first = listed(place, order_by="uplift")[0]
    explained = explain(place, COMMAND_LINE, first.customer_id, "ja")
    assert explained.customer.uplift == first.uplift
    assert explained.customer.reasons[-1].sentence.startswith("これまでの施策（spring）では、")
    assert explained.uplift is not None
    assert explained.uplift.campaigns == ("spring",)


def test_who_is_helped_and_who_is_driven_away_is_said_in_both_languages() -> None:
    def said(uplift: float, language: str, basis: UpliftBasis = BASIS, currency: str = "") -> str:
        reason = uplift_reason(uplift, basis, language, currency)
        assert reason is not None
        return reason.sentence

    assert said(0.0321, "en") == (
        "In past campaigns contact helped customers like this: +3.2 points retained after 3 months (spring)"
    )
    assert said(-0.0214, "en") == (
        "In past campaigns contact drove customers like this away: −2.1 points retained after 3 months "
        "(spring)"
    )
    assert said(0.0321, "ja") == (
        "これまでの施策（spring）では、同じような顧客は連絡すると3か月後までに離反が3.2ポイント減りました"
    )
    assert said(-0.0214, "ja") == (
        "これまでの施策（spring）では、同じような顧客は連絡すると3か月後までに離反が2.1ポイント増えました"
    )
    spend = UpliftBasis("spend", 1, ("a", "b", "c"), "")
    assert said(1234.4, "en", spend, "JPY") == (
        "In past campaigns contact helped customers like this: +¥1,234 of spend after 1 month "
        "(a, b and 1 more)"
    )
    assert "購買額が1,234円増えました" in said(1234.4, "ja", spend, "JPY")
    assert "（a、bほか1件）" in said(1234.4, "ja", spend, "JPY")
    assert uplift_reason(0.0004, BASIS, "en") is None
    assert uplift_reason(float("nan"), BASIS, "en") is None


def test_files_have_the_columns_only_where_an_uplift_model_was_in_use(
    place: Workspace, uplifted_template: Path, tmp_path: Path
) -> None:
    def table(at_place: Workspace) -> list[dict[str, str]]:
        found = list_at_risk(at_place, COMMAND_LINE, ListFilter(limit=5, order_by=None), "en")
        rows = list_csv(found.customers, "en", with_plan=False, with_uplift=found.uplifted)
        return list(csv.DictReader(io.StringIO("".join(rows).removeprefix("\ufeff"))))

    row = table(place)[0]
    assert list(row)[10:13] == ["uplift", "incremental_value", "uplift_reason"]
    assert row["uplift_reason"].startswith("In past campaigns contact ")
    assert not any("past campaigns" in row[f"reason_{place}"] for place in (1, 2, 3))
    columns = export_list(place, COMMAND_LINE, "salesforce", ListFilter(limit=1)).columns
    assert columns[-3:] == ("Kizuna_Uplift__c", "Kizuna_Incremental_Value__c", "Kizuna_Uplift_Reason__c")

    plain = at(opened(Path(shutil.copytree(uplifted_template, tmp_path / "shop"))), END)
    stop_using_uplift(plain, COMMAND_LINE)
    score(plain, COMMAND_LINE)
    assert not any("uplift" in name for name in table(plain)[0])
    columns = export_list(plain, COMMAND_LINE, "salesforce", ListFilter(limit=1)).columns
    assert not any("Uplift" in name for name in columns)
    one = listed(plain)[0]
    assert (one.uplift, one.incremental_value) == (None, None)
    assert all(reason.feature != UPLIFT for reason in one.reasons)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--order-by", "uplift"), "cannot order by uplift: no uplift model was in use"),
        (("--order-by", "incremental_value"), "cannot order by incremental_value: no uplift model"),
        (("--min-uplift", "0"), "cannot filter the list by `--min-uplift`: no uplift model was in use"),
        (("--max-uplift", "0"), "cannot filter the list by `--max-uplift`: no uplift model was in use"),
        (("--min-incremental-value", "1"), "cannot filter the list by `--min-incremental-value`: no uplift"),
    ],
)
def test_uplift_that_nobody_has_is_refused_with_what_to_do(
    scored_shop: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert kizuna(scored_shop, "at-risk", *words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert says in said
    assert (
        "Run `kizuna campaign learn` after a campaign has reached a review date, then `kizuna score`" in said
    )


def test_the_command_shows_the_uplift_in_both_languages(
    uplifted_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = answer(capsys, uplifted_shop, "at-risk", "--order-by", "uplift", "--limit", "3")
    assert shown["uplift"]["outcome"] == "retained"
    assert np.all(np.diff([one["uplift"] for one in shown["customers"]]) <= 0)
    assert kizuna(uplifted_shop, "at-risk", "--order-by", "uplift", "--limit", "3", "--language", "ja") == 0
    text = "".join(capsys.readouterr().out.split())
    assert "施策の効果" in text
    assert f"+{shown['customers'][0]['uplift'] * 100:.1f}pt" in text
    assert json.dumps(shown)


def test_a_plan_leaves_alone_whom_contact_drives_away_and_is_refused_without_an_uplift_model(
    uplifted_template: Path, tmp_path: Path
) -> None:
    place = at(opened(Path(shutil.copytree(uplifted_template, tmp_path / "shop"))), END)
    quiet = '[[rules]]\nname = "driven"\nwhen.uplift = "< 0"\nhold_back = "quiet"\n'
    (place.project.folder / "playbook.toml").write_text(HEAD + quiet + rule("others"), "utf-8")
    made = make_plan(place, COMMAND_LINE, choice=ListFilter(limit=1_000), limit=1_000)
    reply = plan_reply(made.plan, made.scores, made.rows, made.limit, "en", made.contacts)
    cohort = [one for one in reply.customers if one.uplift is not None]
    free = [one for one in cohort if one.outcome != "control_group"]
    assert {one.outcome for one in free if one.uplift < 0} == {"held_back"}  # type: ignore[operator]
    assert {one.outcome for one in free if one.uplift > 0} == {"planned"}  # type: ignore[operator]
    assert all(sum("past campaigns" in reason.sentence for reason in one.reasons) <= 1 for one in cohort)
    assert not any("past campaigns" in line for one in cohort for line in one.hook_sentences)
    assert "uplift_reason" in next(plan_csv(reply, "en"))
    stop_using_uplift(place, COMMAND_LINE)
    score(place, COMMAND_LINE)
    with pytest.raises(
        ConfigurationError, match=r"line 18: `when.uplift` of the rule 'driven' asks for what"
    ):
        make_plan(place, COMMAND_LINE)
