"""`kizuna init --from`: each export becomes the events that its sample means; overlaps add none."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.consent import ConsentRules
from serving.cli.main import main
from serving.project.recipes.catalogue import RECIPES
from serving.project.settings import read
from tests.inputs.exports import Event, events, events_with_recorded, lay_out

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def kizuna(capsys: pytest.CaptureFixture[str]) -> Run:
    """One call of the command: its exit code, its JSON, and what it said on standard error."""

    def run(*arguments: str | Path) -> tuple[int, Any, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["--json", *(str(argument) for argument in arguments)])
        said = capsys.readouterr()
        return int(end.value.code or 0), json.loads(said.out) if said.out else None, said.err

    return run


@dataclass(frozen=True)
class Sample:
    """An export, what it means by hand, and what the next one adds, corrects or leaves."""

    recipe: str
    first: tuple[Event, ...]
    then: tuple[Event, ...]
    """Events that the next export brings."""


SAMPLES = {
    "ga4": Sample(
        "ga4",
        # The session's earlier steps belong to who signs in later; the page of thanks was loaded twice;
        # dev.2 never signs in on the first day ("null" is no user), dev.3 is the shop's own staff.
        (
            ("u1", "2024-06-01 14:50:00", "session", None, None),
            ("u1", "2024-06-01 14:50:00", "visit", None, "/items"),
            ("u1", "2024-06-01 15:10:00", "login", None, None),
            ("u1", "2024-06-01 15:12:00", "purchase", 3980.0, None),
            ("u9", "2024-06-02 01:05:00", "visit", None, "/"),
        ),
        # The rewritten first day has a late event; the second day's sign-in names the visit before it.
        (
            ("u1", "2024-06-01 23:59:59", "visit", None, "/sale"),
            ("u2", "2024-06-02 01:00:00", "visit", None, "/"),
            ("u2", "2024-06-02 01:06:00", "login", None, None),
            ("u1", "2024-06-02 02:00:00", "refund", -980.0, None),
        ),
    ),
    "segment": Sample(
        "segment",
        # m3 came twice, m4 is the same order again, m5 a robot; the clock of m6 runs half an hour ahead.
        (
            ("u1", "2024-06-01 23:00:00", "visit", None, "Pricing"),
            ("u1", "2024-06-01 23:06:00", "purchase", 120.5, None),
            ("u2", "2024-06-01 23:30:00", "login", None, "Signed In"),
        ),
        # The cancellation tells of the same money as the refund; a device of two people names nobody.
        (
            ("u1", "2024-06-02 08:00:00", "refund", -20.5, None),
            ("u2", "2024-06-02 09:00:00", "email_sent", None, "Email Sent"),
            ("u2", "2024-06-02 09:10:00", "visit", None, "Home"),
            ("u2", "2024-06-02 09:11:00", "feature_used", None, "Report Exported"),
            ("u3", "2024-06-02 09:12:00", "feature_used", None, "Report Exported"),
        ),
    ),
    "rudderstack": Sample(
        "rudderstack",
        (
            ("u1", "2024-06-01 10:00:00", "session", None, None),
            ("u1", "2024-06-01 10:00:00", "visit", None, "Home"),
            ("u1", "2024-06-01 10:01:00", "purchase", 45.0, None),
            ("u1", "2024-06-01 10:05:00", "feature_used", None, "Plan Compared"),
        ),
        (
            ("u1", "2024-06-02 10:00:00", "refund", -45.0, None),
            ("u2", "2024-06-02 10:30:00", "session", None, None),
            ("u2", "2024-06-02 10:30:00", "visit", None, "Main"),
        ),
    ),
    "braze": Sample(
        "braze",
        # e1 came twice, e2 has no external id, e5 was opened by a machine, e7 clicked by a bot.
        (
            ("u1", "2024-06-01 10:00:00", "session", None, None),
            ("u1", "2024-06-01 10:05:00", "purchase", 12.5, "tea"),
            ("u1", "2024-06-01 10:06:00", "refund", -12.5, "tea"),
            ("u2", "2024-06-01 10:30:00", "email_sent", None, "June"),
            ("u2", "2024-06-01 11:30:00", "email_opened", None, "June"),
            ("u2", "2024-06-01 11:32:00", "email_clicked", None, "June"),
        ),
        (
            ("u1", "2024-06-02 10:00:00", "session", None, None),
            ("u2", "2024-06-02 10:10:00", "attribute.email_opt_out", None, "yes"),
        ),
    ),
    "klaviyo": Sample(
        "klaviyo",
        # 23:30 in Tokyo is 14:30 UTC; lines of orders, machine opens, bot clicks, tests and pings stay out.
        (
            ("P2", "2024-06-01 01:00:00", "email_sent", None, "June"),
            ("P2", "2024-06-01 02:00:00", "email_opened", None, "June"),
            ("P2", "2024-06-01 02:02:00", "email_clicked", None, "June"),
            ("P1", "2024-06-01 14:30:00", "purchase", 5400.0, None),
        ),
        # The order was cancelled and refunded: its money goes back once.
        (
            ("P1", "2024-06-02 01:05:00", "refund", -5400.0, None),
            ("P2", "2024-06-02 05:00:00", "visit", None, None),
            ("P2", "2024-06-02 06:00:00", "attribute.email_opt_out", None, "yes"),
        ),
    ),
    "shopify_csv": Sample(
        "shopify",
        # Two lines are one order; the Bogus Gateway is a test; #1004 was cancelled before it was paid; #1005
        # has no customer.
        (
            ("ann@example.com", "2024-06-01 00:50:26", "attribute.email_opt_in", None, "yes"),
            ("ann@example.com", "2024-06-01 00:50:26", "purchase", 5391.0, None),
            ("ben@example.com", "2024-06-01 01:00:00", "attribute.email_opt_in", None, "no"),
            ("cem@example.com", "2024-06-01 03:00:00", "attribute.email_opt_in", None, "no"),
            ("ben@example.com", "2024-06-01 01:00:00", "purchase", 2000.0, None),
            ("ben@example.com", "2024-06-01 01:00:00", "refund", -500.0, None),
            ("cem@example.com", "2024-06-01 03:00:00", "purchase", 900.0, None),
            ("cem@example.com", "2024-06-01 04:00:00", "refund", -900.0, None),
        ),
        (
            ("ann@example.com", "2024-06-02 23:00:00", "attribute.email_opt_in", None, "yes"),
            ("ann@example.com", "2024-06-02 23:00:00", "purchase", 700.0, None),
            ("ann@example.com", "2024-06-03 09:00:00", "refund", -5391.0, None),
        ),
    ),
    "shopify_bulk": Sample(
        "shopify",
        (
            ("301", "2024-06-01 00:50:26", "purchase", 5391.0, "煎茶"),
            ("302", "2024-05-01 00:00:00", "attribute.email_opt_in", None, "no"),
            ("302", "2024-06-01 15:30:00", "purchase", 2000.0, None),
            ("305", "2024-06-01 18:00:00", "purchase", 1200.0, None),
            ("305", "2024-06-01 19:00:00", "refund", -1200.0, None),
        ),
        (
            ("301", "2024-06-03 02:00:00", "refund", -391.0, "煎茶"),
            ("302", "2024-06-03 00:00:00", "purchase", 3300.0, None),
        ),
    ),
    "stripe": Sample(
        "stripe",
        # sub_3 ended in its trial, sub_5 was never paid, sub_6 is a test, sub_7 is still on trial. Two seats
        # at 120 a year are 20 a month; yen have no hundredths. cus_2 decided on 20 March, not on 2 April.
        (
            ("cus_1", "2024-01-10 09:00:00", "started", 10.0, "basic"),
            ("cus_1", "2024-01-10 10:00:00", "purchase", 10.0, "subscription_cycle"),
            ("cus_2", "2024-01-15 09:00:00", "started", 20.0, "yearly"),
            ("cus_2", "2024-01-15 10:00:00", "purchase", 240.0, "subscription_cycle"),
            ("cus_2", "2024-01-15 10:00:00", "refund", -40.0, "subscription_cycle"),
            ("cus_3", "2024-02-01 00:00:00", "trial_started", None, "basic"),
            ("cus_4", "2024-02-01 00:00:00", "trial_started", None, "jp"),
            ("cus_1", "2024-02-10 10:00:00", "payment_failed", None, "subscription_cycle"),
            ("cus_4", "2024-02-15 00:00:00", "started", 980.0, "jp"),
            ("cus_4", "2024-02-15 01:00:00", "purchase", 980.0, "subscription_cycle"),
            ("cus_2", "2024-03-20 12:00:00", "cancel_requested", None, None),
            ("cus_1", "2024-03-25 12:00:00", "cancel_requested", None, None),
            ("cus_1", "2024-03-26 12:00:00", "cancel_withdrawn", None, None),
            ("cus_2", "2024-04-15 09:00:00", "cancelled", 20.0, "yearly"),
            ("cus_7", "2024-04-20 00:00:00", "trial_started", None, "basic"),
        ),
        (
            ("cus_1", "2024-04-25 12:00:00", "cancel_requested", None, None),
            ("cus_1", "2024-05-10 09:00:00", "cancelled", 10.0, "basic"),
        ),
    ),
    "salesforce": Sample(
        "salesforce",
        # Ids of 15 letters and of 18 are one account; days of opportunities are in the project's zone.
        (
            ("0015g00000XyZaBAAV", "2024-05-20 00:00:00", "opportunity_lost", None, "New"),
            ("0015g00000XyZaBAAV", "2024-05-31 00:00:00", "purchase", 120000.5, "Existing"),
            ("0015g00000XyZaBAAV", "2024-05-31 15:30:00", "ticket_opened", None, "Billing"),
            ("0035g00000CcCcCAAV", "2024-06-01 01:00:00", "ticket_opened", None, "Problem"),
        ),
        (("0015g00000XyZaBAAV", "2024-06-02 00:00:00", "purchase", 850.0, "New"),),
    ),
    "ec-cube": Sample(
        "ec-cube",
        # Moments are in UTC; a guest's address is one customer; 7 and 8 are no orders yet, 3 was taken back.
        (
            ("12", "2024-06-01 15:30:00", "purchase", 7700.0, None),
            ("guest:hanako@example.jp", "2024-06-01 16:00:00", "purchase", 3300.0, None),
            ("12", "2024-06-01 17:00:00", "purchase", 1100.0, None),
            ("12", "2024-06-02 03:00:00", "refund", -1100.0, None),
        ),
        (
            ("13", "2024-06-01 19:00:00", "purchase", 550.0, None),
            ("12", "2024-06-04 02:00:00", "refund", -7700.0, None),
            ("guest:hanako@example.jp", "2024-06-04 01:00:00", "purchase", 220.0, None),
        ),
    ),
    "futureshop": Sample(
        "futureshop",
        # CP932 with ① and 髙; two lines are one order; half past midnight in Tokyo is the day before in UTC.
        (
            ("000123", "2024-05-31 15:30:00", "purchase", 7920.0, "煎茶①"),
            ("yama@example.jp", "2024-06-01 01:00:00", "purchase", 3300.0, "煎茶①"),
            ("yama@example.jp", "2024-06-02 00:00:00", "refund", -3300.0, "煎茶①"),
        ),
        (("000123", "2024-06-03 14:59:00", "purchase", 1200.0, "湯呑"),),
    ),
}


def by_moment(found: tuple[Event, ...] | list[Event]) -> list[Event]:
    return sorted(found, key=lambda event: (event[1], event[0], event[2], str(event[4])))


def test_every_recipe_has_a_sample():
    assert {sample.recipe for sample in SAMPLES.values()} == set(RECIPES)


@pytest.mark.parametrize("name", SAMPLES)
def test_an_export_becomes_its_events_and_reading_an_overlap_adds_none(name, tmp_path, kizuna):
    sample, project = SAMPLES[name], tmp_path / "project"
    lay_out(name, "first", project / "export")
    code, _, err = kizuna("init", "--from", sample.recipe, project / "export", project)
    assert (code, err) == (0, "")
    code, receipt, err = kizuna("-C", project, "ingest")
    assert code == 0, err
    assert events(project) == by_moment(sample.first)
    assert {source["quarantined"] for source in receipt["sources"]} == {0}
    lay_out(name, "next", project / "export")
    receipts = kizuna("-C", project, "ingest")[1]["sources"]
    assert sum(source["new"] for source in receipts) == len(sample.then)
    assert sum(source["corrected"] + source["quarantined"] for source in receipts) == 0
    assert events(project) == by_moment([*sample.first, *sample.then])


def test_what_is_known_later_is_recorded_later(tmp_path, kizuna):
    for name, recorded in (
        # Who the visitor was came with the sign-in of the session; Segment's came with its identify call.
        ("ga4", {"2024-06-01 14:50:00": "2024-06-01 15:10:00", "2024-06-01 15:12:00": None}),
        (
            "segment",
            {"2024-06-01 23:00:00": "2024-06-01 23:05:02", "2024-06-01 23:06:00": "2024-06-01 23:06:01"},
        ),
    ):
        project = tmp_path / name
        lay_out(name, "first", project / "export")
        kizuna("init", "--from", name, project / "export", project)
        kizuna("-C", project, "ingest")
        found = {event[1]: event[5] for event in events_with_recorded(project)}
        assert {moment: found[moment] for moment in recorded} == recorded


@pytest.mark.parametrize("element", [None, "element", "item"])
def test_parquet_of_ga4_says_the_same_as_json_lines(element, tmp_path, kizuna):
    """BigQuery writes a repeated field as a plain list, or as a list of structs with one field."""
    lay_out("ga4", "first", tmp_path / "json")
    for file in (tmp_path / "json").iterdir():
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            row["event_timestamp"] = int(row["event_timestamp"])
            row.setdefault("user_id", None)
            row["ecommerce"] = {"transaction_id": None, "purchase_revenue": None, **row.get("ecommerce", {})}
            given = [{"key": one["key"], "value": typed(one["value"])} for one in row["event_params"]]
            row["event_params"] = given if element is None else {"list": [{element: one} for one in given]}
        (tmp_path / "project/export").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"project/export/{file.stem}.parquet")
    assert kizuna("init", "--from", "ga4", tmp_path / "project/export", tmp_path / "project")[0] == 0
    assert kizuna("-C", tmp_path / "project", "ingest")[0] == 0
    assert events(tmp_path / "project") == by_moment(SAMPLES["ga4"].first)


def typed(value: dict[str, Any]) -> dict[str, Any]:
    """A parameter's value as BigQuery types it."""
    number = value.get("int_value")
    return {
        "string_value": value.get("string_value"),
        "int_value": None if number is None else int(number),
        "double_value": value.get("double_value"),
    }


