"""How an attribute is read: one reading of flags, opt-outs, birthdays and values for everything that asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from features.event_store import EventStore
from features.events.attributes import (
    MOST_SEGMENT_VALUES,
    PERMISSION_NAMES,
    RESERVED_ATTRIBUTES,
    had_several_values,
    is_reserved,
    last_values,
    read_flag,
    read_month_day,
    same_value,
)
from features.events.consent import (
    MAY,
    MUST_NOT,
    NOTHING_SAID,
    ConsentEntry,
    ConsentRules,
    Says,
    channel_name,
    consent_verdicts,
    forbids_contact,
)
from features.profiling.checks import run_checks
from features.profiling.profile import profile_events
from features.timeline import Timeline
from serving.actions.loyalty import loyalty
from serving.actions.playbook import LoyaltyLevel, LoyaltyMembers, LoyaltyProgramme
from serving.scoring.segments import SegmentAttributes
from tests.serving.reports.small import facts
from tests.worlds import history, world

UTC = Timeline("UTC")
AS_OF = UTC.instant("2025-01-01")
YES = (
    "yes",
    "true",
    "1",
    "1.0",
    "y",
    "t",
    "on",
    "○",
    "はい",
    " YES ",
    "ＹＥＳ",
    "１",
    "True",
    "Y",
    "✓",
    "あり",
    "する",
    "要",
)
NO = ("no", "false", "0", "0.0", "n", "f", "off", "×", "いいえ", "ＮＯ", "０", " Off", "なし", "無", "しない")
UNCLEAR = ("maybe", "2", "-1", "?", "yes please", "未定", "nan", "x")


@pytest.mark.parametrize(
    ("texts", "flag"), [(YES, True), (NO, False), (UNCLEAR, None)], ids=["yes", "no", "unclear"]
)
def test_yes_and_no_are_read_in_every_spelling(texts: tuple[str, ...], flag: bool | None) -> None:
    assert {text: read_flag(text) for text in texts} == dict.fromkeys(texts, flag)


@pytest.mark.parametrize(
    ("texts", "out"),
    [
        (
            (
                *YES,
                "不可",
                "配信停止",
                "希望しない",
                "拒否",
                "unsubscribed",
                "UNSUBSCRIBED",
                "Opted-Out",
                "否",
                "希望なし",
                "送付しない",
                "未承諾",
                "NEVER_SUBSCRIBED",
            ),
            True,
        ),
        (
            (*NO, "可", "許可", "希望する", "subscribed", "opted_in", "OK", "希望あり", "承諾する", "購読中"),
            False,
        ),
        (UNCLEAR, None),
    ],
    ids=["must not", "may", "unclear"],
)
def test_words_that_say_whether_to_contact_keep_their_meaning(
    texts: tuple[str, ...], out: bool | None
) -> None:
    assert {text: forbids_contact(text) for text in texts} == dict.fromkeys(texts, out)


@pytest.mark.parametrize(
    ("name", "text", "out"),
    [
        ("配信停止希望", "希望する", True),
        ("ＤＭ拒否のご希望", "希望", True),
        ("配信停止希望", "希望しない", False),
        ("配信停止希望", "可", False),
        ("配信希望", "希望する", False),
        ("配信停止", "希望しない", True),
    ],
)
def test_a_wish_to_be_left_alone_is_no_permission(name: str, text: str, out: bool) -> None:
    assert forbids_contact(text, name=name) is out


@pytest.mark.parametrize(
    ("spelling", "channel"),
    [
        ("メルマガ", "email"),
        ("E-Mail", "email"),
        ("ダイレクトメール", "post"),
        ("プッシュ通知", "app"),
        ("ＤＭ", "post"),
    ],
)
def test_a_channel_is_the_same_in_every_spelling(spelling: str, channel: str) -> None:
    assert channel_name(spelling) == channel


@pytest.mark.parametrize(
    ("name", "says", "channels"),
    [
        ("メルマガ配信停止", "must_not_contact", ("email",)),
        ("HasOptedOutOfEmail", "must_not_contact", ("email",)),
        ("配信停止希望", "must_not_contact", ()),
        ("accepts marketing", "may_contact", ()),
        ("メルマガ購読", "may_contact", ("email",)),
    ],
)
def test_usual_names_of_consent_are_known(name: str, says: str, channels: tuple[str, ...]) -> None:
    [entry] = ConsentRules().for_attributes([name])
    assert (entry.says, entry.channels) == (says, channels)


def test_a_value_of_blanks_is_none() -> None:
    rows = world("""
        customer  when        kind                      detail
        ann       2024-10-01  attribute.do_not_contact  BLANK
        bob       2024-10-01  attribute.do_not_contact  BLANK
        cat       2024-10-01  attribute.do_not_contact  yes
    """)
    events = history([replace(row, detail="　 ") if row.detail == "BLANK" else row for row in rows])
    found = consent_verdicts(events, "do_not_contact", "must_not_contact")
    assert (found.verdict.tolist(), found.unclear) == ([NOTHING_SAID, NOTHING_SAID, MUST_NOT], {})


@pytest.mark.parametrize(
    "text",
    ["1990-04-01", "1990/4/1", "4/1", "04-01", "19900401", "0401", "401", "1990年4月1日", "４月１日",
     "1990.4.1", "1990-04-01 00:00:00", "1990年 4月 1日", "昭和65年4月1日", "S55.4.1", "平成元年4月1日",
     "19900401000000", "1990-04-01T09:00:00+09:00", "--04-01"],
)  # fmt: skip
def test_a_birthday_is_read_in_every_way_that_people_write_it(text: str) -> None:
    assert read_month_day(text) == "04-01"


@pytest.mark.parametrize("text", ["unknown", "1990-02-29", "13/1", "4.1", "1990", "", "19901301"])
def test_what_is_no_birthday_is_none(text: str) -> None:
    assert read_month_day(text) is None


def test_the_last_value_is_text_whether_it_came_as_a_word_or_a_number() -> None:
    events = history(
        world("""
            customer  when        kind             value      detail
            ann       2024-10-01  attribute.rank   -          gold
            ann       2024-10-02  attribute.rank   1          -
            bob       2024-10-01  attribute.rank   -          1
            cat       2024-10-01  attribute.rank   19900401   -
            dan       2024-10-01  attribute.rank   2          -
            dan       2024-10-02  attribute.rank   -          -
            eve       2024-10-02  visit            7          -
        """)
    )
    assert last_values(events, "rank").by_customer == ["1", "1", "19900401", None, None]
    assert last_values(events, "rank", skip_empty=True).by_customer == ["1", "1", "19900401", "2", None]
    assert had_several_values(events, "rank").tolist() == [True, False, False, True, False]
    assert last_values(events, "other").by_customer == [None] * 5


def test_an_opt_out_written_as_a_number_and_an_unclear_one_both_mean_no_contact() -> None:
    found = consent_verdicts(
        history(
            world("""
            customer  when        kind                      value  detail
            ann       2024-10-01  attribute.do_not_contact  1      -
            bob       2024-10-01  attribute.do_not_contact  0      -
            cat       2024-10-01  attribute.do_not_contact  -      perhaps
            dan       2024-10-01  attribute.do_not_contact  -      可
            eve       2024-10-01  visit                     -      -
            fay       2024-10-01  attribute.do_not_contact  -      yes
            fay       2024-10-02  attribute.do_not_contact  -      -
        """)
        ),
        "do_not_contact",
        "must_not_contact",
    )
    assert found.verdict.tolist() == [MUST_NOT, MAY, MUST_NOT, MAY, NOTHING_SAID, MUST_NOT]
    assert found.unclear == {"perhaps": 1}


def test_members_of_a_loyalty_programme_are_found_however_the_value_is_written() -> None:
    index = facts("""
        customer  when        kind              value  detail
        ann       2024-10-01  attribute.member  1      -
        bob       2024-10-01  attribute.member  -      Yes
        cat       2024-10-01  attribute.member  0      -
    """)
    programme = LoyaltyProgramme(
        name="club",
        window_days=365,
        levels=(LoyaltyLevel(name="one", en="one", ja="一", purchases=0, amount=0),),
        members=LoyaltyMembers(attribute="member", value="yes"),
    )
    assert loyalty(index, [programme], AS_OF)["loyalty_programme"].to_pylist() == [0, 0, None]
    assert same_value("Ｇold ", "gold")
    assert not same_value("gold", "silver")


@pytest.mark.parametrize("name", [name for names in RESERVED_ATTRIBUTES.values() for name in names])
def test_a_reserved_attribute_is_no_feature_and_no_segment(name: str) -> None:
    events = history(
        world(f"""
            customer  when        kind             detail
            ann       2024-10-01  attribute.{name}  a
            ann       2024-10-01  attribute.plan   b
        """)
    )
    features = catalog(indicators({}), FeatureSettings(), events.kind_names)
    assert features.columns == ("profile_plan_last", "profile_plan_last_detail")
    assert list(SegmentAttributes().of(events, AS_OF)) == ["plan"]


def test_reserved_names_are_recognised_in_other_spellings() -> None:
    assert all(map(is_reserved, ("E-Mail", "Date of Birth", "ＥＭＡＩＬ", "First-Name")))
    assert not any(map(is_reserved, ("plan", "region", "plan_name", "email_domain")))


def test_an_attribute_with_too_many_values_makes_no_segment_of_the_list() -> None:
    rows = "\n".join(
        f"c{n:03} 2024-10-01 attribute.card {n}\nc{n:03} 2024-10-01 attribute.shop {n % MOST_SEGMENT_VALUES}"
        for n in range(MOST_SEGMENT_VALUES + 1)
    )
    events, segments = history(world("customer when kind detail\n" + rows)), SegmentAttributes()
    assert set(segments.of(events, AS_OF)) == {"card", "shop"}
    assert {name: len(values) for name, values in segments.values.items()} == {"shop": MOST_SEGMENT_VALUES}


def stored(folder: Path, attribute: str, values: dict[str, str | float]) -> EventStore:
    rows = [
        {
            "customer_id": customer,
            "occurred_at": "2024-05-01T09:00:00",
            "kind": f"attribute.{attribute}",
            "value": None if isinstance(value, str) else float(value),
            "detail": value if isinstance(value, str) else None,
        }
        for customer, value in values.items()
    ]
    rows.append({"customer_id": "ann", "occurred_at": "2024-05-02T09:00:00", "kind": "visit"})
    store = EventStore(folder)
    store.add(pa.Table.from_pylist(rows), source="table", timeline=UTC, now=AS_OF)
    return store


def test_doctor_names_unclear_opt_outs_and_how_many_customers_have_each(tmp_path: Path) -> None:
    store = stored(
        tmp_path,
        "do_not_contact",
        {"ann": "maybe", "bob": "maybe", "cat": 7, "dan": 1, "eve": 0, "fay": "配信停止"},
    )
    profile = profile_events(store, indicators({}), UTC, consent="do_not_contact")
    assert profile.consent is not None
    assert (profile.consent.known, profile.consent.opted_out) == (6, 2)
    (finding,) = [one for one in run_checks(profile, UTC) if one.name == "unclear_consent"]
    assert finding.figures == {
        "attribute": "do_not_contact",
        "customers": 3,
        "values": {"maybe": 2, "7": 1},
    }
    assert finding.english == (
        "`do_not_contact` of 3 customers is neither a clear yes nor a clear no: 'maybe' (2), '7' (1). "
        "They are not contacted until it is: write yes or no in the query of the attribute."
    )


@pytest.mark.parametrize("has", ["optout", *PERMISSION_NAMES])
@pytest.mark.parametrize("asked", ["my_wishes", ""])
def test_doctor_says_which_attribute_decides_where_nobody_has_the_one_of_the_playbook(
    tmp_path: Path, has: str, asked: str
) -> None:
    store = stored(tmp_path, has, {"ann": "no", "bob": "yes"})
    profile = profile_events(store, indicators({}), UTC, consent=asked)
    (finding,) = [one for one in run_checks(profile, UTC) if one.name == "no_consent"]
    forbids = has == "optout"
    assert finding.figures == {
        "attribute": asked,
        "others": [has] if forbids else [],
        "permissions": [] if forbids else [has],
    }
    assert f"Remove the line: `{has}` decides by its name." in finding.english
    # What the sentence says is so.
    decides = ConsentRules.of((), "do_not_contact").for_attributes([has])
    assert [one.attribute for one in decides] == ["do_not_contact", has]
    clean = profile_events(store, indicators({}), UTC, consent="do_not_contact")
    assert not [one for one in run_checks(clean, UTC) if "consent" in one.name]


def test_doctor_is_content_where_an_entry_of_consent_decides(tmp_path: Path) -> None:
    store = stored(tmp_path, "wishes", {"ann": "no", "bob": "yes"})
    entry = ConsentEntry(attribute="wishes", says="may_contact")
    profile = profile_events(store, indicators({}), UTC, consent="", consent_entries=[entry])
    assert not [one for one in run_checks(profile, UTC) if "consent" in one.name]


def test_doctor_reads_a_wish_to_stop_under_its_attributes_name(tmp_path: Path) -> None:
    store = stored(tmp_path, "配信停止希望", {"ann": "希望する", "bob": "希望しない", "cat": "さあ"})
    profile = profile_events(store, indicators({}), UTC, consent="配信停止希望")
    assert profile.consent is not None
    assert (profile.consent.opted_out, profile.consent.unclear) == (1, (("さあ", 1),))


@pytest.mark.parametrize("says", ["may_contact", "must_not_contact"])
def test_doctor_counts_opt_outs_by_what_an_entry_says(tmp_path: Path, says: Says) -> None:
    store = stored(tmp_path, "wishes", {"ann": "yes", "bob": "yes", "cat": "no"})
    entry = ConsentEntry(attribute="wishes", says=says)
    profile = profile_events(store, indicators({}), UTC, consent="wishes", consent_entries=[entry])
    assert profile.consent is not None
    assert profile.consent.opted_out == (1 if says == "may_contact" else 2)


def test_doctor_counts_birthdays_that_cannot_be_read(tmp_path: Path) -> None:
    days = {
        "ann": "1990-04-01",
        "bob": "4月31日",
        "cat": "4月31日",
        "dan": "spring",
        "eve": "S55.4.1",
        "f": 401,
    }
    profile = profile_events(stored(tmp_path, "誕生日", days), indicators({}), UTC, consent="do_not_contact")
    (finding,) = [one for one in run_checks(profile, UTC) if one.name == "unclear_birthdays"]
    assert finding.figures == {"attribute": "誕生日", "customers": 3, "values": {"4月31日": 2, "spring": 1}}
    assert "'4月31日' (2), 'spring' (1)" in finding.english
    for text in ("1990-04-01", "04-01", "1990年4月1日"):
        assert text in finding.english
        assert read_month_day(text) == "04-01"


def test_doctor_warns_where_the_playbook_names_a_permission_with_plain_yes_and_no(tmp_path: Path) -> None:
    store = stored(tmp_path, "opt_in", {"ann": "no", "bob": "yes", "cat": "配信停止"})
    profile = profile_events(store, indicators({}), UTC, consent="opt_in")
    (finding,) = [one for one in run_checks(profile, UTC) if "consent" in one.name]
    assert finding.name == "inverted_consent"
    assert finding.figures == {"attribute": "opt_in", "customers": 2}


def test_codes_point_at_the_texts(tmp_path: Path) -> None:
    events = history(world("customer when kind detail\nann 2024-01-01 attribute.plan gold"))
    last = last_values(events, "plan", np.zeros(1, dtype=np.bool_))
    assert (last.codes.tolist(), last.by_customer) == ([-1], [None])
