"""Simulated dealings of the service with its customers: inquiries, surveys, campaigns, contracts."""

from __future__ import annotations

import numpy as np

from features.simulation.hazards import SLOW_MINUTES
from features.simulation.moments import EventRows, SimulationContext, constant, joined, moments
from features.simulation.people import DRIVES_AWAY, HELPS, NEVER, SimulatedCustomers
from features.simulation.world import (
    AGENTS,
    DAY,
    FEES,
    HOUR,
    MINUTE,
    PLANS,
    SLOW_AGENTS,
    TOPICS,
    Floats,
    RecordPeriod,
    Rows,
    Times,
)

KINDS = ("ticket_opened", "chat", "call", "complaint")
CHANNELS = ("email", "chat", "phone", "phone")


def inquiries(draw: np.random.Generator, crowd: SimulatedCustomers, span: RecordPeriod) -> EventRows:
    """Every inquiry customers would make if they stayed, with topic, agent and minutes to the answer."""
    who, when = moments(draw, crowd, 0.16, span)
    count = len(who)
    kind = draw.choice(len(KINDS), count, p=[0.55, 0.25, 0.12, 0.08])
    agent = draw.integers(0, len(AGENTS), count)
    quick = np.array([240.0, 8.0, 4.0, 90.0])[kind]
    slow = (agent < SLOW_AGENTS) & (draw.random(count) < 0.75) | (draw.random(count) < 0.08)
    minutes = np.where(
        slow, SLOW_MINUTES * (1.2 + draw.exponential(2.0, count)), quick * draw.lognormal(0.0, 0.6, count)
    )
    answered = (draw.random(count) > 0.03) & (when + (minutes * MINUTE).astype(np.int64) < span.end)
    return EventRows(who, when, {
        "kind": (kind, KINDS),
        "channel": (kind, CHANNELS),
        "topic": (draw.choice(len(TOPICS), count, p=[0.22, 0.24, 0.14, 0.2, 0.12, 0.08]), TOPICS),
        "agent": (agent, AGENTS),
        "minutes": np.where(answered, np.round(np.maximum(minutes, 0.5), 1), np.nan),
    })  # fmt: skip


def slow_answers(tickets: EventRows) -> tuple[Rows, Times]:
    """Whose inquiry was answered late or never, and from when that weighs."""
    minutes = np.asarray(tickets.columns["minutes"])
    late = ~(minutes <= SLOW_MINUTES)
    return tickets.who[late], tickets.when[late] + SLOW_MINUTES * MINUTE


def contacts(draw: np.random.Generator, crowd: SimulatedCustomers, span: RecordPeriod) -> EventRows:
    """Every personal contact the service would make: coupons and calls, to all who stay or not."""
    parts = []
    for kind, rate, cost in (("coupon_sent", 0.16, 300.0), ("call_made", 0.1, 800.0)):
        who, when = moments(draw, crowd, rate, span, steady=True)
        mask = ~crowd.do_not_contact[who]
        who, when = who[mask], when[mask] // DAY * DAY + 11 * HOUR
        later = when >= span.entry(crowd.start)[who]
        who, when = who[later], when[later]
        month = (when.astype("datetime64[us]").astype("datetime64[M]")).astype(np.int64)
        names = tuple(
            f"{kind.split('_')[0]}-{np.datetime64(m, 'M')}"
            for m in range(int(month.min(initial=0)), int(month.max(initial=0)) + 1)
        )
        parts.append(EventRows(who, when, {
            "kind": constant(kind, len(who)),
            "channel": constant("phone" if kind == "call_made" else "app", len(who)),
            "campaign": (month - month.min(initial=0), names),
            "cost": np.full(len(who), cost),
        }))  # fmt: skip
    return joined(*parts)


