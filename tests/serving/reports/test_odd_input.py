"""What a report says of input that is odd: the answer is stated, not guessed."""

from __future__ import annotations

from pathlib import Path

from serving.reports.measure_view import lacks_start
from serving.reports.report import reply
from tests.serving.reports.small import estimate, figure, measure, report_data, store


def test_a_survey_answer_outside_its_scale_is_left_out_and_counted(tmp_path: Path) -> None:
    found = report_data(
        store(
            tmp_path,
            """
            ann 2024-08-01T09:00:00 visit
            ann 2024-10-01T09:00:00 nps 10
            bob 2024-10-02T09:00:00 nps 3
            cat 2024-10-03T09:00:00 nps 11
            dan 2024-10-04T09:00:00 nps 7.5
            eve 2024-10-05T09:00:00 nps -
            ann 2024-11-01T09:00:00 csat 5
            bob 2024-11-01T09:00:00 csat 0
            """,
        )
    )
    nps = measure(found, "nps")
    assert nps.figure.value == 0  # one promoter, one detractor
    assert nps.figure.units == 2
    assert {one.reason: one.count for one in nps.left_out} == {"off_scale": 2, "no_value": 1}
    assert [one.words for one in measure(found, "nps", "ja").left_out] == ["値のないもの", "尺度外の回答"]
    csat = measure(found, "csat")
    assert (csat.figure.value, csat.figure.units) == (1.0, 1)


def test_a_post_with_a_reach_of_0_or_none_has_no_rate_and_its_reactions_are_counted(tmp_path: Path) -> None:
    found = report_data(
        store(
            tmp_path,
            """
            ann 2024-08-01T09:00:00 visit
            ann 2024-10-01T09:00:00 like    100 social - post-1
            bob 2024-10-01T10:00:00 share   100 social - post-1
            ann 2024-10-02T09:00:00 like      0 social - post-2
            bob 2024-10-03T09:00:00 comment   - social - post-3
            cat 2024-10-03T09:00:00 comment  50 social
            """,
        )
    )
    rate = measure(found, "social_engagement_rate")
    assert rate.figure.value == 0.02
    assert rate.figure.units == 1
    assert {one.reason: one.count for one in rate.left_out} == {"zero_reach": 1, "no_reach": 2}


def test_an_inquiry_without_an_answer_is_an_inquiry_but_has_no_answer_time(tmp_path: Path) -> None:
    found = report_data(
        store(
            tmp_path,
            """
            ann 2024-08-01T09:00:00 visit
            ann 2024-10-01T09:00:00 ticket_opened 60 phone agent-1 billing
            bob 2024-10-02T09:00:00 ticket_opened  - email agent-1 login
            """,
        )
    )
    assert figure(found, "answer_minutes").value == 60
    assert [(one.reason, one.count) for one in measure(found, "answer_minutes").left_out] == [
        ("no_answer", 1)
    ]
    assert figure(found, "answered_rate").value == 0.5
    assert figure(found, "inquiries_per_100").value == 100


def test_a_contract_renewed_before_it_started_makes_a_customer_from_the_renewal_on(tmp_path: Path) -> None:
    events = store(
        tmp_path,
        """
        ann 2024-08-01T09:00:00 renewed 500
        ann 2024-11-01T09:00:00 started 500
        bob 2024-08-02T09:00:00 started 500
        bob 2024-10-20T09:00:00 cancelled 500
        cat 2024-08-01T09:00:00 visit
        """,
    )
    found = report_data(events, type="contract")
    assert figure(found, "retention_rate").value == 0.5
    assert figure(found, "retention_rate").customers == 2
    assert figure(found, "churned_value_rate").value == 0.5


def test_a_refund_takes_back_value_but_is_no_order_and_makes_nobody_active(tmp_path: Path) -> None:
    found = report_data(
        store(
            tmp_path,
            """
            ann 2024-09-20T09:00:00 purchase 900
            ann 2024-10-01T09:00:00 refund  -900
            bob 2024-10-02T09:00:00 purchase 500
            bob 2024-10-03T09:00:00 purchase 700
            """,
        )
    )
    assert figure(found, "active_customers").value == 1
    assert figure(found, "value_per_customer").value == 300
    assert figure(found, "order_value").value == 600
    assert figure(found, "repeat_rate").value == 1.0


