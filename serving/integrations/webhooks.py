"""Telling other systems of changes: signed, repeated until taken, and kept when nobody takes them.

A delivery is a POST of up to a hundred changes. `Kizuna-Signature` is the HMAC-SHA256 of the timestamp, a
dot and the body; `Kizuna-Delivery` stays the same when a delivery is repeated, so that a receiver that
answered too late can see that it has it already. What waits holds customer keys, never names.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from features.storage.customer_ids import Customers
from serving.integrations.crm_columns import Webhook
from serving.scoring.score_changes import ScoreChange, plain
from serving.state.outbox import Outbox

AT_ONCE = 100
PATIENCE = 10.0
"""Seconds that a receiver has to answer."""
ATTEMPTS = 8
LONGEST = 3_600
"""Seconds between two attempts, at most."""
SECOND = 1_000_000


def enlist(
    outbox: Outbox,
    webhook: Webhook,
    found: Sequence[ScoreChange],
    about: Mapping[str, Any],
    between: str,
    now: int,
) -> int:
    """Put changes into the outbox; those `between` the same two scorings are taken once. Says how many."""
    taken = 0
    for start in range(0, len(found), AT_ONCE):
        part = found[start : start + AT_ONCE]
        key = hashlib.sha256(f"{webhook.name}\n{between}\n{start}".encode()).hexdigest()[:32]
        content = json.dumps({**about, "changes": [plain(change) for change in part]}, ensure_ascii=False)
        taken += len(part) if outbox.put(key, webhook.name, content, now) else 0
    return taken


def send_due(
    outbox: Outbox, webhooks: Mapping[str, Webhook], customers: Customers, clock: Callable[[], int]
) -> dict[str, int]:
    """Send what is due once; says how many were taken, will be tried again, and are dead."""
    said = {"sent": 0, "again": 0, "dead": 0}
    for delivery in outbox.due(clock()):
        now = clock()
        # Whoever takes it has it for longer than an attempt lasts: two senders do not send at once.
        if not outbox.claim(delivery, now + round(3 * PATIENCE * SECOND)):
            continue
        webhook = webhooks.get(delivery.webhook)
        if webhook is None:
            said["dead"] += 1
            outbox.bury(delivery, "there is no webhook of that name any more")
            continue
        content = named(delivery.content, customers)
        trouble = "" if content is None else post(webhook, delivery.key, content, now // SECOND)
        if not trouble:
            said["sent"] += 1
            outbox.done(delivery, now)
        elif delivery.attempts + 1 >= ATTEMPTS:
            said["dead"] += 1
            outbox.bury(delivery, trouble)
        else:
            said["again"] += 1
            outbox.again(delivery, now + pause(delivery.attempts) * SECOND, trouble)
    return said


def pause(attempts: int) -> int:
    """Seconds until the next attempt: 2, 4, 8 … an hour."""
    return min(LONGEST, 2 << attempts)


def named(content: str, customers: Customers) -> bytes | None:
    """The body with names for keys; those erased meanwhile are left out, and None when nobody is left."""
    said = json.loads(content)
    names = customers.names(np.array([change["key"] for change in said["changes"]])).to_pylist()
    kept = []
    for name, change in zip(names, said["changes"], strict=True):
        if name is not None:
            del change["key"]
            kept.append({"customer_id": name, **change})
    said["changes"] = kept
    return json.dumps(said, ensure_ascii=False).encode() if kept else None


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