def test_the_recipes_are_listed(kizuna):
    code, listed, _ = kizuna("init", "--from")
    assert (code, [recipe["name"] for recipe in listed["recipes"]]) == (0, list(RECIPES))
    assert listed["recipes"][3]["files"] == "braze: *.avro"


def test_an_unknown_recipe_and_a_missing_path_are_refused_with_what_to_write(tmp_path, kizuna):
    code, _, err = kizuna("init", "--from", "shopfy", tmp_path, tmp_path / "new")
    assert code == 2
    assert "there is no recipe of that name. Did you mean 'shopify'? There are ga4, segment," in err
    code, _, err = kizuna("init", "--from", "stripe", tmp_path / "nowhere", tmp_path / "new")
    assert code == 3
    assert "there is no file or folder" in err
    assert "Name the one that holds the export: subscriptions: *subscription*.json*" in err
    code, _, err = kizuna("init", "--from", "stripe")
    assert code == 2
    assert "name the file or folder that holds its export" in err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_no_such_export_is_refused_with_what_was_looked_for_and_found(tmp_path, kizuna):
    export = tmp_path / "export"
    lay_out("shopify_csv", "first", export)
    (export / "notes.txt").write_text("hello")
    code, _, err = kizuna("init", "--from", "braze", export, tmp_path / "new")
    assert code == 3
    assert "does not look like its export. Looked for braze: *.avro. Found 1 .txt, 1 .csv" in err
    code, _, err = kizuna("init", "--from", "ec-cube", export, tmp_path / "new")
    assert "Looked for orders: *dtb_order*.csv. Found 1 .txt, 1 .csv" in err
    (export / "dtb_order.csv").write_text("id,customer\n1,2\n")
    code, _, err = kizuna("init", "--from", "ec-cube", export, tmp_path / "new")
    assert code == 3
    assert "dtb_order.csv cannot be read so: " in err
    assert 'its tables have no column "order_status_id"; the nearest are "id", "customer"' in err
    (tmp_path / "empty").mkdir()
    code, _, err = kizuna("init", "--from", "ga4", tmp_path / "empty", tmp_path / "new")
    assert "Found no files." in err
    assert not (tmp_path / "new").exists()


