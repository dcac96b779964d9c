"""What must hold when somebody acts is read as of now, not as of the scores' date."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from serving.api.live_state import ServiceState
from serving.cli.context import CliContext
from serving.state.api_keys import add_key
from serving.state.scores.score_index import current_scores, scores_before
from tests.inputs.services import answer, change, copied, csv_rows, kizuna, plan_of, simulated
from tests.serving.running import serving

AFTER = "2025-01-03T10:00:00+09:00"
"""Two days after the scores' date."""
NOW = "2025-01-04T00:00:00+09:00"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated service with a plan, in whose simulated time two days passed; not to be changed."""
    folder = simulated(tmp_path_factory.mktemp("acting") / "service")
    (folder / "now.txt").write_text(NOW, encoding="utf-8")
    assert kizuna(folder, "plan") == 0
    return folder


@pytest.fixture
def own(service: Path, tmp_path: Path) -> Path:
    """A copy of the service."""
    return copied(service, tmp_path / "service")


def add(folder: Path, *rows: dict[str, Any]) -> None:
    """Add events as a source would."""
    call = CliContext(folder)
    table = pa.Table.from_pylist([{"channel": None, "detail": None, **row} for row in rows])
    call.store.add(table, source="late", timeline=call.project.timeline, now=call.now)


def says(customer: str, word: str, at: str = AFTER) -> dict[str, Any]:
    return {"customer_id": customer, "occurred_at": at, "kind": "attribute.do_not_contact", "detail": word}


def planned(plan: dict[str, dict[str, Any]]) -> list[str]:
    return [who for who, row in plan.items() if row["outcome"] == "planned"]


def digests(folder: Path) -> dict[str, str]:
    """The score files by their content."""
    files = (folder / "state" / "scores").iterdir()
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


def test_who_opts_out_after_the_scores_date_is_not_planned_and_who_opts_in_is(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, scores = plan_of(capsys, own), digests(own)
    out = planned(before)[:5]
    back = [who for who, row in before.items() if row["outcome"] == "do_not_contact"][:2]
    add(own, *(says(who, "配信停止") for who in out), *(says(who, "no") for who in back))
    after = plan_of(capsys, own)
    assert {after[who]["outcome"] for who in out} == {"do_not_contact"}
    assert {after[who]["outcome"] for who in back} <= {"planned", "cool_down"}
    others = set(before) - {*out, *back}
    assert {who: after[who]["outcome"] for who in others} == {who: before[who]["outcome"] for who in others}
    numbers = ("churn_probability", "tier", "value_at_risk", "reasons")
    assert [[after[who][name] for name in numbers] for who in before] == [
        [before[who][name] for name in numbers] for who in before
    ]
    assert digests(own) == scores


def test_who_opts_out_after_the_plan_was_made_is_exported_as_left_out(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = {row["customer_id"] for row in answer(capsys, own, "at-risk", "--limit", "5000")["customers"]}
    out = [who for who in planned(plan_of(capsys, own)) if who in cohort][:4]
    add(own, *(says(who, "1") for who in out))
    file = tmp_path / "s.csv"
    assert kizuna(own, "export", "salesforce", "--output", str(file)) == 0
    rows = {row["Kizuna_Customer_Id__c"]: row for row in csv_rows(file.read_text(encoding="utf-8"))}
    for who in out:
        assert rows[who]["Kizuna_Outcome__c"] == "do_not_contact"
        assert not rows[who]["Kizuna_Action__c"]
    listed = answer(capsys, own, "at-risk", "--limit", "5000", "--outcome", "planned")["customers"]
    assert not set(out) & {row["customer_id"] for row in listed}
    assert answer(capsys, own, "explain", out[0])["customer"]["plan"]["action"] is None


def test_who_was_contacted_since_cools_down_and_an_old_contact_no_longer_holds(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = plan_of(capsys, own)
    tech = [who for who in planned(before) if before[who]["touch"] == "tech"][:3]
    add(own, *({"customer_id": who, "occurred_at": AFTER, "kind": "push_sent"} for who in tech))
    listed = answer(capsys, own, "explain", tech[0])["customer"]["plan"]
    assert (listed["outcome"], listed["action"]) == ("cool_down", None)
    after = plan_of(capsys, own)
    assert {after[who]["outcome"] for who in tech} == {"cool_down"}
    (own / "now.txt").write_text("2025-03-01T00:00:00+09:00", encoding="utf-8")
    much_later = plan_of(capsys, own)  # days count from the clock: no newer event is needed
    assert {much_later[who]["outcome"] for who in tech} == {"planned"}


@pytest.mark.parametrize(
    ("contacts", "cools"),
    [
        (("2025-01-05T10:00:00+09:00",), True),
        (("2025-06-01T10:00:00+09:00",), False),
        (("2099-01-01T00:00:00+09:00",), False),
        (("2099-01-01T00:00:00+09:00", AFTER), True),
        (("2025-06-01T10:00:00+09:00", "2025-01-05T10:00:00+09:00"), True),
    ],
    ids=["tomorrow", "in June", "mistyped", "mistyped and yesterday", "tomorrow and in June"],
)
@pytest.mark.parametrize("way", ["stored", "waiting"])
def test_a_contact_that_lies_ahead_holds_within_the_cool_down_before_it(
    own: Path, capsys: pytest.CaptureFixture[str], contacts: tuple[str], cools: bool, way: str
) -> None:
    before = plan_of(capsys, own)
    tech = [who for who in planned(before) if before[who]["touch"] == "tech"][:3]
    rows = [{"customer_id": who, "occurred_at": at, "kind": "push_sent"} for who in tech for at in contacts]
    if way == "stored":  # as by a clock that went wrong for a while
        call = CliContext(own)
        late = call.project.timeline.instant("2099-12-31")
        call.store.add(pa.Table.from_pylist(rows), source="late", timeline=call.project.timeline, now=late)
    else:
        add(own, *rows, {"customer_id": "somebody", "occurred_at": AFTER, "kind": "visit"})
    after = plan_of(capsys, own)
    assert {after[who]["outcome"] for who in tech} == {"cool_down" if cools else "planned"}


def test_a_refusal_dated_after_the_projects_clock_counts_at_once_and_a_permission_does_not(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = plan_of(capsys, own)
    wish = "case when customer like '%5' then 'yes' when customer like '%6' then 'no' end"
    query = f"select customer as customer_id, timestamp '2025-02-01' as known_at, {wish} as value"
    table = "from 'data/profiles.parquet' where customer like '%5' or customer like '%6'"
    added = f'\n[[attributes]]\nname = "opt_out"\nquery = "{query} {table}"\n'
    change(own, lambda text: text + added)
    assert kizuna(own, "ingest") == 0
    after = plan_of(capsys, own)
    for who, row in after.items():
        if who.endswith("5"):
            assert row["outcome"] in ("do_not_contact", "held_back")
        elif before[who]["outcome"] == "do_not_contact":
            assert row["outcome"] == "do_not_contact"


def test_the_service_follows_an_opt_out_within_moments(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = planned(plan_of(capsys, own))[0]
    with CliContext(own).records() as records:
        bearer = {"authorization": f"Bearer {add_key(records, 'crm', ('read',), 0, who='test')}"}
    with serving(own) as running:

        def plan() -> dict[str, Any]:
            asked = running.post("/v1/score", {"customer_ids": [out]}, bearer)[1]
            return dict(asked["customers"][0]["plan"])

        assert plan()["outcome"] == "planned"
        add(own, says(out, "UNSUBSCRIBED"))
        running.wait_for(lambda: plan()["outcome"] == "do_not_contact")
        assert plan()["action"] is None


def test_earlier_scores_that_a_page_goes_on_in_follow_an_opt_out_too(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, call = planned(plan_of(capsys, own))[0], CliContext(own)
    state = ServiceState(call.project, lambda: call.now, open_without_keys=True)
    with closing(state):
        current = current_scores(state.database)
        assert current is not None
        earlier = scores_before(state.database, current.as_of)
        assert earlier is not None

        def outcome() -> str | None:
            state.refresh()
            reader = state.of_file(earlier.file)
            return reader.outcomes(reader.keys([out]), "en")[0][0]

        assert outcome() is None
        add(own, says(out, "UNSUBSCRIBED"))
        assert outcome() == "do_not_contact"
