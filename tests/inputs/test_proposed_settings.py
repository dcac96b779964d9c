"""Settings and SQL that messages propose: each is executed, here or in the test that the table names."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from features.errors import ConfigurationError, shell_word
from serving.actions.playbook import parse
from serving.project.settings import read
from tests.inputs.small_project import HEAD, SmallProject
from tests.inputs.test_ids_that_look_alike import _members, _of_members
from tests.inputs.test_proposed_commands import QUOTED, messages
from tests.inputs.test_suspicious_rows import START, bought, found, ordinary, project, wrapped

ROOT = Path(__file__).parents[2]
WRITTEN = re.compile(
    r"select .*from \(|case when |cast\(|lpad\(|read_csv\(|(?:\w|…)[\w.\"' |-]* as |^\[\[|^\w+ = "
)
"""What looks like SQL or TOML among what messages quote."""

SETTINGS = {
    'date_order = "X"': ("source", 'date_order = "dmy"'),
    'decimal = "."': ("source", 'decimal = "."'),
    'decimal = ","': ("source", 'decimal = ","'),
    'per = "year"': ("source", 'per = "year"'),
    "closed = true": ("source", "closed = true"),
    '[[consent]]\nattribute = "X"\nsays = "may_contact"': (
        "project",
        '[[consent]]\nattribute = "club"\nsays = "may_contact"',
    ),
    "[[consent]]": ("project", '[[consent]]\nattribute = "club"\nsays = "must_not_contact"'),
    'query = "select …"': ("project", '[[sources]]\nname = "orders"\nquery = "select 1"'),
    'name = "orders"': ("project", '[[sources]]\nname = "orders"\nquery = "select 1"'),
    "[[sources]]": ("project", '[[sources]]\nname = "orders"\nquery = "select 1"'),
    "kinds = …": ("project", '[indicators.club]\nkinds = ["joined"]'),
    "X = …": ("project", "[churn]\nhorizon_days = 30"),
    'aggregate = "X"': (
        "project",
        '[[features.add]]\nname = "x"\naggregate = "count"\nstream = { indicator = "purchase" }',
    ),
    'operation = "X"': (
        "project",
        '[[features.add]]\nname = "x"\noperation = "ratio"\nfirst = "purchase_sum_90d"\n'
        'second = "purchase_count_90d"',
    ),
    'records = "postgresql://user@host/name"': (
        "project",
        'state = "s3://bucket/state"\nrecords = "postgresql://user@host/name"\n',
    ),
    "name = value": ("project", "[churn]\nhorizon_days = 30"),
}
"""Each setting that a message proposes, and how it is written: under a source, or on its own."""

ENCODINGS = "test_hints.py::test_a_hint_about_an_encoding_leads_to_the_right_text"
QUERIES = {
    "X = X": "test_proposed_settings.py::test_the_name_that_a_playbook_s_error_proposes_is_accepted",
    "[[rules]]": "test_proposed_settings.py::test_the_name_that_a_playbook_s_error_proposes_is_accepted",
    "service = true": "test_control_group.py",
    "'csat' as kind": "test_survey_scales.py",
    "X as X": "test_hints.py",
    "x as X": "test_proposed_settings.py::test_a_column_that_is_missing_is_named_as_the_error_says",
    "… as event_id": "test_proposed_settings.py::test_a_column_that_is_missing_is_named_as_the_error_says",
    "select * replace (cast(event_id as varchar) || '-' || kind as event_id) from (QUERY)": (
        "test_event_ids.py"
    ),
    "select * replace (cast(event_id as varchar) || if(NEGATIVE, '-REFUND', '') as event_id, "
    "if(NEGATIVE, 'REFUND', kind) as kind) from (QUERY)": "test_event_ids.py",
    "'X-' || id as event_id": (
        "test_proposed_settings.py"
        "::test_an_id_of_two_sources_is_kept_apart_with_the_prefix_that_the_reason_writes"
    ),
    "cast(X as double)": (
        "test_reader_guesses.py::test_a_bent_column_that_a_query_works_with_is_read_right_when_done_as_told"
    ),
    "read_csv('X', encoding = 'latin-1')": ENCODINGS,
    "read_csv('X')": ENCODINGS,
    "read_csv('X://X')": ENCODINGS,
    "read_csv('…', all_varchar = true)": (
        "test_proposed_settings.py::test_ids_whose_zeros_a_query_cut_come_back_as_doctor_says"
    ),
    "lpad(customer_id, X, '0')": (
        "test_proposed_settings.py::test_ids_whose_zeros_a_query_cut_come_back_as_doctor_says"
    ),
}
"""Each piece of SQL that a message proposes, and the test that does what it says."""


CAUSES = {"current_date as known_at", "hold_back = X"}
"""What a message names as the cause of a finding, not as what to write."""


def proposed() -> set[str]:
    quoted = {one for _, text in messages() for one in QUOTED.findall(text)} - CAUSES
    return {one for one in quoted if WRITTEN.search(one) and not one.startswith(("kizuna", "pip "))}


def test_each_piece_of_sql_and_each_setting_that_a_message_proposes_is_executed_somewhere() -> None:
    assert proposed() == SETTINGS.keys() | QUERIES.keys()
    for place in QUERIES.values():
        file, _, name = place.partition("::")
        assert f"def {name}" in (ROOT / "tests/inputs" / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(("place", "text"), SETTINGS.values())
def test_a_setting_that_a_message_proposes_is_accepted(tmp_path: Path, place: str, text: str) -> None:
    source = '[[sources]]\nname = "shop"\nquery = "select 1"\n'
    (tmp_path / "kizuna.toml").write_text(HEAD + (source if place == "source" else "") + text + "\n")
    assert read(tmp_path).settings.timezone == "UTC"


def written(sentence: object) -> list[str]:
    return QUOTED.findall(str(sentence))


def test_negative_purchases_become_refunds_as_doctor_says(tmp_path: Path) -> None:
    rows = [
        *ordinary(customers=25, days=60),
        bought("c001", 70, -120.0),
        bought("c002", 71, -80.0),
    ]
    broken = project(tmp_path, orders=rows)
    finding = found(broken)["negative_purchases"]
    assert (finding["kind"], finding["rows"]) == ("purchase", 2)
    query, again = written(finding["sentence"])
    healed = project(tmp_path, {"orders": wrapped(query, "orders")}, orders=rows)
    healed.run(*shlex.split(again.replace("SOURCE", "orders"))[1:])
    assert "negative_purchases" not in healed.findings()
    kinds = {one["name"]: one["events"] for one in healed.run("doctor")["data"]["kinds"]}
    assert (kinds["purchase"], kinds["refund"]) == (len(rows) - 2, 2)


@pytest.mark.parametrize("negative", ["-120円", "▲120", "(120)", "−120"])
def test_negative_amounts_in_texts_become_refunds_as_doctor_says(tmp_path: Path, negative: str) -> None:
    query = "select * from read_csv('data/orders.csv', all_varchar = true)"
    rows = [*ordinary(customers=25, days=40), {**bought("c001", 50), "value": negative}]
    finding = found(project(tmp_path, {"orders": query}, orders=rows))["negative_purchases"]
    wrap, again = written(finding["sentence"])
    healed = project(tmp_path, {"orders": wrap.replace(" … ", query)}, orders=rows)
    healed.run(*shlex.split(again.replace("SOURCE", "orders"))[1:])
    kinds = {one["name"]: one["events"] for one in healed.run("doctor")["data"]["kinds"]}
    assert (kinds["purchase"], kinds["refund"]) == (len(rows) - 1, 1)


def test_the_table_of_aliases_that_doctor_writes_is_accepted_as_it_stands(tmp_path: Path) -> None:
    rows = [
        dict(row, customer_id=f"new-{row['customer_id']}") if str(row["occurred_at"]) >= "2024-04-02" else row
        for row in ordinary(customers=60)
    ]
    made = project(tmp_path, orders=rows)
    (block,) = written(found(made)["changed_ids"]["sentence"])
    new = sorted({str(row["customer_id"]) for row in rows if "new-" in str(row["customer_id"])})
    made.write("data/ids.csv", "old_id,new_id", *(f"{name[4:]},{name}" for name in new))
    project(tmp_path, more=block, orders=rows)
    assert "changed_ids" not in found(made)
    assert made.run("doctor")["data"]["customers"] == 60


def test_ids_whose_zeros_a_query_cut_come_back_as_doctor_says(tmp_path: Path) -> None:
    names = _members()
    number = "cast(cast(customer_id as bigint) as varchar)"
    cut = f"select * replace ({number} as customer_id) from 'data/orders.csv'"
    made = project(tmp_path, {"orders": cut}, orders=_of_members(names))
    call, pad, again = written(found(made)["zeros_cut"]["sentence"])
    for query in (
        f"select * from {call.replace('…', 'data/orders.csv')}",
        f"select * replace ({pad} as customer_id) from ({cut})",
    ):
        project(tmp_path, {"orders": query}, orders=_of_members(names))
        made.run(*shlex.split(again.replace("SOURCE", "orders"))[1:])
        assert "zeros_cut" not in made.findings()
        code, answer = made.try_run("explain", names[0])
        assert "never ingested" not in answer, code


def test_a_column_that_is_missing_is_named_as_the_error_says(tmp_path: Path) -> None:
    made = SmallProject(tmp_path)
    made.write("orders.csv", "c,t,n", "a,2024-03-01,1", "b,2024-03-02,2")
    source = '[[sources]]\nname = "shop"\n{}query = """{} from \'orders.csv\'"""'
    query = "select c as customer_id, t, n, 'visit' as kind"
    made.write("kizuna.toml", HEAD, source.format("", query))
    (told,) = written(made.refused("ingest"))
    made.write(
        "kizuna.toml", HEAD, source.format("", query.replace("t,", told.replace("x as", "t as") + ","))
    )
    assert made.run("ingest")["sources"][0]["new"] == 2
    mark = 'watermark = "n"\n'
    made.write("kizuna.toml", HEAD, source.format(mark, query.replace("t,", "t as occurred_at,")))
    told = written(made.refused("ingest"))[-1]
    right = query.replace("t,", f"t as occurred_at, {told.replace('…', 'n')},")
    made.write("kizuna.toml", HEAD, source.format(mark, right))
    assert made.run("ingest")["sources"][0]["quarantined"] == 0