def test_an_export_in_two_forms_is_refused_as_it_would_count_twice(tmp_path, kizuna):
    lay_out("shopify_csv", "first", tmp_path / "export")
    lay_out("shopify_bulk", "first", tmp_path / "export")
    code, _, err = kizuna("init", "--from", "shopify", tmp_path / "export", tmp_path / "new")
    assert code == 3
    assert "holds orders in 2 forms, orders_export_1.csv (1) and bulk-1.jsonl (1)" in err


def test_a_file_that_is_there_stays_and_paths_start_at_the_project_where_they_can(tmp_path, kizuna):
    project = tmp_path / "it's a shop"
    lay_out("shopify_csv", "first", project / "data")
    lay_out("shopify_csv", "first", tmp_path / "else where's [2024]")
    assert kizuna("init", "--from", "shopify", project / "data/orders_export_1.csv", project)[0] == 0
    [source] = read(project).settings.sources
    assert "read_csv(['data/orders_export_1.csv']," in source.query
    code, _, err = kizuna("init", "--from", "shopify", project / "data", project)
    assert code == 3
    assert "kizuna.toml: it is there already" in err
    assert kizuna("init", "--from", "shopify", tmp_path / "else where's [2024]", tmp_path / "other")[0] == 0
    assert kizuna("-C", tmp_path / "other", "ingest")[0] == 0
    assert events(tmp_path / "other") == by_moment(SAMPLES["shopify_csv"].first)