def test_a_measure_without_its_inputs_says_which_events_it_needs(tmp_path: Path) -> None:
    found = report_data(store(tmp_path, "ann 2024-08-01T09:00:00 purchase\nann 2024-10-01T09:00:00 purchase"))
    assert measure(found, "nps").missing_input == (
        "there are no events of nps yet: the figure shows once a source gives them"
    )
    assert measure(found, "order_value").missing_input == (
        "the events of purchase have no value yet (the amount): the figure shows once a source gives it"
    )
    assert (
        measure(found, "categories_per_customer").missing_input
        == "the events of purchase have no detail yet (the category): the figure shows once a source gives it"
    )
    assert measure(found, "self_service_rate").missing_input == (
        "there are no events of ticket_opened, chat, call, complaint yet: the figure shows once a source "
        "gives them"
    )
    assert measure(found, "nps", "ja").missing_input == (
        "nps のイベントがまだありません。取り込むと表示されます"
    )
    assert measure(found, "order_value", "ja").missing_input == (
        "purchase に value（金額）がまだありません。取り込むと表示されます"
    )
    assert measure(found, "tier_share").missing_input == (
        "needs a champion model: run `kizuna train`, then `kizuna score`"
    )
    assert measure(found, "repeat_rate").missing_input is None


def test_a_reserved_attribute_and_one_with_a_value_for_everyone_are_no_segments(tmp_path: Path) -> None:
    rows = "\n".join(
        f"c{n:03} 2024-10-{n % 28 + 1:02}T09:00:00 {kind} - - - {detail}"
        for n in range(101)
        for kind, detail in (
            ("visit", "-"),
            ("attribute.birthday", "01-01" if n % 2 else "02-01"),
            ("attribute.card", f"card-{n}"),
            ("attribute.region", "east" if n % 2 else "west"),
        )
    )
    found = report_data(store(tmp_path, rows + "\nc000 2024-08-01T09:00:00 visit"))
    cuts = {cut for cut, _ in found.wholes.groups("active_customers")}
    assert cuts == {"all", "segment:region"}
    east = estimate(found, "active_customers", "segment:region", "east")
    assert east is not None
    assert east.customers == 50


def test_an_event_learned_of_after_the_report_is_not_in_it(tmp_path: Path) -> None:
    events = store(
        tmp_path,
        "ann 2024-08-01T09:00:00 visit\nann 2024-10-01T09:00:00 visit\nbob 2024-12-31T23:00:00 visit",
    )
    assert figure(report_data(events, as_of="2024-12-01"), "active_customers").value == 1


def test_a_purchase_of_a_negative_amount_makes_nobody_active(tmp_path: Path) -> None:
    found = report_data(
        store(
            tmp_path,
            """
            ann 2024-08-01T09:00:00 visit
            ann 2024-10-01T09:00:00 purchase 10
            bob 2024-10-02T09:00:00 purchase -10
            """,
        )
    )
    assert figure(found, "active_customers").value == 1


def test_retention_is_not_known_before_anybody_of_the_record_can_have_left(tmp_path: Path) -> None:
    table = "\n".join(
        f"{name} 2024-{month:02d}-10T09:00:00 purchase 10"
        for name in ("ann", "bob")
        for month in range(1, 13)
    )
    found = report_data(store(tmp_path, table), 12, active_days=60, horizon_days=30)
    for name in ("retention_rate", "churn_rate", "churned_value_rate"):
        months = {one.month: one.value for one in measure(found, name).by_month}
        # At the end of February nobody can have been silent for 60 days.
        assert months["2024-02"] is None
        assert months["2024-04"] is not None
    retention = measure(found, "retention_rate")
    assert (retention.figure.value, lacks_start(retention)) == (None, True)
    assert not lacks_start(measure(found, "active_customers"))
    assert reply(found, "en").tier_flow == []
