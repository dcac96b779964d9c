"""Formats of the console: months and names as each language writes them."""

from __future__ import annotations

import pytest

from features.timeline import Timeline
from serving.console.formats import Formats


@pytest.mark.parametrize(
    ("language", "written"), [("en", "Feb 2024 – Jan 2025"), ("ja", "2024年2月〜2025年1月")]
)
def test_the_months_of_a_report_are_written_as_the_language_writes_them(language: str, written: str) -> None:
    assert Formats(language, None, Timeline("Asia/Tokyo")).months("2024-02 – 2025-01") == written


def test_a_report_of_one_month_names_it_once() -> None:
    assert Formats("en", None, Timeline("UTC")).months("2024-02") == "Feb 2024"


@pytest.mark.parametrize(
    ("name", "written"), [("hanako", "hanako"), ("command line", "コマンドライン"), (None, "–"), ("", "–")]
)
def test_who_did_it_is_an_account_or_the_command_line(name: str | None, written: str) -> None:
    assert Formats("ja", None, Timeline("UTC")).who(name) == written
