"""How far one customer's risk can be relied on, by the model's held-out test of customers like them."""

from __future__ import annotations

from serving.schemas.customer_responses import Certainty
from serving.state.scores.score_file import Scores
from training.bundle.list_policy import default_order, list_metric
from training.bundle.model_bundle import Bundle
from training.bundle.model_card_file import StoredModelCard


def certainty(
    bundle: Bundle, card: StoredModelCard | None, scores: Scores, row: int, contacts: int
) -> Certainty:
    """The calibration error of the model, and how many of the test's customers of a tier left.

    Of who is on the list, as far down as `contacts` customers can be contacted, also the share of a list in
    the same order that left, from the model's card. A model without a test has none of these figures; one
    whose card does not hold the list in this order has no share.
    """
    order = default_order(amounts=scores.facts.amounts)
    listed = bool((scores.ranked(order)[:contacts] == row).any())
    tier, figures = int(scores.answers.tier[row]), bundle.figures
    lists, precision = figures, "precision_at_capacity"  # by probability
    if order != "churn_probability":
        lists = {} if card is None or card.list_figures is None else card.list_figures
        precision = list_metric(order, precision)
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
        list_by_value=order == "value_at_risk",
        list_observed=lists.get(precision) if listed else None,
        list_low=lists.get(f"{precision}_low") if listed else None,
        list_high=lists.get(f"{precision}_high") if listed else None,
        value_error=figures.get("value/mean_absolute_error"),
    )
