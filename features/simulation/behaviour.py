"""Simulated behaviour of customers: usage, orders, reading, community, social media."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.events.schema import REFUND
from features.simulation.moments import EventRows, SimulationContext, constant, joined, liked
from features.simulation.world import (
    ARTICLES,
    CATEGORIES,
    DAY,
    EVENTS,
    FAQS,
    FEATURES,
    HOUR,
    MINUTE,
    PRICES,
    STORES,
    TUTORIALS,
    Floats,
    Rows,
    Times,
)

ORDERS_A_MONTH = 0.95
REFUNDED = 0.04
"""The share of orders that go back."""


def usage(scene: SimulationContext) -> EventRows:
    """Visits and features used, with minutes."""
    draw, crowd = scene.draw, scene.crowd
    visits = scene.moments(3.6)
    uses = scene.moments(2.8)
    who, when = uses
    breadth = np.where(when >= crowd.adopted[who], np.maximum(crowd.breadth[who], 5), crowd.breadth[who])
    app = (np.array([0, 1, 1]), ("web", "app"))
    return joined(
        EventRows(*visits, {
            "kind": constant("visit", len(visits[0])),
            "minutes": _minutes(scene, len(visits[0]), 6.0),
            "channel": (app[0][draw.integers(0, 3, len(visits[0]))], app[1]),
        }),
        EventRows(who, when, {
            "kind": constant("feature_used", len(who)),
            "minutes": _minutes(scene, len(who), 4.0),
            "channel": (app[0][draw.integers(0, 3, len(who))], app[1]),
            "feature": (liked(draw, crowd.features, who, breadth), FEATURES),
        }),
    )  # fmt: skip


def orders(scene: SimulationContext) -> EventRows:
    """Purchases in named stores and online, and refunds of some of them."""
    bought = _purchases(scene, *scene.moments(ORDERS_A_MONTH))
    returned = bought.where(scene.draw.random(len(bought)) < REFUNDED)
    return _within(scene, joined(bought, _refunds(scene, returned)))


def shared_orders(scene: SimulationContext, draw: np.random.Generator) -> EventRows:
    """Orders by common random numbers: two lives of the same customers differ in who is there to order.

    Category, amount, place and refund of every order are drawn as if nobody left; those of customers who have
    left are dropped afterwards. So what a contact does to spend can be told from two simulations: whoever
    stays in both buys the same in both.
    """
    scene = replace(scene, draw=draw)
    who, when, real = scene.candidates(ORDERS_A_MONTH)
    bought = _purchases(scene, who, when)
    returned = real & (draw.random(len(bought)) < REFUNDED)
    refunds = _refunds(scene, bought).where(returned)
    return _within(scene, joined(bought.where(real), refunds))


def _purchases(scene: SimulationContext, who: Rows, when: Times) -> EventRows:
    draw, crowd = scene.draw, scene.crowd
    order = crowd.categories
    category = liked(draw, order, who, 5)
    tired = (category == order[who, 0]) & (when >= crowd.tired[who])
    category = np.where(tired, order[who, 1 + draw.integers(0, 3, len(who))], category)
    amount = np.round(PRICES[category] * draw.lognormal(0.0, 0.35, len(who)) / 10) * 10
    how = draw.choice(3, len(who), p=[0.4, 0.35, 0.25])
    store = np.where(how == 0, (crowd.region[who] * 6 + draw.integers(0, 6, len(who))) % len(STORES), -1)
    return EventRows(who, when, {
        "kind": constant("purchase", len(who)),
        "amount": amount,
        "channel": (how, ("store", "web", "app")),
        "store": (store, STORES),
        "category": (category, CATEGORIES),
    })  # fmt: skip


def _refunds(scene: SimulationContext, bought: EventRows) -> EventRows:
    """The refund of each of these purchases."""
    delay = ((1 + 13 * scene.draw.random(len(bought))) * DAY).astype(np.int64) // MINUTE * MINUTE
    when = bought.when + delay
    columns = {
        **bought.columns,
        "kind": constant(REFUND, len(bought)),
        "amount": -np.asarray(bought.columns["amount"]),
    }
    return EventRows(bought.who, when, columns)


def _within(scene: SimulationContext, rows: EventRows) -> EventRows:
    return rows.where(rows.when < scene.span.end)


def content(scene: SimulationContext, inquiries: tuple[Rows, Times, Rows]) -> EventRows:
    """Articles, FAQ pages, tutorials and chatbot questions; some before an inquiry, on its topic."""
    draw = scene.draw
    who_asked, opened, topic = inquiries
    before = opened - (draw.random(len(who_asked)) * 36 * HOUR).astype(np.int64)
    helped = (draw.random(len(who_asked)) < 0.45) & scene.alive(who_asked, before)
    parts = []
    for kind, rate, titles, minutes in (
        ("article_read", 0.35, ARTICLES, 3.0),
        ("tutorial_watched", 0.12, TUTORIALS, 5.0),
        ("chatbot_asked", 0.1, FAQS, 2.0),
        ("faq_viewed", 0.12, FAQS, 2.0),
    ):
        who, when = scene.moments(rate)
        title = draw.integers(0, len(titles), len(who))
        if kind == "faq_viewed":
            who, when = np.r_[who, who_asked[helped]], np.r_[when, before[helped]]
            title = np.r_[title, topic[helped]]
        columns = {
            "kind": constant(kind, len(who)),
            "minutes": _minutes(scene, len(who), minutes),
            "title": (title, titles),
        }
        parts.append(EventRows(who, when, columns))
    return joined(*parts)


def social(scene: SimulationContext) -> EventRows:
    """Likes, comments and shares of the service's posts, mentions and posts of their own, with reach."""
    draw, crowd, span = scene.draw, scene.crowd, scene.span
    parts = []
    posts = tuple(f"post-{number:04}" for number in range(len(span.posts)))
    for kind, rate in (
        ("like", 1.2),
        ("comment", 0.25),
        ("share", 0.2),
        ("mention", 0.12),
        ("ugc_post", 0.1),
    ):
        who, when = scene.moments(np.where(crowd.social, rate, 0.0))
        if kind in ("mention", "ugc_post"):
            columns = {
                "kind": constant(kind, len(who)),
                "reach": np.round(draw.lognormal(5.0, 1.0, len(who))),
            }
            parts.append(EventRows(who, when, columns))
            continue
        post = np.searchsorted(span.posts, when, side="right") - 1 - draw.integers(0, 2, len(who))
        mask = post >= 0
        columns = {
            "kind": constant(kind, int(mask.sum())),
            "reach": span.reach[post[mask]],
            "post": (post[mask], posts),
        }
        parts.append(EventRows(who[mask], when[mask], columns))
    return joined(*parts)


def community(scene: SimulationContext) -> EventRows:
    """Posts and replies in the community, events attended, referrals made and reviews written."""
    draw, crowd = scene.draw, scene.crowd
    happy = np.where(crowd.temper > 8.5, 1.8, 0.5)
    parts = []
    for kind, rate, words in (
        ("community_post", np.where(crowd.social, 0.25, 0.02), FEATURES),
        ("reply", np.where(crowd.social, 0.3, 0.03), FEATURES),
        ("event_attended", np.where(crowd.social, 0.1, 0.03), EVENTS),
        ("referral_made", 0.035 * happy, ()),
        ("review_posted", 0.04 * happy, CATEGORIES),
    ):
        who, when = scene.moments(rate)
        columns = {"kind": constant(kind, len(who))}
        if words:
            columns["about"] = (draw.integers(0, len(words), len(who)), words)
        parts.append(EventRows(who, when, columns))
    return joined(*parts)


def _minutes(scene: SimulationContext, count: int, typical: float) -> Floats:
    return np.round(scene.draw.lognormal(np.log(typical), 0.7, count), 1)