def mailings(scene: SimulationContext) -> EventRows:
    """The newsletter of every month, a push message in every other, and a greeting on the last day."""
    draw, crowd, span = scene.draw, scene.crowd, scene.span
    everyone = np.arange(len(crowd))
    parts = []
    for number, month in enumerate(span.months):
        name = str(np.datetime64(month, "us"))[:7]
        takes = crowd.subscribed & ~crowd.do_not_contact
        parts.append(
            _mailing(scene, everyone[takes], month + 4 * DAY + 10 * HOUR, "email_sent", f"newsletter-{name}")
        )
        if number % 2:
            some = takes & (draw.random(len(crowd)) < 0.5)
            parts.append(
                _mailing(scene, everyone[some], month + 19 * DAY + 18 * HOUR, "push_sent", f"push-{name}")
            )
    last = span.end - DAY
    day = str(np.datetime64(last, "us"))[:10]
    greeting = f"year-end-{day[:4]}" if day.endswith("12-31") else f"greeting-{day[:7]}"
    parts.append(_mailing(scene, everyone, last + 9 * HOUR, "email_sent", greeting))
    return joined(*parts)


def _mailing(scene: SimulationContext, who: Rows, at: int, kind: str, campaign: str) -> EventRows:
    when = at + scene.draw.integers(0, 60, len(who)) * MINUTE
    mask = scene.alive(who, when)
    who, when = who[mask], when[mask]
    return EventRows(who, when, {
        "kind": constant(kind, len(who)),
        "channel": constant("email" if kind == "email_sent" else "app", len(who)),
        "campaign": constant(campaign, len(who)),
        "cost": np.full(len(who), 1.0),
    })  # fmt: skip


def responses(scene: SimulationContext, sent: EventRows) -> EventRows:
    """Clicks on newsletters and coupons redeemed, within days of what was sent."""
    draw, crowd = scene.draw, scene.crowd
    codes, names = sent.columns["kind"]
    chance = np.array([{"email_sent": 0.09, "coupon_sent": 0.22}.get(name, 0.0) for name in names])[codes]
    chance = chance * np.where(crowd.effect[sent.who] == HELPS, 1.6, 1.0) * scene.use(sent.who, sent.when)
    back = sent.where(
        draw.random(len(sent)) < chance * np.where(crowd.effect[sent.who] == DRIVES_AWAY, 0.4, 1.0)
    )
    when = back.when + (draw.exponential(1.5, len(back)) * DAY).astype(np.int64) // MINUTE * MINUTE + MINUTE
    coupon = (
        np.asarray(back.columns["kind"][0]) == names.index("coupon_sent")
        if "coupon_sent" in names
        else np.zeros(len(back), bool)
    )
    columns = {
        "kind": (coupon.astype(np.int64), ("email_clicked", "coupon_redeemed")),
        "channel": back.columns["channel"],
        "campaign": back.columns["campaign"],
        "amount": np.where(coupon, 500.0, np.nan),
    }
    answered = EventRows(back.who, when, columns)
    return answered.where(scene.alive(back.who, when))


