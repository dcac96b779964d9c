"""Consent in the spellings and shapes that people have it in: read, or said aloud and then no contact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.inputs.services import answer, change, copied, csv_rows, kizuna, plan_of, refusal, simulated

ATTRIBUTE = """
[[attributes]]
name = "{name}"
query = "select customer as customer_id, since as known_at, {value} as value from 'data/profiles.parquet'"
"""


def without_consent(text: str) -> str:
    """A kizuna.toml without the attribute `do_not_contact`, and with another name for the birthday."""
    text = text.replace('name = "birthday"', 'name = "生年月日"')
    start = text.index('[[attributes]]\nname = "do_not_contact"')
    return text[:start] + text[text.index("[features]", start) :]


def only_contracts(text: str) -> str:
    """A kizuna.toml with one source, so that an ingest is quick; the rest is in the store already."""
    first, last = text.index('[[sources]]\nname = "orders"'), text.index('[[sources]]\nname = "contracts"')
    return text[:first] + text[last:]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated service without any consent; not to be changed."""
    folder = tmp_path_factory.mktemp("consent") / "service"
    simulated(folder, customers=400, edit=without_consent)
    change(folder, only_contracts)
    return folder


@pytest.fixture
def own(service: Path, tmp_path: Path) -> Path:
    """A copy of the service."""
    return copied(service, tmp_path / "service")


@pytest.fixture(scope="module")
def refused(service: Path) -> set[str]:
    """Who asked not to be contacted, by the truth."""
    rows = pq.read_table(service / "data" / "profiles.parquet").to_pylist()
    return {row["customer"] for row in rows if row["do_not_contact"]}


