"""How far one customer's risk can be relied on, by the model's held-out test of customers like them."""

from __future__ import annotations

from serving.schemas.customer_responses import Certainty
from serving.state.score_file import Scores
from training.bundle.list_policy import default_order
from training.bundle.model_bundle import Bundle


def certainty(bundle: Bundle, scores: Scores, row: int, contacts: int) -> Certainty:
    """The calibration error of the model, and how many of the test's customers of a tier left.

    Of who is on the list, as far down as `contacts` customers can be contacted, also the share of such a list
    that left. The figures are those of the model card. A model without a test has none of them.
    """
    order = scores.ranked(default_order(amounts=scores.facts.amounts))
    listed, tier = bool((order[:contacts] == row).any()), int(scores.answers.tier[row])
    figures = bundle.figures
    of_tier = f"reliability/tier_{tier}"
    error = figures.get("expected_calibration_error")
    tested = figures.get("test_customers")
    return Certainty(
        evidence=bundle.evidence,
        error=error,
        error_high=figures.get("expected_calibration_error_high", error),
        tested=None if tested is None else int(tested),
        predicted=figures.get(f"{of_tier}/said"),
        observed=figures.get(f"{of_tier}/happened"),
        observed_low=figures.get(f"{of_tier}/happened_low"),
        observed_high=figures.get(f"{of_tier}/happened_high"),
        list_observed=figures.get("precision_at_capacity") if listed else None,
        list_low=figures.get("precision_at_capacity_low") if listed else None,
        list_high=figures.get("precision_at_capacity_high") if listed else None,
        value_error=figures.get("value/mean_absolute_error"),
    )
