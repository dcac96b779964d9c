"""What a personal approach can take up, read off histories that a marketer can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from features.timeline import Timeline
from serving.actions import talking_points
from serving.actions.item_similarity import ItemSimilarity
from serving.actions.loyalty import loyalty
from serving.actions.plan_file import PlanOrigin, StoredPlan
from serving.actions.plan_text import sentences
from serving.actions.playbook import LoyaltyLevel, LoyaltyMembers, LoyaltyProgramme, read
from serving.reports.answer_times import AnswerTimes
from serving.reports.customer_metrics import attitude
from serving.reports.event_index import EventIndex
from serving.schemas.plan_responses import Hooks
from serving.schemas.terms import ANSWERED, ATTITUDES, NO_INQUIRY, NOT_KNOWN, OPEN, STALE
from tests.serving.reports.small import churn, facts

AS_OF = Timeline("UTC").instant("2025-01-01")


def column(found: dict[str, pa.Array], name: str) -> list[object]:
    return list(found[name].to_pylist())


def test_the_favourite_is_bought_most_and_the_stopped_one_not_for_90_days_by_who_still_buys() -> None:
    found = talking_points.favourite_and_stopped_category(
        facts("""
            customer  when        kind      value  detail
            ann       2024-03-01  purchase  10     tea
            ann       2024-04-01  purchase  10     tea
            ann       2024-05-01  purchase  10     tea
            ann       2024-12-01  purchase  10     rice
            ann       2024-12-02  purchase  10     rice
            bob       2024-03-01  purchase  10     tea
            bob       2024-04-01  purchase  10     tea
            cat       2024-12-01  purchase  10     wine
            cat       2024-12-02  refund    -10    wine
            dan       2023-12-01  purchase  10     wine
        """),
        AS_OF,
        ItemSimilarity(),
    )
    assert column(found, "favourite_category") == ["tea", "tea", "wine", None]
    assert column(found, "stopped_category") == ["tea", None, None, None]


def test_what_a_customer_has_stopped_buying_is_not_what_to_suggest_next() -> None:
    likeness = ItemSimilarity()
    found = talking_points.favourite_and_stopped_category(
        facts("""
            customer  when        kind      value  detail
            ann       2024-03-01  purchase  10     tea
            ann       2024-04-01  purchase  10     tea
            ann       2024-12-01  purchase  10     rice
            bob       2024-12-01  purchase  10     rice
            bob       2024-12-01  purchase  10     tea
            cat       2024-12-02  purchase  10     rice
            cat       2024-12-02  purchase  10     wine
        """),
        AS_OF,
        likeness,
    )
    assert column(found, "stopped_category") == ["tea", None, None]
    assert likeness.recommend().to_pylist() == ["wine", "wine", "tea"]


def test_a_favourite_that_most_customers_share_is_no_talking_point() -> None:
    names = pa.array(["food", "food", "food", "toys", None]).dictionary_encode()
    origin = PlanOrigin("", AS_OF, (), (), "UTC")
    plan = StoredPlan(pa.table({"favourite_category": names}), read(None, "shop").playbook, origin)
    assert plan.shared_favourite == "food"
    few = replace(plan, table=plan.table.slice(1))
    assert few.shared_favourite is None  # two of three are not more than two thirds
    hooks = Hooks("food", None, "tea", None, None, None, None, None, None, None, None, "2025-01-01")
    assert sentences(hooks, "en") == ["Next to suggest: tea", "Buys food most"]
    assert sentences(hooks, "en", shared_favourite="food") == ["Next to suggest: tea"]
    assert sentences(hooks, "ja", shared_favourite="toys")[-1] == "よく購入するカテゴリ：「food」"


def test_the_channel_and_the_local_hour_are_those_of_the_last_180_days() -> None:
    found = talking_points.preferred_channel_and_hour(
        facts("""
            customer  when              kind      channel
            ann       2024-12-01T20:10  visit     app
            ann       2024-12-02T21:10  visit     app
            ann       2024-12-03T20:40  purchase  web
            ann       2024-12-04T08:00  nps       -
            bob       2024-05-01T09:00  visit     web
            cat       2024-12-01T09:00  email_sent email
        """),
        AS_OF,
    )
    assert column(found, "preferred_channel") == ["app", None, None]
    assert column(found, "preferred_hour") == [20, None, None]


def test_anniversary_and_birthday_come_next_and_a_leap_day_may_be_the_1st_of_march() -> None:
    found = talking_points.tenure_and_anniversaries(
        facts("""
            customer  when        kind                detail
            ann       2022-01-15  started             -
            ann       2022-01-15  attribute.birthday  1990-02-29
            bob       2024-01-01  started             -
            bob       2024-01-01  attribute.birthday  12-31
            cat       2024-06-01  started             -
            cat       2024-06-01  attribute.birthday  unknown
            dan       2024-06-01  visit               -
            eve       2024-06-01  started             -
            eve       2024-06-01  attribute.birthday  02-29
        """),
        AS_OF,
        churn(type="contract"),
    )
    assert column(found, "anniversary_in_days") == [14, 0, 151, None, 151]
    assert column(found, "anniversary_years") == [3, 1, 1, None, 1]
    assert column(found, "birthday_in_days") == [None, 364, None, None, 59]  # 29 February 1990 never was
    assert column(found, "tenure_days")[1] == 366.0


def test_a_first_purchase_soon_after_the_record_began_has_no_anniversary() -> None:
    settings = churn(active_days=100)
    shown = facts("""
        customer  when        kind        value
        ann       2022-01-20  purchase    10
        bob       2022-04-29  purchase    10
        cat       2022-04-30  purchase    10
        dan       2021-01-01  email_sent  -
    """)
    table = pa.table(talking_points.tenure_and_anniversaries(shown, AS_OF, settings))
    found = talking_points.drop_left_censored_anniversaries(table, settings)
    assert column(found, "anniversary_years") == [None, None, 3, None]
    assert column(found, "anniversary_in_days") == [None, None, 119, None]
    assert column(found, "tenure_days") == column(table, "tenure_days")
    assert talking_points.drop_left_censored_anniversaries(table, churn(type="contract")) == table


def test_the_last_inquiry_says_whether_it_was_answered_and_the_last_survey_what_was_said() -> None:
    asked = facts("""
        customer  when        kind           value  detail
        ann       2024-10-01  ticket_opened  30     billing
        ann       2024-12-20  call           -      login
        ann       2024-12-21  nps            9      relationship
        ann       2024-12-22  csat           2      support
        bob       2024-10-01  chat           5      delivery
        bob       2024-10-01  call           5      delivery
        cat       2024-10-01  visit          -      -
        dan       2024-11-01  call           -      login
        eve       2024-12-20  complaint      -      noise
    """)
    times = AnswerTimes(("ticket_opened", "chat", "call", "complaint"))
    times.add(asked.history)
    found = talking_points.last_inquiry_and_survey(asked, AS_OF, times, 30)
    assert column(found, "inquiry") == [OPEN, ANSWERED, NO_INQUIRY, STALE, NOT_KNOWN]
    assert column(found, "last_inquiry_topic") == ["login", "delivery", None, "login", "noise"]
    assert column(found, "last_survey")[:3] == ["csat", None, None]
    assert column(found, "last_survey_score")[:3] == [2.0, None, None]
    assert column(found, "last_survey_about")[:3] == ["support", None, None]
    assert times.unknown == {"complaint": 1}


def test_a_customer_has_returned_who_started_again_after_an_end_or_after_a_long_silence() -> None:
    since = Timeline("UTC").instant("2024-11-01")
    contract = facts("""
        customer  when        kind
        ann       2024-01-01  started
        ann       2024-06-01  cancelled
        ann       2024-12-01  started
        bob       2024-01-01  started
        bob       2024-06-01  cancelled
        bob       2024-07-01  started
        cat       2024-12-01  started
        dan       2024-11-10  cancelled
    """)
    assert talking_points.has_returned(contract, churn(type="contract"), since).tolist() == [
        True,
        False,
        False,
        False,
    ]
    silence = facts("""
        customer  when        kind      value
        ann       2024-01-01  purchase  5
        ann       2024-12-01  purchase  5
        bob       2024-10-01  purchase  5
        bob       2024-12-01  purchase  5
        cat       2024-01-01  purchase  5
        cat       2024-06-01  purchase  5
    """)
    assert talking_points.has_returned(silence, churn(active_days=90), since).tolist() == [True, False, False]


def test_attitude_is_the_last_answer_within_a_year_on_the_scale() -> None:
    found = attitude(
        facts("""
            customer  when        kind  value
            ann       2024-10-01  nps   3
            ann       2024-11-01  nps   9
            bob       2024-11-01  nps   6
            cat       2024-11-01  nps   8
            dan       2023-11-01  nps   10
            eve       2024-11-01  nps   99
            eve       2024-10-01  nps   10
        """),
        AS_OF,
    )
    assert [ATTITUDES[n] for n in found.tolist()] == [
        "promoter",
        "detractor",
        "passive",
        "unknown",
        "promoter",
    ]


def used(pairs: list[tuple[int, str]], customers: int, recent: Callable[[int, str], bool]) -> list[object]:
    """What is recommended to each customer who used these things, gathered in two buckets."""
    likeness = ItemSimilarity()
    for first, last in ((0, customers // 2), (customers // 2, customers)):
        mine = [(who - first, what) for who, what in pairs if first <= who < last]
        names = tuple(dict.fromkeys(what for _, what in mine))
        likeness.add(
            np.array([who for who, _ in mine], dtype=np.int64),
            np.array([names.index(what) for _, what in mine], dtype=np.int64),
            names,
            np.array([recent(who + first, what) for who, what in mine], dtype=np.bool_),
            last - first,
        )
    return list(likeness.recommend().to_pylist())


def test_customers_are_shown_what_those_who_use_the_same_use_besides() -> None:
    pairs = [(who, what) for who in range(4) for what in ("search", "wishlist")]
    pairs += [(who, what) for who in range(4, 8) for what in ("recipes", "planner")]
    pairs += [(8, "search"), (9, "recipes")]
    found = used(pairs, 11, lambda *_: True)
    assert found[8] == "wishlist"
    assert found[9] == "planner"
    assert found[0] is None  # what they do not use is used by nobody like them
    assert found[10] is None


def test_what_was_used_long_ago_may_be_recommended_again() -> None:
    pairs = [(who, what) for who in range(6) for what in ("tea", "rice")]
    assert used(pairs, 6, lambda who, what: not (who == 2 and what == "tea"))[2] == "tea"


LEVELS = (
    LoyaltyLevel(name="silver", en="Silver", ja="シルバー", purchases=2, amount=100),
    LoyaltyLevel(name="gold", en="Gold", ja="ゴールド", purchases=4, amount=300),
)


def points(found: EventIndex, *programmes: LoyaltyProgramme) -> dict[str, pa.Array]:
    return loyalty(
        found, programmes or (LoyaltyProgramme(name="points", window_days=365, levels=LEVELS),), AS_OF
    )


def test_a_level_is_held_by_purchases_and_amount_until_the_oldest_one_needed_is_a_year_old() -> None:
    found = points(
        facts("""
            customer  when        kind      value
            ann       2024-02-01  purchase  80
            ann       2024-05-01  purchase  80
            ann       2024-08-01  purchase  80
            bob       2024-08-01  purchase  500
            cat       2023-08-01  purchase  500
            dan       2024-02-01  purchase  90
            dan       2024-05-01  purchase  90
            dan       2024-05-02  refund    -90
            eve       2024-02-01  purchase  100
            eve       2024-03-01  purchase  100
            eve       2024-04-01  purchase  100
            eve       2024-05-01  purchase  100
        """)
    )
    assert column(found, "loyalty_level") == [0, -1, -1, -1, 1]
    assert column(found, "loyalty_purchases") == [3, 1, 0, 2, 4]
    assert column(found, "loyalty_purchases_to_next") == [1, 1, 2, 0, None]
    assert column(found, "loyalty_amount_to_next") == [60.0, 0.0, 100.0, 10.0, None]
    until = [None if moment is None else str(moment)[:10] for moment in column(found, "loyalty_lasts_until")]
    assert until == ["2025-05-01", None, None, None, "2025-01-31"]


def test_a_customer_in_two_programmes_counts_in_the_one_joined_last_and_is_marked() -> None:
    def programme(name: str, window: int) -> LoyaltyProgramme:
        return LoyaltyProgramme(
            name=name,
            window_days=window,
            levels=LEVELS,
            members=LoyaltyMembers(attribute="programme", value=name),
        )

    found = points(
        facts("""
            customer  when        kind                 value  detail
            ann       2024-01-01  attribute.programme  -      miles
            ann       2024-06-01  attribute.programme  -      points
            ann       2024-02-01  purchase             150    -
            ann       2024-03-01  purchase             150    -
            bob       2024-01-01  attribute.programme  -      miles
            cat       2024-02-01  purchase             150    -
        """),
        programme("points", 365),
        programme("miles", 30),
    )
    assert column(found, "loyalty_programme") == [0, 1, None]
    assert column(found, "loyalty_level") == [0, -1, None]
    assert column(found, "loyalty_in_two") == [True, False, False]
