"""Formats of the console: months and names as each language writes them."""

from __future__ import annotations

import pytest

from features.timeline import Timeline
from serving.console.formats import Formats
from serving.schemas.report_responses import MonthRange


@pytest.mark.parametrize(
    ("language", "written"), [("en", "Feb 2024 – Jan 2025"), ("ja", "2024年2月〜2025年1月")]
)
def test_the_months_of_a_report_are_written_as_the_language_writes_them(language: str, written: str) -> None:
    assert Formats(language, None, Timeline("Asia/Tokyo")).months(MonthRange("2024-02", "2025-01")) == written


def test_a_report_of_one_month_names_it_once() -> None:
    assert Formats("en", None, Timeline("UTC")).months(MonthRange("2024-02", "2024-02")) == "Feb 2024"


@pytest.mark.parametrize(
    ("name", "written"), [("hanako", "hanako"), ("command line", "コマンドライン"), (None, "–"), ("", "–")]
)
def test_who_did_it_is_an_account_or_the_command_line(name: str | None, written: str) -> None:
    assert Formats("ja", None, Timeline("UTC")).who(name) == written


@pytest.mark.parametrize(
    ("amount", "english", "japanese"),
    [
        (None, "–", "–"),
        (12.5, "12.50", "12.50"),
        (561.55, "562", "562"),
        (6_044.2, "6,044", "6,044"),
        (21_912, "21.9k", "21,912"),
        (-21_912, "-21.9k", "-21,912"),
        (219_120, "219k", "21.9万"),
        (1_234_567, "1.23M", "123万"),
        (123_456_789, "123M", "1.23億"),
    ],
)
def test_a_short_amount_is_no_coarser_in_one_language_than_in_the_other(
    amount: float | None, english: str, japanese: str
) -> None:
    assert Formats("en", None, Timeline("UTC")).short_money(amount) == english
    assert Formats("ja", None, Timeline("UTC")).short_money(amount) == japanese


def test_a_short_amount_has_its_currency() -> None:
    assert Formats("ja", "JPY", Timeline("UTC")).short_money(1_090_000) == "109万円"
    assert Formats("en", "JPY", Timeline("UTC")).short_money(21_912) == "¥21.9k"
