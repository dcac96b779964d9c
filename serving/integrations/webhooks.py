"""Telling other systems of changes: signed, repeated until taken, and stored when nobody takes them.

A delivery is a POST of up to a hundred changes. `Kizuna-Signature` is the HMAC-SHA256 of the timestamp, a
dot and the body; `Kizuna-Delivery` stays the same when a delivery is repeated, so that a receiver that
answered too late can see that it has it already. What waits holds customer keys, never names.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from features.event_store import EventStore
from features.events.consent import refuses_channel
from features.storage.customer_ids import Customers
from serving.project.integration_settings import Webhook
from serving.schemas.json_text import to_json
from serving.schemas.plan_responses import CustomerOutcome
from serving.schemas.terms import ASKED_NOT_TO, IN_CONTROL, OUTCOMES
from serving.scoring.score_changes import ScoreChange
from serving.state.outbox import Outbox

AT_ONCE = 100
PATIENCE = 10.0
"""Seconds that a receiver has to answer."""
ATTEMPTS = 8
LONGEST = 3_600
"""Seconds between two attempts, at most."""
SECOND = 1_000_000


@dataclass(frozen=True)
class ScoringPair:
    """The two scorings whose changes are sent."""

    as_of: str
    since: str
    model_version: str


@dataclass(frozen=True)
class _StoredChanges(ScoringPair):
    """A delivery as it waits in the outbox: customers by key."""

    changes: list[ScoreChange]


@dataclass(frozen=True)
class TreatedCustomers:
    """A part of a campaign's treatment arm as it waits in the outbox: customers by key."""

    campaign: str
    as_of: str
    model_version: str
    treated: list[int]
    channel: str = ""
    """The campaign's, empty where it has none."""


@dataclass(frozen=True)
class NamedTreated:
    """One customer of a treatment arm as they are sent."""

    customer_id: str
    outcome: str | None
    left_out_because: str | None
    refused_channels: tuple[str, ...]


@dataclass(frozen=True)
class TreatmentPayload:
    """The body of a delivery about a campaign; the control group is in none."""

    campaign: str
    as_of: str
    model_version: str
    customers: list[NamedTreated]


@dataclass(frozen=True)
class ReportedStep:
    """A step of a run that is not done, or of which something should be looked at."""

    step: str
    state: str
    """`failed`, `blocked`, `held` or `done`."""
    messages: list[str]


@dataclass(frozen=True)
class RunReport:
    """The body of a delivery about a run of the schedule; it names no customer."""

    run: int
    day: str
    run_state: str
    """`done`, `held` or `failed`."""
    steps: list[ReportedStep]


@dataclass(frozen=True)
class NamedChange:
    """One change as it is sent."""

    customer_id: str
    kind: str
    before: str | float | None
    after: str | float
    outcome: str | None = None
    """`planned`, or why nobody should act on it; None where no plan was made and nothing forbids contact."""
    left_out_because: str | None = None
    refused_channels: tuple[str, ...] = ()
    """Over which channels nobody may contact the customer; `all` for all of them."""


@dataclass(frozen=True)
class ChangesPayload(ScoringPair):
    """The body of a delivery."""

    changes: list[NamedChange]


@dataclass
class DeliveryCounts:
    """What became of the deliveries that were due."""

    sent: int = 0
    again: int = 0
    """Will be tried again."""
    dead: int = 0


Outcomes = Callable[[NDArray[np.int64]], Sequence[CustomerOutcome]]
"""For customers by key their outcome now, why they are left out, and the channels they refuse."""

_STORED: TypeAdapter[_StoredChanges | TreatedCustomers | RunReport] = TypeAdapter(
    _StoredChanges | TreatedCustomers | RunReport
)
_NEVER_SENT = (OUTCOMES[ASKED_NOT_TO], OUTCOMES[IN_CONTROL])
"""Customers of a treatment arm who have one of these outcomes by the time of a delivery are left out."""


def enlist(
    outbox: Outbox,
    webhook: Webhook,
    changes: Sequence[ScoreChange],
    scorings: ScoringPair,
    between: str,
    now: int,
) -> int:
    """Put changes into the outbox; those `between` the same two scorings are taken once. Returns how many."""
    taken = 0
    for start in range(0, len(changes), AT_ONCE):
        part = list(changes[start : start + AT_ONCE])
        key = hashlib.sha256(f"{webhook.name}\n{between}\n{start}".encode()).hexdigest()[:32]
        content = to_json(_StoredChanges(**vars(scorings), changes=part))
        taken += len(part) if outbox.put(key, webhook.name, content, now) else 0
    return taken


