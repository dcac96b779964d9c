"""The model card says what the run found, the same in both languages and both forms."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.training.judged import shown
from tests.training.trained import bundle, like
from training.bundle.model_bundle import Bundle
from training.registry.gates import GateDecision, decide_promotion
from training.registry.model_card.card import cards, facts, markdown, summary

EVIDENCE = shown()


def judged() -> Bundle:
    found = dict(EVIDENCE.figures) | {
        "mean_probability": 0.351,
        "test_rows": 3_000.0,
        "test_churners": 701.0,
        "reliability/tier_0/said": 0.4,
        "reliability/tier_0/happened": 0.42,
        "leavers_reached": 0.8,
        "leavers_reached_low": 0.75,
        "leavers_reached_high": 0.85,
        "leavers_reached_in_time": 0.6,
        "lead_days": -4.25,
        "lead_days_low": -6.0,
        "lead_days_high": 1.0,
        "list_stability": 0.7,
        "tier/kappa": 0.61,
        "tier/log_loss": 1.2,
        "tier/unchanged/kappa": 0.5,
        "tier/unchanged/log_loss": 1.4,
    }
    dates = {"fit": ["2017-05-01", "2017-08-01"], "calibrate": ["2017-09-01"], "test": ["2017-11-01"]}
    return like(
        bundle(), figures=found, settings={"events": 1_234_567, "customers": 2_469, "calendar": dates}
    )


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return cards(judged(), decide_promotion(bundle(), EVIDENCE, None))


def numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,.]*%?", text)


def test_there_is_one_card_for_each_language_and_form(files: dict[str, str]) -> None:
    assert sorted(files) == [
        "model_card.en.html",
        "model_card.en.md",
        "model_card.ja.html",
        "model_card.ja.md",
    ]


def test_both_languages_show_the_same_tables(files: dict[str, str]) -> None:
    english, japanese = (
        [row for row in files[f"model_card.{language}.md"].splitlines() if row.startswith("| ")]
        for language in ("en", "ja")
    )
    assert len(english) > 8
    assert [numbers(row) for row in english] == [numbers(row) for row in japanese]


def test_the_card_shows_figures_with_their_intervals_beside_every_baseline(files: dict[str, str]) -> None:
    figures = EVIDENCE.figures
    row = next(line for line in files["model_card.en.md"].splitlines() if line.startswith("| AUC"))
    mine = f"{figures['auc']:.3f} ({figures['auc_low']:.3f}–{figures['auc_high']:.3f})"
    assert row.startswith(f"| AUC | {mine} | 0.500 (0.500–0.500)")
    assert "| dormant | 40.0% | 42.0% |" in files["model_card.en.md"]


def test_the_card_says_what_is_predicted_of_whom_and_from_what(files: dict[str, str]) -> None:
    assert (
        "- The probability of no purchase in the 30 days from the as-of date, for customers with one in the "
        "60 days before.\n- Exactly: no purchase in [as_of + 0 d, as_of + 30 d), among those with one in "
        "[as_of - 60 d, as_of)." in files["model_card.en.md"]
    )
    assert "離反確率：購買が30日間ないこと（直近60日に実績のある顧客が対象）。" in files["model_card.ja.md"]
    assert "1,234,567 events of 2,469 customers" in files["model_card.en.md"]
    assert "that calibrated: 2017-09-01; that judged: 2017-11-01." in files["model_card.en.md"]


def test_the_card_tells_the_list_by_value_at_risk_from_that_by_probability() -> None:
    by_value = {
        "list_by_value_at_risk/precision_at_capacity": 0.35,
        "list_by_value_at_risk/lift_at_capacity": 1.5,
        "list_by_value_at_risk/leavers_reached": 0.5,
        "list_by_value_at_risk/leavers_reached_in_time": 0.4,
        "list_by_value_at_risk/list_stability": 0.9,
    }
    decision = decide_promotion(bundle(), EVIDENCE, None)
    files = cards(judged(), decision, by_value)
    sentence = (
        "The list people see is ordered by value at risk: of its first 0 35% left, 1.5 times as many as of a "
        "list at random. 50% of those who left were on it on some test date, 40% while they were still "
        "coming; 90% of it stood on the one before."
    )
    assert sentence in files["model_card.en.md"]
    assert sentence in summary(judged(), decision, by_value)
    assert "実際に表示されるリストはリスク金額の順です。その上位0名では35%が離反" in files["model_card.ja.md"]
    assert "value at risk" not in cards(judged(), decision)["model_card.en.md"]


def test_the_card_says_whom_the_list_reached_and_how_early(files: dict[str, str]) -> None:
    assert (
        "- 80% (75%–85%) of those who left were among them on some test date, 60% while they were still "
        "coming.\n- They were first listed 4.2 days after the last thing they did (median; 95% interval "
        "6.0 days after – 1.0 days before).\n- 70% of a list stood on the one before."
    ) in files["model_card.en.md"]
    assert "中央値で最後の利用の4.2日後（95%区間：6.0日後 – 1.0日前）です。" in files["model_card.ja.md"]
    assert (
        "- Next tier: weighted kappa 0.610, log loss 1.200; if every tier stayed as it is: 0.500 and 1.400."
        in (files["model_card.en.md"])
    )


def test_the_page_draws_the_model_beside_every_baseline(files: dict[str, str]) -> None:
    for language, words in (("en", "recency alone"), ("ja", "最終利用日のみ")):
        page = files[f"model_card.{language}.html"]
        assert page.count("<svg") == 3
        assert f">{words}</text>" in page


def test_the_summary_holds_the_verdict_and_the_table() -> None:
    text = summary(judged(), decide_promotion(bundle(), EVIDENCE, None))
    assert text.startswith(
        "- Became the champion.\n- Predicts the probability of no purchase in the 30 days "
    )
    assert "\n\n|  | this model | base rate |" in text


def test_low_evidence_and_refusals_are_said(files: dict[str, str]) -> None:
    doubtful = like(judged(), evidence="low")
    refused = GateDecision(False, ("base rate: worse by 0.0100",), (), {}, ("ベースレート：0.0100悪い。",))
    told = cards(doubtful, refused)
    assert (
        "Evidence is low: there are too few dates, or too few customers who left or stayed, to judge it on "
        "later dates than those that taught."
    ) in told["model_card.en.md"]
    assert (
        "根拠は限定的です：日付の数、または離反・継続した顧客の数が足りず、学習より後の日付で評価できていません。"
    ) in told["model_card.ja.md"]
    assert "- Did not become the champion.\n- base rate: worse by 0.0100" in told["model_card.en.md"]
    assert "- 本番モデルには採用していません。\n- ベースレート：0.0100悪い。" in told["model_card.ja.md"]
    assert "base rate: worse" not in told["model_card.ja.md"]
    assert "Became the champion." in files["model_card.en.md"]


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(files: dict[str, str]) -> None:
    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open_: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
            if tag != "meta":
                self.open_.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open_.pop() == tag

    for language in ("en", "ja"):
        page = files[f"model_card.{language}.html"]
        reader = Reader()
        reader.feed(page)
        assert reader.open_ == []
        assert f'<html lang="{language}">' in page
        assert "http" not in page


def test_words_from_outside_do_not_become_markup() -> None:
    named = like(judged(), data_version="<script>alert(1)</script>")
    assert "<script>" not in cards(named, None)["model_card.en.html"]


def test_without_a_decision_the_card_has_no_such_section() -> None:
    title, sections = facts(judged(), None, "en")
    assert markdown(title, sections).startswith("# Model card: who will leave\n\n## What it says\n\n- ")
    assert "Decision" not in [section.title for section in sections]