def add(folder: Path, name: str, value: str, more: str = "") -> None:
    """Declare an attribute, and ingest it."""
    change(folder, lambda text: text + ATTRIBUTE.format(name=name, value=value) + more)
    assert kizuna(folder, "ingest") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("do_not_contact", "cast(do_not_contact as integer)"),
        ("do_not_contact", "cast(do_not_contact as double)"),
        ("do_not_contact", "case when do_not_contact then ' UNSUBSCRIBED' else 'subscribed' end"),
        ("optout", "case when do_not_contact then 'Ｙ' else 'N' end"),
        ("配信停止", "case when do_not_contact then '○' else '×' end"),
        ("連絡可否", "case when do_not_contact then '不可' else '可' end"),
    ],
)
def test_an_opt_out_in_any_type_spelling_and_usual_name_is_planned_for_nobody(
    own: Path, refused: set[str], capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    before = plan_of(capsys, own)
    assert len(refused & {who for who, row in before.items() if row["outcome"] == "planned"}) >= 5
    add(own, name, value)
    after = plan_of(capsys, own)
    for who, row in after.items():
        if who in refused:
            assert row["outcome"] in ("do_not_contact", "held_back")
        elif before[who]["outcome"] not in ("capacity",):
            assert row["outcome"] == before[who]["outcome"]


def test_an_unclear_word_is_said_with_its_count_and_means_no_contact(
    own: Path, refused: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(own, "do_not_contact", "case when do_not_contact then 'ask first' else '0' end")
    plan = answer(capsys, own, "plan", "--limit", "5000")
    assert plan["unclear_consent"] == [
        {"attribute": "do_not_contact", "word": "ask first", "customers": len(refused)}
    ]
    outcomes = {row["customer_id"]: row["outcome"] for row in plan["customers"]}
    assert Counter(outcomes[who] == "planned" for who in refused & set(outcomes)).keys() == {False}
    findings = answer(capsys, own, "doctor")["findings"]
    (finding,) = [one for one in findings if one["name"] == "unclear_consent"]
    assert finding["values"] == {"ask first": len(refused)}
    assert kizuna(own, "plan", "--limit", "1") == 0
    assert f"'ask first' for {len(refused)} customers" in " ".join(capsys.readouterr().out.split())
    assert kizuna(own, "plan", "--output", str(tmp_path / "plan.csv")) == 0
    assert "'ask first'" in capsys.readouterr().err


MAIL = """
[[consent]]
attribute = "メルマガ"
says = "may_contact"
channels = ["email"]
"""


def test_a_refusal_of_mail_stops_mail_and_not_the_telephone(
    own: Path, refused: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = plan_of(capsys, own)
    add(
        own,
        "メルマガ",
        "case when do_not_contact or customer like '%3' then '希望しない' else '希望する' end",
        MAIL,
    )
    after = plan_of(capsys, own)
    stopped = {who for who in after if who in refused or who.endswith("3")}
    mail = {who for who, row in before.items() if row["action_channel"] == "email"}
    assert mail & stopped
    assert not any(after[who]["action_channel"] in ("email", None) for who in stopped if after[who]["action"])
    assert {after[who]["action_channel"] for who in mail - stopped} == {"email"}
    by_phone = {who for who in stopped if before[who]["action_channel"] in ("phone", "app", "web")}
    assert by_phone
    for who in by_phone:
        assert (after[who]["rule"], after[who]["outcome"]) == (before[who]["rule"], "planned")
    next_rule = {who for who in mail & stopped if after[who]["outcome"] == "planned"}
    for who in next_rule:
        assert after[who]["rule"] != before[who]["rule"]


def test_without_a_value_may_contact_forbids_and_the_strictest_of_several_wins(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = '\n[[consent]]\nattribute = "{}"\nsays = "{}"\n'
    add(
        own,
        "agreed",
        "case when customer like '%1' then null else 'yes' end",
        entry.format("agreed", "may_contact"),
    )
    plan = plan_of(capsys, own)
    for who, row in plan.items():
        assert (row["outcome"] == "do_not_contact") <= who.endswith("1")
        assert row["outcome"] != "planned" or not who.endswith("1")
    add(own, "stop", "case when customer like '%2' then 1 end", entry.format("stop", "must_not_contact"))
    plan = plan_of(capsys, own)
    outcomes = {who: row["outcome"] for who, row in plan.items()}
    for last in "12":
        assert not any(outcome == "planned" for who, outcome in outcomes.items() if who.endswith(last))
    assert all(outcome != "do_not_contact" for who, outcome in outcomes.items() if who[-1] not in "12")
    assert "planned" in outcomes.values()


def test_yes_and_no_at_one_instant_is_a_contradiction_and_means_no_contact(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(
        own,
        lambda text: (
            text
            + """
[[attributes]]
name = "do_not_contact"
query = \"\"\"
select customer as customer_id, since as known_at,
       unnest(case when customer like '%4' then ['yes', 'no'] else ['no'] end) as value
from 'data/profiles.parquet'
\"\"\"
"""
        ),
    )
    assert kizuna(own, "ingest") == 0
    plan = answer(capsys, own, "plan", "--limit", "5000")
    assert plan["unclear_consent"] == [{"attribute": "do_not_contact", "word": None, "customers": 40}]
    for row in plan["customers"]:
        assert (row["outcome"] in ("do_not_contact", "held_back")) or not row["customer_id"].endswith("4")
    findings = answer(capsys, own, "doctor")["findings"]
    assert [one["customers"] for one in findings if one["name"] == "contradicting_consent"] == [40]


def test_what_names_an_attribute_or_a_channel_that_there_is_not_is_refused_with_those_there_are(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = (own / "kizuna.toml").read_text(encoding="utf-8")
    change(own, lambda text: text + '\n[[consent]]\nattribute = "optuot"\nsays = "must_not_contact"\n')
    assert refusal(capsys, own, "plan") == (
        "cannot plan: `consent[1].attribute` of kizuna.toml is 'optuot', which no customer has. "
        "The attributes are age_band, region, 生年月日. Write one of them, or ingest it with [[attributes]]."
    )
    entry = '\n[[consent]]\nattribute = "region"\nsays = "must_not_contact"\nchannels = ["emial"]\n'
    (own / "kizuna.toml").write_text(settings + entry, encoding="utf-8")
    assert "names 'emial', which there is not. The channels are app, chat" in refusal(capsys, own, "plan")
    (own / "kizuna.toml").write_text(settings, encoding="utf-8")
    assert kizuna(own, "playbook") == 0
    book = own / "playbook.toml"
    text = book.read_text(encoding="utf-8")
    book.write_text(text.replace('do_not_contact = "do_not_contact"', 'do_not_contact = "regoin"'), "utf-8")
    assert (
        "'regoin', which no customer has. The attributes are age_band, region, 生年月日. Write 'region'"
        in (refusal(capsys, own, "plan"))
    )
    club = """
[[loyalty]]
name = "club"
window_days = 365
members = { attribute = "card", value = "yes" }
levels = [{ name = "one", en = "one", ja = "一", purchases = 0, amount = 0 }]
"""
    book.write_text(text + club, "utf-8")
    assert "'card', which no customer has. The attributes are age_band" in refusal(capsys, own, "plan")
    assert not list((own / "state" / "plans").glob("*.arrow"))


def test_an_attribute_named_as_consent_is_no_feature_no_segment_and_not_shown(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(own, "mail_ok", "case when do_not_contact then 1 else 0 end")
    file = tmp_path / "features.parquet"
    assert kizuna(own, "features", "--as-of", "2025-01-01", "--output", str(file)) == 0
    assert "profile_mail_ok_last" in pq.read_schema(file).names
    assert kizuna(own, "playbook") == 0
    book = own / "playbook.toml"
    text = book.read_text(encoding="utf-8")
    book.write_text(text.replace('do_not_contact = "do_not_contact"', 'do_not_contact = "mail_ok"'), "utf-8")
    assert kizuna(own, "features", "--as-of", "2025-01-01", "--output", str(file)) == 0
    names = pq.read_schema(file).names
    assert not [name for name in names if "mail_ok" in name]
    assert "profile_region_last" in names
    report = answer(capsys, own, "report")
    cuts = {group["cut"] for measure in report["measures"] for group in measure["groups"]}
    assert "mail_ok" not in cuts
    assert "do_not_contact" in {row["outcome"] for row in plan_of(capsys, own).values()}


def test_before_a_plan_the_list_and_the_export_say_who_must_not_be_contacted(
    own: Path, refused: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(own, "do_not_contact", "cast(do_not_contact as integer)")
    listed = answer(capsys, own, "at-risk", "--limit", "5000")["customers"]
    assert {row["customer_id"] for row in listed if row["outcome"] == "do_not_contact"} == (
        refused & {row["customer_id"] for row in listed}
    )
    file = tmp_path / "list.csv"
    assert kizuna(own, "export", "hubspot", "--output", str(file)) == 0
    rows = csv_rows(file.read_text(encoding="utf-8"))
    assert {row["kizuna_customer_id"] for row in rows if row["kizuna_outcome"]} == (
        refused & {row["customer_id"] for row in listed}
    )


def test_a_birthday_under_another_name_and_in_any_spelling_is_found(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = [
        "'2000-01-05'",
        "19850105",
        "'1月5日'",
        "'S60.1.5'",
        "timestamp '1990-01-05 00:00:00'",
        "'01/05'",
    ]
    parts = " ".join(f"when {n} then {shape}::varchar" for n, shape in enumerate(shapes))
    number = "cast(right(customer, 4) as integer) % 7"
    value = f"timestamp '2024-12-31 12:00:00' as known_at, case {number} {parts} else 'soon' end as value"
    change(own, lambda text: text.replace("since as known_at, birthday as value", value))
    assert kizuna(own, "ingest") == 0
    rows = plan_of(capsys, own)
    for who, row in rows.items():
        assert row["hooks"]["birthday"] == (None if int(who[-4:]) % 7 == 6 else "2025-01-05"), who