def enlist_treated(outbox: Outbox, webhook: Webhook, arm: TreatedCustomers, export_id: str, now: int) -> bool:
    """Put a campaign's treatment arm into the outbox, once for each export; says whether it was put there."""
    is_new = True
    for start in range(0, len(arm.treated), AT_ONCE):
        part = replace(arm, treated=arm.treated[start : start + AT_ONCE])
        name = f"{webhook.name}\n{arm.campaign}\n{export_id}\n{start}"
        key = hashlib.sha256(name.encode()).hexdigest()[:32]
        is_new &= outbox.put(key, webhook.name, to_json(part), now)
    return is_new


def enlist_run(outbox: Outbox, webhook: Webhook, report: RunReport, now: int) -> bool:
    """Put how a run ended into the outbox, once for each end; says whether it was put there."""
    name = f"{webhook.name}\nrun\n{report.run}\n{report.run_state}"
    key = hashlib.sha256(name.encode()).hexdigest()[:32]
    return outbox.put(key, webhook.name, to_json(report), now)


def send_due(
    outbox: Outbox,
    webhooks: Mapping[str, Webhook],
    store: EventStore,
    clock: Callable[[], int],
    outcomes: Outcomes | None = None,
) -> DeliveryCounts:
    """Send what is due once; `outcomes` says whether the customers of a change may be approached now."""
    counts = DeliveryCounts()
    for delivery in outbox.due(clock()):
        now = clock()
        # Whoever takes it has it for longer than an attempt lasts: two senders do not send at once.
        if not outbox.claim(delivery, now + round(3 * PATIENCE * SECOND)):
            continue
        webhook = webhooks.get(delivery.webhook)
        if webhook is None:
            counts.dead += 1
            outbox.bury(delivery, "there is no webhook of that name any more")
            continue
        # Read anew for each delivery: a customer who was erased in between is not named.
        content = named(delivery.content, store.customers, outcomes)
        trouble = "" if content is None else post(webhook, delivery.key, content, now // SECOND)
        if not trouble:
            counts.sent += 1
            outbox.done(delivery, now)
        elif delivery.attempts + 1 >= ATTEMPTS:
            counts.dead += 1
            outbox.bury(delivery, trouble)
        else:
            counts.again += 1
            outbox.again(delivery, now + pause(delivery.attempts) * SECOND, trouble)
    return counts


def pause(attempts: int) -> int:
    """Seconds until the next attempt: 2, 4, 8 … an hour."""
    return min(LONGEST, 2 << attempts)


def named(content: str, customers: Customers, outcomes: Outcomes | None = None) -> bytes | None:
    """The body with names for keys; those erased meanwhile are left out, and None when nobody is left."""
    stored = _STORED.validate_json(content)
    if isinstance(stored, RunReport):
        return to_json(stored).encode()
    if isinstance(stored, TreatedCustomers):
        return _named_treated(stored, customers, outcomes)
    keys = np.array([change.key for change in stored.changes])
    names = customers.names(keys).to_pylist()
    now = [CustomerOutcome(None, None, ())] * len(keys) if outcomes is None else outcomes(keys)
    changes = [
        NamedChange(name, change.kind, change.before, change.after, *outcome)
        for name, change, outcome in zip(names, stored.changes, now, strict=True)
        if name is not None
    ]
    payload = ChangesPayload(stored.as_of, stored.since, stored.model_version, changes)
    return to_json(payload).encode() if changes else None


def _named_treated(stored: TreatedCustomers, customers: Customers, outcomes: Outcomes | None) -> bytes | None:
    """The same of a treatment arm; who must not be contacted by now is left out too."""
    keys = np.array(stored.treated, np.int64)
    names = customers.names(keys).to_pylist()
    now = [CustomerOutcome(None, None, ())] * len(keys) if outcomes is None else outcomes(keys)
    treated = [
        NamedTreated(name, *outcome)
        for name, outcome in zip(names, now, strict=True)
        if name is not None
        and outcome.outcome not in _NEVER_SENT
        and not refuses_channel(outcome.refused_channels, stored.channel)
    ]
    payload = TreatmentPayload(stored.campaign, stored.as_of, stored.model_version, treated)
    return to_json(payload).encode() if treated else None


def signature(secret: str, timestamp: int, content: bytes) -> str:
    """What `Kizuna-Signature` holds."""
    return "v1=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + content, hashlib.sha256).hexdigest()


def post(webhook: Webhook, key: str, content: bytes, timestamp: int) -> str:
    """Send one body; empty when it was taken, else what went wrong. Redirections are not followed."""
    parts = urlsplit(webhook.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE)
    headers = {
        "Content-Type": "application/json",
        "Kizuna-Delivery": key,
        "Kizuna-Timestamp": str(timestamp),
        "Kizuna-Signature": signature(webhook.secret, timestamp, content),
    }
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, content, headers)
        answer = connection.getresponse()
        answer.read(1_000)
        return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return f"it could not be reached: {error or type(error).__name__}"
    finally:
        connection.close()
