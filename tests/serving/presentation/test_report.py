"""The engagement report as people read it: amounts with their currency, names that can be told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.presentation.report import show
from serving.reports.rendering.html import page
from serving.reports.report import reply
from serving.schemas.report_responses import ReportReply
from tests.serving.reports.small import report_data, store
from training.bundle.level_uncertainty import ExpectedLeavers


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> ReportReply:
    rows = [f"c{n} 2024-{month:02}-1{n}T10:00 purchase 1500" for n in range(9) for month in (10, 11)]
    events = store(tmp_path_factory.mktemp("report"), "\n".join(rows))
    return reply(report_data(events, active_days=60, horizon_days=30), "ja")


@pytest.mark.parametrize(
    ("currency", "language", "amount"),
    [
        ("JPY", "ja", "3,000円"),
        ("JPY", "en", "¥3,000"),
        ("USD", "en", "$3,000"),
        ("CHF", "en", "CHF 3,000"),
        ("EUR", "ja", "3,000ユーロ"),
    ],
)
def test_amounts_carry_the_currency_on_the_page_and_on_the_terminal(
    report: ReportReply, currency: str, language: str, amount: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = replace(report, currency=currency)
    assert f'<div class="big">{amount}</div>' in page(told, language)
    show(told, language)
    assert amount in capsys.readouterr().out


def test_amounts_without_a_currency_stay_numbers(report: ReportReply) -> None:
    assert report.currency is None
    assert '<div class="big">3,000</div>' in page(report, "en")


def test_names_of_measures_are_whole_on_a_narrow_terminal(
    report: ReportReply, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show(report, "ja")
    assert "…" not in capsys.readouterr().out


def test_the_report_says_how_many_are_expected_to_leave(
    report: ReportReply, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert report.expected_leavers is None
    told = replace(report, expected_leavers=ExpectedLeavers(1_312.4, 900.0, 1_800.6))
    words = {
        "en": "About 1,312 of all customers scored are expected to leave (80% interval: 900 to 1,801).",
        "ja": "離反が見込まれる顧客は全体で約1,312名です（80%区間：900〜1,801名）。",
    }
    for language, sentence in words.items():
        assert sentence in page(told, language)
        show(told, language)
        assert sentence in capsys.readouterr().out
