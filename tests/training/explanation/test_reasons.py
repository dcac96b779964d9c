"""Reasons say in words what raises and lowers one customer's risk, grouped so that each says one thing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from tests.training.trained import KINDS, bundle, columns, like, rows
from training.explanation.project_words import ProjectWords
from training.explanation.quantities import Quantity, written_alike
from training.explanation.reasons import (
    FeatureChange,
    FeatureReason,
    Order,
    change_sentence,
    changed_features,
    rank_reasons,
    reason_of,
    sentence,
)
from training.explanation.text import number

CATALOG = catalog(
    indicators({}),
    FeatureSettings(windows=(30, 90, 365)),
    (*KINDS, "refund", "ticket_opened", "session", "attribute.rank"),
)


def said(
    feature: str,
    value: float | None,
    typical: float | None = None,
    *,
    text: str = "",
    contribution: float = 0.4,
) -> FeatureReason:
    direction = "raises" if contribution >= 0 else "lowers"
    return FeatureReason(
        feature, CATALOG.indicator_of(feature), value, text, typical, contribution, direction
    )


YEN = ProjectWords(
    "JPY",
    attributes=(("rank", ("membership level", "会員ランク")),),
    values=(("rank", (("gold", ("Gold", "ゴールド")), ("3", ("three stars", "三つ星")))),),
    details=(("how_to", ("using it", "使い方")),),
)


@pytest.mark.parametrize(
    ("given_reason", "project", "english", "japanese"),
    [
        (
            said("purchase_sum_90d", 12345.6, 8000.0),
            YEN,
            "Purchases in the last 90 days came to ¥12,346 (typical: ¥8,000), which raises the risk.",
            "直近90日の購買金額は12,346円（標準的な顧客は8,000円）で、離反リスクを高めています。",
        ),
        (
            said("purchase_sum_90d", 0.0, 8000.0),
            ProjectWords("USD"),
            "Purchases in the last 90 days came to $0 (typical: $8,000), which raises the risk.",
            "直近90日の購買金額は0ドル（標準的な顧客は8,000ドル）で、離反リスクを高めています。",
        ),
        (
            said("purchase_refund_sum_90d", -1200.0, 0.0),
            YEN,
            "Refunds in the last 90 days came to ¥1,200 (typical: none), which raises the risk.",
            "直近90日の返品・返金の金額は1,200円（標準的な顧客は0円）で、離反リスクを高めています。",
        ),
        (
            said("purchase_sum_90d", 5.5, 8.0),
            ProjectWords("CHF"),
            "Purchases in the last 90 days came to CHF 5.5 (typical: CHF 8), which raises the risk.",
            "直近90日の購買金額は5.5 CHF（標準的な顧客は8 CHF）で、離反リスクを高めています。",
        ),
        (
            said("purchase_count_30d", 1.0, 4.0),
            YEN,
            "1 purchase in the last 30 days (typical: 4), which raises the risk.",
            "直近30日の購買回数は1回（標準的な顧客は4回）で、離反リスクを高めています。",
        ),
        (
            said("profile_rank_last_detail", 1.0, text="gold"),
            YEN,
            "The membership level is “Gold”, which raises the risk.",
            "会員ランクは「ゴールド」で、離反リスクを高めています。",
        ),
        (
            said("profile_rank_last_detail", None),
            YEN,
            "The membership level is not known, which raises the risk.",
            "会員ランクが不明で、離反リスクを高めています。",
        ),
        (
            said("profile_rank_last_detail", 1.0, text="ブロンズ"),
            YEN,
            "The membership level is “ブロンズ”, which raises the risk.",
            "会員ランクは「ブロンズ」で、離反リスクを高めています。",
        ),
        (
            said("profile_rank_last", 3.0, 4.0),
            YEN,
            "The membership level is three stars (typical: 4), which raises the risk.",
            "会員ランクは三つ星（標準的な顧客は4）で、離反リスクを高めています。",
        ),
        (
            said("inquiry_last_detail", 1.0, text="how_to"),
            YEN,
            "The topic of the last inquiry is “using it”, which raises the risk.",
            "最後の問い合わせの用件は「使い方」で、離反リスクを高めています。",
        ),
    ],
)
def test_amounts_have_the_currency_of_the_project_and_names_are_those_that_it_gives(
    given_reason: FeatureReason, project: ProjectWords, english: str, japanese: str
) -> None:
    assert sentence(CATALOG, given_reason, "en", project) == english
    assert sentence(CATALOG, given_reason, "ja", project) == japanese


def test_a_change_of_an_amount_or_of_a_named_attribute_is_told_in_the_words_of_the_project() -> None:
    amounts = FeatureChange(said("purchase_sum_90d", 1000.0), said("purchase_sum_90d", 0.0), 0.3)
    assert change_sentence(CATALOG, amounts, "ja", YEN) == (
        "直近90日の購買金額の合計が1,000円から0円に変わり、離反リスクが高まりました。"
    )
    ranks = FeatureChange(
        said("profile_rank_last_detail", 1.0, text="銀"),
        said("profile_rank_last_detail", 2.0, text="金"),
        -0.3,
    )
    assert change_sentence(CATALOG, ranks, "ja", YEN) == (
        "会員ランクが「銀」から「金」に変わり、離反リスクが下がりました。"
    )


@pytest.mark.parametrize(
    ("given_reason", "english", "japanese"),
    [
        (
            said("purchase_days_since_last", 41.3, 6.2),
            "The last purchase was 41 days ago (typical: 6 days), which raises the risk.",
            "最終購買から41日が経過しており（標準的な顧客は6日）、離反リスクを高めています。",
        ),
        (
            said("purchase_days_since_last", 0.4, 1.2, contribution=-0.2),
            "The last purchase was less than a day ago (typical: 1 day), which lowers the risk.",
            "最終購買から1日未満で（標準的な顧客は1日）、離反リスクを抑えています。",
        ),
        (
            said("purchase_days_since_last", None, 6.0),
            "No purchase so far, which raises the risk.",
            "これまで購買がなく、離反リスクを高めています。",
        ),
        (
            said("purchase_count_90d", 0.0, 12.0),
            "No purchase in the last 90 days (typical: 12), which raises the risk.",
            "直近90日の購買がなく（標準的な顧客は12回）、離反リスクを高めています。",
        ),
        (
            said("purchase_count_30d", 1.0, 4.0),
            "1 purchase in the last 30 days (typical: 4), which raises the risk.",
            "直近30日の購買回数は1回（標準的な顧客は4回）で、離反リスクを高めています。",
        ),
        (
            said("inquiry_count_30d", 3.0, 0.0),
            "3 inquiries in the last 30 days (typical: none), which raises the risk.",
            "直近30日の問い合わせ件数は3件（標準的な顧客は0件）で、離反リスクを高めています。",
        ),
        (
            said("purchase_active_days_90d", 2.0, 11.0),
            "Purchases on 2 of the last 90 days (typical: 11), which raises the risk.",
            "直近90日のうち購買があったのは2日（標準的な顧客は11日）で、離反リスクを高めています。",
        ),
        (
            said("purchase_active_days_30d", 0.0, 4.0),
            "No purchase in the last 30 days (typical: on 4 of them), which raises the risk.",
            "直近30日のうち購買があった日はなく（標準的な顧客は4日）、離反リスクを高めています。",
        ),
        (
            said("purchase_sum_90d", 121.4, 1540.2),
            "Purchases in the last 90 days came to 121 (typical: 1,540), which raises the risk.",
            "直近90日の購買金額は121（標準的な顧客は1,540）で、離反リスクを高めています。",
        ),
        (
            said("purchase_overdue", 3.24, 0.81),
            "The time since the last purchase is 3.2 times this customer's usual gap (typical: 0.81 times), "
            "which raises the risk.",
            "最終購買からの経過日数は普段の間隔の3.2倍（標準的な顧客は0.81倍）で、離反リスクを高めています。",
        ),
        (
            said("purchase_overdue", 494_500.0, 1.2),
            "The time since the last purchase is more than 100 times this customer's usual gap "
            "(typical: 1.2 times), which raises the risk.",
            "最終購買からの経過日数は普段の間隔の100倍超（標準的な顧客は1.2倍）で、離反リスクを高めています。",
        ),
        (
            said("inquiry_mean_90d", 2_774.0, 45.0),
            "The average time to answer of inquiries in the last 90 days is 46 hours (typical: 45 minutes), "
            "which raises the risk.",
            "直近90日の問い合わせの回答時間の平均は46時間（標準的な顧客は45分）で、離反リスクを高めています。",
        ),
        (
            said("inquiry_mean_90d", 7_200.0, 90.0),
            "The average time to answer of inquiries in the last 90 days is 5 days (typical: 1.5 hours), "
            "which raises the risk.",
            "直近90日の問い合わせの回答時間の平均は5日（標準的な顧客は1.5時間）で、離反リスクを高めています。",
        ),
        (
            said("purchase_refund_sum_90d", -7_920.0, 0.0),
            "Refunds in the last 90 days came to 7,920 (typical: none), which raises the risk.",
            "直近90日の返品・返金の金額は7,920（標準的な顧客は0）で、離反リスクを高めています。",
        ),
        (
            said("purchase_count_trend_30d_90d", 14.0, 1.0),
            "The number of purchases in the last 30 days runs at over 1,000% of the pace of the last 90 days "
            "(typical: 100%), which raises the risk.",
            "直近30日の購買回数のペースは直近90日の1,000%超（標準的な顧客は100%）で、"
            "離反リスクを高めています。",
        ),
        (
            said("purchase_overdue", None, 0.8),
            "There have been fewer than two purchases so far, which raises the risk.",
            "購買がまだ2回に満たず、離反リスクを高めています。",
        ),
        (
            said("purchase_gap_mean", 12.3, 6.0),
            "Purchases come 12 days apart on average (typical: 6 days), which raises the risk.",
            "購買の平均間隔は12日（標準的な顧客は6日）で、離反リスクを高めています。",
        ),
        (
            said("purchase_count_trend_30d_90d", 0.4, 1.02),
            "The number of purchases in the last 30 days runs at 40% of the pace of the last 90 days "
            "(typical: 102%), which raises the risk.",
            "直近30日の購買回数のペースは直近90日の40%（標準的な顧客は102%）で、離反リスクを高めています。",
        ),
        (
            said("purchase_count_trend_30d_90d", None, 1.0),
            "No purchase in the last 90 days, which raises the risk.",
            "直近90日の購買がなく、離反リスクを高めています。",
        ),
        (
            said("purchase_silence_90d", 0.998, 0.12),
            "From how often purchases came so far, the chance of none in the next 90 days is over 99% "
            "(typical: 12%), which raises the risk.",
            "これまでの頻度から見て、今後90日購買がない確率は99%超（標準的な顧客は12%）で、"
            "離反リスクを高めています。",
        ),
        (
            said("purchase_silence_90d", 0.002, 1.0, contribution=-0.4),
            "From how often purchases came so far, the chance of none in the next 90 days is under 1% "
            "(typical: over 99%), which lowers the risk.",
            "これまでの頻度から見て、今後90日購買がない確率は1%未満（標準的な顧客は99%超）で、"
            "離反リスクを抑えています。",
        ),
        (
            said("purchase_count_trend_30d_90d", 0.004, 1.0),
            "The number of purchases in the last 30 days runs at under 1% of the pace of the last 90 days "
            "(typical: 100%), which raises the risk.",
            "直近30日の購買回数のペースは直近90日の1%未満（標準的な顧客は100%）で、離反リスクを高めています。",
        ),
        (
            said("purchase_distinct_detail_90d", 2.0, 6.0),
            "Purchases in the last 90 days covered 2 categories (typical: 6), which raises the risk.",
            "直近90日の購買のカテゴリは2種類（標準的な顧客は6種類）で、離反リスクを高めています。",
        ),
        (
            said("purchase_last_detail", 1.0, text="DRUG GM"),
            "The category of the last purchase is “DRUG GM”, which raises the risk.",
            "最後の購買のカテゴリは「DRUG GM」で、離反リスクを高めています。",
        ),
        (
            said("survey_last", 3.0, 8.0),
            "The latest score of survey answers is 3 (typical: 8), which raises the risk.",
            "最新のアンケート評価は3（標準的な顧客は8）で、離反リスクを高めています。",
        ),
        (
            said("response_days_since_last", 51.0, 11.0),
            "The last response to a campaign was 51 days ago (typical: 11 days), which raises the risk.",
            "最後の施策への反応から51日が経過しており（標準的な顧客は11日）、離反リスクを高めています。",
        ),
    ],
)
def test_a_reason_reads_naturally_in_both_languages(
    given_reason: FeatureReason, english: str, japanese: str
) -> None:
    assert sentence(CATALOG, given_reason, "en") == english
    assert sentence(CATALOG, given_reason, "ja") == japanese


def test_every_feature_can_be_said_with_and_without_a_value_in_both_languages() -> None:
    for column in CATALOG.columns:
        detail = CATALOG.unit(column) == "detail"
        for value in (None, 0.0, 0.3, 1.0, 2.5, 41.3, 12345.6):
            told = said(column, value, None if detail else 2.0, text="FUEL" if detail and value else "")
            for language, ending in (("en", " the risk."), ("ja", "離反リスクを高めています。")):
                words = sentence(CATALOG, told, language)
                assert words.endswith(ending), words
                assert "nan" not in words.lower().replace("finance", ""), words
                assert "None" not in words, words
                assert "  " not in words, words
                shares = ("pace", "ペース", "share", "割合", "chance", "確率")
                assert "%" not in words or any(share in words for share in shares), words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.01, "0"),
        (0.0123, "0"),
        (0.25, "0.25"),
        (1.0, "1"),
        (2.5, "2.5"),
        (12.3, "12"),
        (1540.2, "1,540"),
        (-3.4, "-3.4"),
    ],
)
def test_numbers_are_rounded_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text


def explained(n: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    matrix = rows(n, seed)
    return matrix, bundle().contributions(matrix)


def reasons(
    matrix: np.ndarray, contributions: np.ndarray, *, top: int = 3, order: Order = "raising"
) -> list[list[FeatureReason]]:
    """The reasons of each row, as they are read out of the ranked arrays."""
    ranked = rank_reasons(bundle(), matrix, contributions, top=top, order=order)
    return [
        [
            reason_of(bundle(), int(column), float(value), float(contribution))
            for column, value, contribution in zip(
                ranked.columns[row], ranked.values[row], ranked.contributions[row], strict=True
            )
            if column >= 0
        ]
        for row in range(len(ranked.columns))
    ]


def test_three_reasons_raising_ones_first_and_no_thing_said_twice() -> None:
    matrix, contributions = explained(300)
    for one in reasons(matrix, contributions):
        assert len(one) == 3
        signs = [told.direction for told in one]
        assert signs == sorted(signs, reverse=True)
        assert len({told.feature for told in one}) == 3
        assert all((told.contribution > 0) == (told.direction == "raises") for told in one)


def test_the_contribution_of_a_reason_is_the_sum_over_its_indicator() -> None:
    matrix, contributions = explained(1)
    catalog = bundle().catalog
    strongest = reasons(matrix, contributions, order="strongest")[0][0]
    alike = [
        at
        for at, column in enumerate(catalog.columns)
        if catalog.indicator_of(column) == strongest.indicator and "days_since_first" not in column
    ]
    assert strongest.contribution == pytest.approx(contributions[0, alike].sum())


def test_a_reason_shows_the_customers_own_value_and_the_typical_one() -> None:
    matrix, contributions = explained(50)
    for row, one in enumerate(reasons(matrix, contributions)):
        for told in one:
            value = matrix[row, bundle().catalog.columns.index(told.feature)]
            assert told.value == (None if math.isnan(value) else value)
            if bundle().catalog.unit(told.feature) != "detail":
                assert told.typical == bundle().typical[told.feature]


def test_a_reason_is_named_by_a_feature_that_pushes_the_same_way() -> None:
    matrix, contributions = explained(200)
    for row, one in enumerate(reasons(matrix, contributions)):
        for told in one:
            own = contributions[row, bundle().catalog.columns.index(told.feature)]
            assert (own > 0) == (told.contribution > 0)


def test_reasons_of_customers_differ() -> None:
    matrix, contributions = explained(100)
    texts = {
        tuple(sentence(bundle().catalog, told, "en") for told in one)
        for one in reasons(matrix, contributions)
    }
    assert len(texts) == 100


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 40), seed=st.integers(0, 2**16), top=st.integers(1, 6))
def test_everyone_has_a_reason_and_a_row_alone_has_those_of_the_batch(size: int, seed: int, top: int) -> None:
    matrix = rows(size, seed)
    matrix[0] = np.nan
    contributions = bundle().contributions(matrix)
    batch = reasons(matrix, contributions, top=top)
    for row in range(size):
        told = batch[row]
        assert 1 <= len(told) <= top
        assert told == reasons(matrix[row : row + 1], contributions[row : row + 1], top=top)[0]


def test_contributions_that_are_all_nothing_still_give_one_reason() -> None:
    matrix = rows(2)
    told = reasons(matrix, np.zeros((2, matrix.shape[1] + 1)))
    assert [len(one) for one in told] == [1, 1]


def test_where_one_indicator_says_all_it_speaks_through_its_sides() -> None:
    matrix = rows(1)
    names = list(bundle().catalog.columns)
    matrix[0, [names.index("purchase_days_since_last"), names.index("purchase_count_30d")]] = 50.0, 1.0
    matrix[0, names.index("purchase_sum_90d")] = 200.0
    contributions = np.zeros((1, matrix.shape[1] + 1))
    for column, amount in (
        ("days_since_last", 0.9),
        ("count_30d", 0.5),
        ("count_90d", 0.2),
        ("sum_90d", -0.3),
    ):
        contributions[0, names.index(f"purchase_{column}")] = amount
    told = reasons(matrix, contributions)[0]
    assert [(one.feature, round(one.contribution, 6)) for one in told] == [
        ("purchase_days_since_last", 0.9),
        ("purchase_count_30d", 0.7),
        ("purchase_sum_90d", -0.3),
    ]


def test_a_value_like_everyone_elses_gives_way_to_one_that_stands_out() -> None:
    names = list(bundle().catalog.columns)
    matrix = rows(1)
    matrix[0, names.index("purchase_count_30d")] = bundle().typical["purchase_count_30d"]
    matrix[0, names.index("purchase_count_90d")] = 40.0
    contributions = np.zeros((1, matrix.shape[1] + 1))
    contributions[0, names.index("purchase_count_30d")] = 0.5
    contributions[0, names.index("purchase_count_90d")] = 0.4
    told = reasons(matrix, contributions)[0]
    assert told[0].feature == "purchase_count_90d"


def test_a_value_written_as_the_typical_one_is_no_reason_and_the_next_one_takes_its_place() -> None:
    names, typical = list(bundle().catalog.columns), bundle().typical
    contributions = np.zeros((1, len(names) + 1))
    pushes = (("purchase_count_30d", 0.9), ("usage_count_30d", 0.5), ("inquiry_count_30d", 0.3))
    known = [(name, push) for name, push in pushes if name in names]
    for name, push in known:
        contributions[0, names.index(name)] = push
    matrix = rows(1)
    for name, _ in known:
        matrix[0, names.index(name)] = typical[name] + 7.0
    assert reasons(matrix, contributions)[0][0].feature == "purchase_count_30d"
    matrix[0, names.index("purchase_count_30d")] = typical["purchase_count_30d"]
    told = [one.feature for one in reasons(matrix, contributions)[0]]
    assert told == [name for name, _ in known[1:]]


def test_no_reason_shows_the_same_value_as_the_typical_one() -> None:
    matrix, contributions = explained(2_000)
    catalog = bundle().catalog
    for one in reasons(matrix, contributions, top=3):
        for told in one if len(one) > 1 else ():
            if told.value is None or told.typical is None:
                continue
            with_value, as_typical = (
                sentence(catalog, replace(told, value=value, typical=None), "ja")
                for value in (told.value, told.typical)
            )
            assert with_value != as_typical


@pytest.mark.parametrize(
    ("typical", "quantity", "alike", "other"),
    [
        (4.0, "number", 4.0, 5.0),
        (0.0, "number", 0.0, 1.0),
        (3.5, "number", 3.52, 3.6),
        (12_345.6, "number", 12_346.3, 12_347.0),
        (0.234, "number", 0.2341, 0.24),
        (41.2, "days", 40.7, 42.0),
        (0.4, "days", 0.9, 1.0),
        (0.0, "days", 0.0, 0.5),
        (1.2, "days", 1.4, 0.9),
        (300.0, "minutes", 301.0, 320.0),
        (150.0, "multiple", 900.0, 50.0),
        (0.253, "percentage", 0.25, 0.26),
        (12.0, "percentage", 20.0, 9.0),
    ],
)
def test_what_is_written_like_the_typical_value_is_taken_for_it(
    typical: float, quantity: Quantity, alike: float, other: float
) -> None:
    low, high = written_alike(typical, quantity)
    assert low < typical < high
    assert low < alike < high
    assert not low < other < high


def test_a_detail_is_said_by_its_text_and_an_unknown_one_in_words() -> None:
    at = columns().columns.index("purchase_last_detail")
    known, other, none = (reason_of(bundle(), at, value, 0.5) for value in (1.0, 3.0, math.nan))
    assert (known.value_text, known.typical) == ("DRUG GM", None)
    assert (
        sentence(columns(), known, "en")
        == "The category of the last purchase is “DRUG GM”, which raises the risk."
    )
    for unknown in (other, none):
        assert sentence(columns(), unknown, "ja") == "購買のカテゴリが不明で、離反リスクを高めています。"


def test_fast_and_exact_contributions_give_the_same_reasons() -> None:
    matrix, exact = explained(400)
    noise = np.random.default_rng(0).normal(0, 1e-6, exact.shape)
    before, after = rank_reasons(bundle(), matrix, exact), rank_reasons(bundle(), matrix, exact + noise)
    assert (before.columns == after.columns).all(axis=1).mean() > 0.97


def test_changes_name_what_moved_the_risk_between_two_dates() -> None:
    names = list(bundle().catalog.columns)
    before = np.nan_to_num(rows(1, seed=4), nan=4.0)
    after = before.copy()
    before[0, names.index("purchase_count_30d")] = 6.0
    after[0, names.index("purchase_count_30d")] = 1.0
    after[0, names.index("purchase_days_since_last")] += 30.0
    parts = [bundle().contributions(row)[0] for row in (before, after)]
    found = changed_features(bundle(), (before[0], parts[0]), (after[0], parts[1]))
    assert found
    assert found[0].shift == pytest.approx(
        sum(
            parts[1][at] - parts[0][at]
            for at, column in enumerate(names)
            if columns().indicator_of(column) == "purchase" and "days_since_first" not in column
        )
    )
    assert all(change.before.value != change.after.value for change in found)
    assert changed_features(bundle(), (before[0], parts[0]), (before[0], parts[0])) == []


def test_a_change_reads_naturally_in_both_languages() -> None:
    moved = FeatureChange(said("purchase_count_30d", 6.0), said("purchase_count_30d", 1.0), 0.6)
    assert change_sentence(CATALOG, moved, "en") == (
        "The number of purchases in the last 30 days went from 6 to 1, which raised the risk."
    )
    assert change_sentence(CATALOG, moved, "ja") == (
        "直近30日の購買回数が6回から1回に変わり、離反リスクが高まりました。"
    )
    older = FeatureChange(said("purchase_days_since_last", 3.0), said("purchase_days_since_last", 14.0), 0.2)
    assert change_sentence(CATALOG, older, "en") == (
        "The time since the last purchase went from 3 days to 14 days, which raised the risk."
    )
    appeared = FeatureChange(
        said("purchase_days_since_last", None), said("purchase_days_since_last", 3.0), -0.6
    )
    assert change_sentence(CATALOG, appeared, "ja") == (
        "最終購買からの日数がなしから3日に変わり、離反リスクが下がりました。"
    )


def test_a_million_customers_are_ranked_without_a_loop_over_them() -> None:
    matrix, contributions = explained(2_000)
    many = np.tile(matrix, (10, 1)), np.tile(contributions, (10, 1))
    ranked = rank_reasons(like(bundle()), *many)
    assert len(ranked.columns) == 20_000
    assert np.array_equal(ranked.columns[:2_000], ranked.columns[-2_000:])


@pytest.mark.parametrize("kind", ["attribute.birthday", "attribute.do_not_contact"])
def test_a_bundle_that_learned_from_a_reserved_attribute_keeps_working_and_gives_it_as_no_reason(
    kind: str,
) -> None:
    trained = bundle()
    streams = tuple(
        replace(stream, kinds=(kind,)) if stream.indicator == "profile" else stream
        for stream in trained.catalog.streams
    )
    old = replace(trained, catalog=replace(trained.catalog, streams=streams))
    matrix = rows(200, seed=9)
    parts = trained.contributions(matrix)
    place = np.flatnonzero([trained.catalog.indicator_of(name) == "profile" for name in columns().columns])
    parts[:, place] = 5.0  # as if nothing mattered more
    assert np.isin(rank_reasons(trained, matrix, parts, order="strongest").columns[:, 0], place).all()
    assert not np.isin(rank_reasons(old, matrix, parts, order="strongest").columns, place).any()
    none = np.zeros_like(parts[0])
    changes = changed_features(old, (matrix[0], none), (matrix[1], parts[0]))
    assert not [change for change in changes if change.after.indicator == "profile"]
    assert np.array_equal(old.predict(matrix).churn_probability, trained.predict(matrix).churn_probability)
