"""Metrics of events: attitude, use, inquiries, spending, community, social media, campaigns."""

from __future__ import annotations

import numpy as np

from features.timeline import DAY
from serving.reports.aggregates import MetricUnits
from serving.reports.bucket_view import BucketView, PickedEvents
from serving.reports.kernels import Touches, days, first_contact_and_response

DETRACTOR, PROMOTER, BEST = 6, 9, 10
SATISFIED, FULLY = 4, 5
SELF_SERVICE = 7 * DAY
"""How long before an inquiry self-service counts."""
PROMPT_MINUTES = 24 * 60


def add_event_metrics(view: BucketView) -> None:
    """Add a bucket's units of every metric of events to the sums."""
    _customers(view)
    _attitude(view)
    _use(view)
    _inquiries(view)
    _spending(view)
    _taking_part(view)
    _responses(view)


def _customers(view: BucketView) -> None:
    active = view.active
    units = MetricUnits(
        active % view.spans, active // view.spans, np.ones(len(active)), one_per_customer=True
    )
    view.sums.add("active_customers", units, view.cut(units.row))


def _attitude(view: BucketView) -> None:
    for measure, lowest, highest in (("nps", 0, BEST), ("csat", 1, FULLY)):
        answers = view.pick(view.index.of_kinds((measure,)))
        score = view.index.history.values[answers.places]
        fits = (score >= lowest) & (score <= highest)
        if measure == "nps":  # one question, with eleven answers; CSAT may come from another scale
            fits &= score == np.floor(score)
        view.sums.leave_out(measure, "no_value", answers.span[np.isnan(score)])
        view.sums.leave_out(measure, "off_scale", answers.span[~fits & ~np.isnan(score)])
        score = score[fits]
        y = (
            100.0 * (score >= PROMOTER) - 100.0 * (score <= DETRACTOR)
            if measure == "nps"
            else (score >= SATISFIED).astype(np.float64)
        )
        view.per_event(measure, answers.where(fits), y, ("channel", "place", "detail"))


def _use(view: BucketView) -> None:
    history = view.index.history
    uses = view.pick(view.index.of("usage"))
    if not len(uses.places):
        return
    day = days(history.instants[uses.places], view.index.timeline.midnights)
    first = np.searchsorted(
        view.index.timeline.midnights, [span.start for span in view.calendar.spans], side="right"
    )
    since = day - first[uses.span]
    view.per_customer("active_days", uses, ("channel",), distinct=(since, int(since.max()) + 1))
    minutes = np.nan_to_num(history.values[uses.places])
    view.per_customer("active_minutes", uses, ("channel",), weights=minutes)
    features = uses.where(history.details[uses.places] >= 0)
    if len(features.places):
        which = history.details[features.places].astype(np.int64)
        view.per_customer("feature_breadth", features, ("channel",), distinct=(which, int(which.max()) + 1))


def _inquiries(view: BucketView) -> None:
    history = view.index.history
    inquiries = view.pick(view.index.of("inquiry"))
    everywhere = ("channel", "place", "detail")
    view.per_active("inquiries_per_100", inquiries, everywhere, scale=100.0)
    # Not known is not unanswered: inquiries of a kind and channel that never carry minutes say nothing here.
    asked = inquiries
    if view.index.times is not None:
        asked = inquiries.where(view.index.times.known(history, inquiries.places))
    minutes = history.values[asked.places]
    answered = minutes >= 0
    view.sums.leave_out("answer_minutes", "no_answer", asked.span[~answered])
    view.per_event("answer_minutes", asked.where(answered), minutes[answered], everywhere)
    prompt = (answered & (minutes <= PROMPT_MINUTES)).astype(np.float64)
    view.per_event("answered_rate", asked, prompt, everywhere)
    content = view.index.of("content")
    if len(content) and len(inquiries.places):
        before = np.searchsorted(content, inquiries.places) - 1
        last = content[np.maximum(before, 0)]
        own = (before >= 0) & (view.index.row[last] == inquiries.row)
        recent = own & (history.instants[inquiries.places] - history.instants[last] <= SELF_SERVICE)
        view.per_event("self_service_rate", inquiries, recent.astype(np.float64), ("channel", "detail"))


def _spending(view: BucketView) -> None:
    history = view.index.history
    money = view.pick(view.index.of("purchase"))
    if not len(money.places):
        return
    amount = history.values[money.places]
    refund = view.index.taken_back[money.places]
    bought = money.where(~refund)
    view.per_customer("repeat_rate", bought, ("channel", "place"), at_least=2)
    paid = ~np.isnan(amount[~refund])
    view.sums.leave_out("order_value", "no_value", bought.span[~paid])
    view.per_event("order_value", bought.where(paid), amount[~refund][paid], ("channel", "place"))
    named = bought.where(history.details[bought.places] >= 0)
    if len(named.places):
        which = history.details[named.places].astype(np.int64)
        view.per_customer(
            "categories_per_customer", named, ("channel", "place"), distinct=(which, int(which.max()) + 1)
        )
    view.per_active("value_per_customer", money, weights=np.nan_to_num(amount))


def _taking_part(view: BucketView) -> None:
    index = view.index
    view.per_active("community_participation", view.pick(index.of("community")), once=True)
    view.per_active("referral_rate", view.pick(index.of_kinds(("referral_made",))), once=True)
    view.per_active("mentions_per_100", view.pick(index.of_kinds(("mention",))), scale=100.0)
    view.per_active("customer_posts_per_100", view.pick(index.of_kinds(("ugc_post",))), scale=100.0)


def _responses(view: BucketView) -> None:
    sent, back = view.pick(view.index.of("campaign")), view.pick(view.index.of("response"))
    if not len(sent.places):
        return
    details = view.index.history.details

    def touches(events: PickedEvents) -> Touches:
        which = details[events.places].astype(np.int64) + 1
        return Touches(events.row * view.spans + events.span, which, events.places)

    size = len(view.index.history.detail_names) + 1
    first, answer = first_contact_and_response(touches(sent), touches(back), size)
    view.per_event("response_rate", sent.where(first), answer, ("channel",))