@pytest.mark.parametrize(
    ("encoding", "scheme"), [("cp932", "cp932://"), ("utf-16", "utf_16://"), ("utf-8-sig", "")]
)
def test_the_encoding_of_an_export_is_found_out(encoding, scheme, tmp_path, kizuna):
    lay_out("shopify_csv", "first", tmp_path / "export")
    file = tmp_path / "export/orders_export_1.csv"
    file.write_bytes(file.read_text().replace("Ginza", "銀座").encode(encoding))
    assert kizuna("init", "--from", "shopify", tmp_path / "export", tmp_path)[0] == 0
    [source] = read(tmp_path).settings.sources
    assert f"read_csv(['{scheme}export/**/*.csv']" in source.query
    assert kizuna("-C", tmp_path, "ingest")[0] == 0
    assert events(tmp_path) == by_moment(SAMPLES["shopify_csv"].first)


def test_who_runs_a_contract_of_stripe_can_leave_and_who_is_on_trial_or_gone_cannot(tmp_path, kizuna):
    lay_out("stripe", "first", tmp_path / "export")
    kizuna("init", "--from", "stripe", tmp_path / "export", tmp_path)
    kizuna("-C", tmp_path, "ingest")
    for day, cohort in (("2024-03-22", ["cus_1", "cus_2", "cus_4"]), ("2024-05-01", ["cus_1", "cus_4"])):
        output = tmp_path / f"{day}.parquet"
        code, _, err = kizuna("-C", tmp_path, "features", "--as-of", day, "--output", output)
        assert code == 0, err
        assert sorted(pq.read_table(output).column("customer_id").to_pylist()) == cohort