def test_an_id_of_two_sources_is_kept_apart_with_the_prefix_that_the_reason_writes(tmp_path: Path) -> None:
    made = SmallProject(tmp_path)
    made.write("orders.csv", "id,c,t", "1,a,2024-03-01", "2,b,2024-03-02")
    source = '[[sources]]\nname = "{}"\nshared_ids = true\nquery = """select {}, c as customer_id, '
    source += "t as occurred_at, '{}' as kind from 'orders.csv'\"\"\""
    web, shop = ("web", "visit"), ("o'neil's", "purchase")
    plain = [source.format(name, "id as event_id", kind) for name, kind in (web, shop)]
    made.write("kizuna.toml", HEAD, *plain)
    made.run("ingest")
    reasons = [one["reason"] for one in made.run("doctor")["data"]["refused"] if one["source"] == "o'neil's"]
    (prefixed,) = written(reasons[0])
    made.write("kizuna.toml", HEAD, plain[0], source.format(shop[0], prefixed, shop[1]))
    made.run("ingest", "--replace", "o'neil's")
    assert made.run("doctor")["data"]["events"] == 4


@pytest.mark.parametrize("name", ["my shop", "店舗 売上", "o'neil", "a;b", "$HOME", "店舗"])
def test_a_command_for_a_source_of_any_name_can_be_typed_as_it_is_written(tmp_path: Path, name: str) -> None:
    made = SmallProject(tmp_path)
    days = [(START + timedelta(days=day)).date() for day in range(40)]
    made.write("orders.csv", "id,c,t", *(f"{n},c{n},{day}" for n, day in enumerate(days)))
    query = (
        "select '{}' || id as event_id, c as customer_id, t as occurred_at, 'visit' as kind from 'orders.csv'"
    )
    source = f'[[sources]]\nname = "{name}"\nquery = """{query}"""'
    made.write("kizuna.toml", HEAD, source.format("old"))
    made.run("ingest")
    made.write("kizuna.toml", HEAD, source.format("new"))
    commands = [one for one in written(made.refused("ingest")) if one.startswith("kizuna")]
    assert [shlex.split(one) for one in commands] == [
        ["kizuna", "ingest", "--replace", name],
        ["kizuna", "ingest", "--keep", name],
    ]
    made.run(*shlex.split(commands[0])[1:])
    assert made.run("doctor")["data"]["events"] == 40


def test_a_plain_name_stays_as_it_is_in_a_command() -> None:
    assert [shell_word(name) for name in ("orders", "店舗", "a-b_1.2", "two words", "")] == [
        "orders", "店舗", "a-b_1.2", "'two words'", "''",
    ]  # fmt: skip


def test_the_name_that_a_playbook_s_error_proposes_is_accepted() -> None:
    text = (ROOT / "serving/actions/playbook.toml").read_text(encoding="utf-8")
    right = next(line for line in text.splitlines() if re.match(r'action = "', line))
    wrong = right.rstrip('"') + 'x"'
    with pytest.raises(ConfigurationError) as refused:
        parse(text.replace(right, wrong, 1), "playbook.toml")
    (proposal,) = re.findall(r"Write `(action = [^`]*)`", refused.value.message)
    assert proposal == right
    parse(text.replace(right, wrong, 1).replace(wrong, proposal), "playbook.toml")