def surveys(scene: SimulationContext, tickets: EventRows) -> EventRows:
    """Answers on a scale of 0 to 10 (would you recommend us) and of 1 to 5 (were you satisfied)."""
    draw, crowd, span = scene.draw, scene.crowd, scene.span
    parts = []
    rounds = int(span.days_since(crowd.start) // 90) + 1
    everyone = np.repeat(np.arange(len(crowd)), rounds)
    ask = crowd.start[everyone] + np.tile(np.arange(rounds), len(crowd)) * 90 * DAY + 14 * DAY + 19 * HOUR
    ask += draw.integers(0, 180, len(ask)) * MINUTE
    mask = scene.alive(everyone, ask)
    who, when = everyone[mask], ask[mask]
    mood = _mood(scene, who, when)
    answered = crowd.answers[who] & (draw.random(len(who)) < np.where(mood < 6.5, 0.65, 0.35))
    first = ((when - crowd.start[who]) < 60 * DAY)[answered]
    parts.append(EventRows(who[answered], when[answered], {
        "kind": constant("nps", int(answered.sum())),
        "score": np.clip(np.round(mood[answered]), 0, 10),
        "touchpoint": (np.where(first, 0, 1), ("onboarding", "relationship")),
    }))  # fmt: skip
    minutes = np.asarray(tickets.columns["minutes"])
    with_answer = tickets.where(~np.isnan(minutes))
    minutes = minutes[~np.isnan(minutes)]
    when = with_answer.when + (minutes * MINUTE).astype(np.int64) + HOUR
    mood = _mood(scene, with_answer.who, with_answer.when) / 2 - np.where(minutes > SLOW_MINUTES, 1.6, 0.0)
    answered = crowd.answers[with_answer.who] & (draw.random(len(with_answer)) < np.where(mood < 3, 0.6, 0.3))
    answered &= scene.alive(with_answer.who, when)
    parts.append(EventRows(with_answer.who[answered], when[answered], {
        "kind": constant("csat", int(answered.sum())),
        "score": np.clip(np.round(mood[answered]), 1, 5),
        "touchpoint": constant("support", int(answered.sum())),
    }))  # fmt: skip
    who, when = scene.moments(np.where(crowd.answers, 0.12, 0.0))
    parts.append(EventRows(who, when, {
        "kind": constant("csat", len(who)),
        "score": np.clip(np.round(_mood(scene, who, when) / 2), 1, 5),
        "touchpoint": (draw.integers(0, 2, len(who)), ("checkout", "app")),
    }))  # fmt: skip
    return joined(*parts)


def _mood(scene: SimulationContext, who: Rows, when: Times) -> Floats:
    """Satisfaction at a time, in points of the 0–10 question: the causes of leaving spoil it."""
    strain = np.log(scene.strain(who, when)) if len(who) else np.empty(0)
    mood: Floats = scene.crowd.temper[who] - 1.5 * strain + scene.draw.normal(0, 1.1, len(who))
    return mood


def contracts(scene: SimulationContext) -> tuple[EventRows, Rows]:
    """Contracts started, renewed each year, upgraded or downgraded once, and cancelled.

    Returns their rows, and the plan of each customer at the end of the period.
    """
    draw, crowd, lives, span = scene.draw, scene.crowd, scene.lives, scene.span
    n = len(crowd)
    everyone = np.arange(n)
    change_at = span.entry(crowd.start) + ((60 + draw.exponential(400, n)) * DAY).astype(np.int64)
    happy = scene.strain(everyone, np.minimum(change_at, span.end - 1)) <= 1.0
    step = np.where(happy & (draw.random(n) < 0.75), 1, -1)
    step = np.where((crowd.plan + step >= 0) & (crowd.plan + step < len(PLANS)), step, 0)
    changes = (step != 0) & scene.alive(everyone, change_at)
    after = np.where(changes, change_at, NEVER)
    years = np.arange(1, int(span.days_since(crowd.start) // 365) + 1)
    whom = np.repeat(everyone, len(years))
    renewed_at = crowd.start[whom] + np.tile(years, n) * 365 * DAY
    renews = scene.alive(whom, renewed_at) & (renewed_at < lives.left[whom])
    back, left, again = lives.back < span.end, lives.left < span.end, lives.left_again < span.end
    up, down = changes & (step > 0), changes & (step < 0)
    begins = crowd.start >= span.start
    rows: list[tuple[Rows, Times, int]] = [
        (everyone[begins], crowd.start[begins], 0),
        (everyone[back], lives.back[back], 0),
        (whom[renews], renewed_at[renews], 1),
        (everyone[up], change_at[up], 2),
        (everyone[down], change_at[down], 3),
        (everyone[left], lives.left[left], 4),
        (everyone[again], lives.left_again[again], 4),
    ]
    who = np.concatenate([row[0] for row in rows])
    when = np.concatenate([row[1] for row in rows])
    kind = np.repeat([row[2] for row in rows], [len(row[0]) for row in rows])
    plan = crowd.plan[who] + np.where(when >= after[who], step[who], 0)
    happenings = EventRows(who, when, {
        "kind": (kind, ("started", "renewed", "upgraded", "downgraded", "cancelled")),
        "plan": (plan, PLANS),
        "fee": FEES[plan],
    })  # fmt: skip
    return happenings, crowd.plan + np.where(changes, step, 0)