def test_opt_outs_of_a_recipe_stop_e_mail_and_nothing_else(tmp_path, kizuna):
    lay_out("klaviyo", "first", tmp_path / "export")
    lay_out("klaviyo", "next", tmp_path / "export")
    kizuna("init", "--from", "klaviyo", tmp_path / "export", tmp_path)
    kizuna("-C", tmp_path, "ingest")
    said = [event for event in events(tmp_path) if event[2].startswith("attribute.")]
    assert said == [("P2", "2024-06-02 06:00:00", "attribute.email_opt_out", None, "yes")]
    entries = {
        entry.attribute: entry for entry in ConsentRules().for_attributes(["email_opt_out", "email_opt_in"])
    }
    assert (entries["email_opt_out"].says, entries["email_opt_out"].channels) == (
        "must_not_contact",
        ("email",),
    )
    assert (entries["email_opt_in"].says, entries["email_opt_in"].channels) == ("may_contact", ("email",))


@pytest.mark.parametrize(
    ("metric", "says"), [("Subscribed to List", "yes"), ("Subscribed to Email Marketing", "no")]
)
def test_a_subscription_to_another_list_lifts_no_opt_out(tmp_path, kizuna, metric, says):
    def event(at, name):
        profile = {"data": {"type": "profile", "id": "P9"}}
        return {
            "type": "event",
            "id": f"s{at}",
            "attributes": {"datetime": f"2024-06-0{at}T00:00:00Z", "event_properties": {"List": "SMS"}},
            "relationships": {"profile": profile, "metric": {"data": {"type": "metric", "id": name}}},
        }

    names = ("Unsubscribed", metric)
    included = [{"type": "metric", "id": name, "attributes": {"name": name}} for name in names]
    page = {"data": [event(place, name) for place, name in enumerate(names, 1)], "included": included}
    (tmp_path / "export").mkdir()
    (tmp_path / "export/page.json").write_text(json.dumps(page))
    kizuna("init", "--from", "klaviyo", tmp_path / "export", tmp_path)
    kizuna("-C", tmp_path, "ingest")
    assert events(tmp_path)[-1][2:] == ("attribute.email_opt_out", None, says)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_comments_of_a_recipe_are_in_the_language_of_the_project_and_its_queries_are_the_same(
    name, tmp_path, kizuna
):
    lay_out(name, "first", tmp_path / "export")
    texts = {}
    for language in ("en", "ja"):
        folder = tmp_path / language
        arguments = ("init", "--from", SAMPLES[name].recipe, "--language", language)
        assert kizuna(*arguments, tmp_path / "export", folder)[0] == 0
        assert read(folder).settings.sources
        texts[language] = (folder / "kizuna.toml").read_text(encoding="utf-8")
    japanese = [comment[1] for comment in re.finditer(r"(?:^ *--|^#|  #) (.*)", texts["ja"], re.MULTILINE)]
    fields = ("http", "customer {", "refunds {", "lineItems {")  # what to ask the GraphQL API for
    told = [line for line in japanese if not line.strip().startswith(fields)]
    assert len(told) > 8
    assert [line for line in told if re.search(r"[ぁ-んァ-ヶ一-龠]", line) is None] == []
    sources = [tomllib.loads(text)["sources"] for text in texts.values()]
    for source in (*sources[0], *sources[1]):
        source["query"] = re.sub(r"^ *-- .*\n", "", source["query"], flags=re.MULTILINE)
    assert sources[0] == sources[1]
