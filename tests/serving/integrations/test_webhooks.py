"""Word of changes reaches a real receiver that fails, hangs and answers twice: signed, and counted once."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serving.integrations.webhooks
from features.errors import ConfigurationError
from serving.application.data.erase import erase
from serving.application.lists.notify import notify
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.integrations.webhooks import (
    ATTEMPTS,
    DeliveryCounts,
    ScoringPair,
    enlist,
    pause,
    send_due,
    signature,
)
from serving.project.integration_settings import Webhook
from serving.project.settings import read
from serving.scoring.score_changes import changes
from serving.state.outbox import Outbox
from serving.state.scores.score_file import Scores
from serving.state.scores.score_index import current_scores, scores_before
from tests.serving.running import COMMAND
from tests.serving.state.scores.test_score_file import FACTS, answers

SECRET = "a secret of some length"
SCORINGS = ScoringPair("2025-02-01", "2025-01-01", "3")


@dataclass
class Receiver:
    """An HTTP server that answers as told, and notes every body it was sent."""

    url: str = ""
    behaviour: list[str] = field(default_factory=list)
    """What to do next: `fail`, `hang`, or `late`, which takes it and answers too late; then take all."""
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    forged: int = 0


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(serving.integrations.webhooks, "PATIENCE", 0.3)
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            key, said = self.headers["Kizuna-Delivery"], json.loads(content)
            good = signature(SECRET, int(self.headers["Kizuna-Timestamp"]), content)
            state.forged += self.headers["Kizuna-Signature"] != good
            state.seen.append((key, said))
            what = state.behaviour.pop(0) if state.behaviour else "take"
            if what == "hang":
                time.sleep(0.6)
                return
            if what != "fail":
                state.taken.setdefault(key, said)
            if what == "late":
                time.sleep(0.6)
            self.send_response(500 if what == "fail" else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # the sender hung up first
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def hook(url: str) -> Webhook:
    return Webhook(name="crm", url=url, secret=SECRET, tier_falls=True, probability=0.5)


@pytest.fixture
def outbox(own_shop: Path) -> Iterator[Outbox]:
    with CliContext(own_shop).records() as records:
        yield Outbox(records)


def delivered(
    own_shop: Path, outbox: Outbox, webhook: Webhook, until: Callable[[], bool]
) -> list[DeliveryCounts]:
    """Send what is due, letting the clock run ahead by an hour each time."""
    call, hours, said = CliContext(own_shop), 0, []
    while not until():
        now = call.now + hours * 3_600_000_000
        said.append(send_due(outbox, {webhook.name: webhook}, call.store, lambda now=now: now))
        hours += 1
        assert hours < 20
    return said


def found(own_shop: Path) -> list[Any]:
    from serving.state.scores.score_file import load

    call = CliContext(own_shop)
    with call.records() as records:
        current = current_scores(records)
        assert current is not None
        earlier = scores_before(records, current.as_of)
        assert earlier is not None
        after, before = (load(call.project.scores / one.file) for one in (current, earlier))
    return list(changes(before, after, tier_falls=True, limit=0.5))


def test_a_customer_who_is_erased_while_notify_waits_is_not_named(own_shop: Path, receiver: Receiver) -> None:
    with (own_shop / "kizuna.toml").open("a") as file:
        file.write(
            f'\n[[webhooks]]\nname = "crm"\nurl = "{receiver.url}"\nsecret = "{SECRET}"\nprobability = 0.5\n'
        )
    receiver.behaviour = ["fail"] * 20
    with CliContext(own_shop).workspace() as workspace, CliContext(own_shop).workspace() as other:
        moments = itertools.count(workspace.clock(), 60_000_000)
        gone: list[str] = []

        def clock() -> int:
            if receiver.seen and not gone:
                gone.append(receiver.seen[0][1]["changes"][0]["customer_id"])
                erase(other, COMMAND_LINE, gone[0])
                receiver.behaviour.clear()
            return next(moments)

        notify(replace(workspace, clock=clock), COMMAND_LINE, wait=20)
    named = [change["customer_id"] for body in receiver.taken.values() for change in body["changes"]]
    assert gone
    assert named
    assert gone[0] not in named


def test_changes_are_falls_of_a_tier_and_crossings_from_below() -> None:
    before, after = answers(6), answers(6)
    tiers = [(2, 1), (1, 1), (0, 2), (2, 0), (1, 1), (1, 0)]
    risks = [(0.1, 0.4), (0.4, 0.6), (np.nan, 0.7), (0.9, 0.95), (0.7, 0.2), (0.2, np.nan)]
    for side, one in enumerate((before, after)):
        one.tier[:] = [pair[side] for pair in tiers]
        one.churn_probability[:] = [pair[side] for pair in risks]
    said = changes(Scores(before, FACTS), Scores(after, FACTS), tier_falls=True, limit=0.5)
    assert [(one.key // 3, one.kind, one.before, one.after) for one in said] == [
        (0, "tier_fell", "casual", "cooling"),
        (3, "tier_fell", "casual", "dormant"),
        (5, "tier_fell", "cooling", "dormant"),
        (1, "risk_crossed", 0.4, 0.6),
        (2, "risk_crossed", None, 0.7),
    ]


def test_a_receiver_that_fails_hangs_and_answers_late_gets_each_delivery_once(
    own_shop: Path, outbox: Outbox, receiver: Receiver
) -> None:
    webhook, some = hook(receiver.url), found(own_shop)
    assert some
    receiver.behaviour = ["fail", "hang", "late"]
    assert enlist(outbox, webhook, some, SCORINGS, "one\ntwo", 0) == len(some)
    assert enlist(outbox, webhook, some, SCORINGS, "one\ntwo", 0) == 0, "nothing twice"
    rounds = delivered(own_shop, outbox, webhook, lambda: not outbox.all("waiting"))
    assert len(rounds) >= 2
    assert receiver.forged == 0
    said = [change for body in receiver.taken.values() for change in body["changes"]]
    names = CliContext(own_shop).store.customers.names(np.array([one.key for one in some])).to_pylist()
    assert [(one["customer_id"], one["kind"]) for one in said] == [
        (name, one.kind) for name, one in zip(names, some, strict=True)
    ]
    assert len(receiver.seen) == len(receiver.taken) + 3, "the three that went wrong were sent again"
    assert {one.state for one in outbox.all("sent")} == {"sent"}


def test_what_nobody_takes_is_kept_dead_and_can_be_tried_again(
    own_shop: Path, outbox: Outbox, receiver: Receiver
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = hook(f"http://127.0.0.1:{free.getsockname()[1]}/")
    some = found(own_shop)[:3]
    enlist(outbox, nobody, some, SCORINGS, "one\ntwo", 0)
    rounds = delivered(own_shop, outbox, nobody, lambda: not outbox.all("waiting"))
    assert len(rounds) == ATTEMPTS
    assert rounds[-1] == DeliveryCounts(dead=1)
    (dead,) = outbox.all("dead")
    assert dead.trouble.startswith("it could not be reached: ")
    assert [pause(attempt) for attempt in (0, 1, 2, 20)] == [2, 4, 8, 3_600]
    assert outbox.revive(0) == 1
    delivered(own_shop, outbox, hook(receiver.url), lambda: not outbox.all("waiting"))
    assert list(receiver.taken) == [dead.key]


def test_an_erased_customer_is_in_no_delivery_that_waits(
    own_shop: Path, outbox: Outbox, receiver: Receiver
) -> None:
    some = found(own_shop)[:2]
    name = CliContext(own_shop).store.customers.names(np.array([some[0].key])).to_pylist()[0]
    enlist(outbox, hook(receiver.url), some, SCORINGS, "one\ntwo", 0)
    assert name not in outbox.all("waiting")[0].content
    subprocess.run([*COMMAND, "-C", str(own_shop), "erase", name], check=True, capture_output=True)
    delivered(own_shop, outbox, hook(receiver.url), lambda: not outbox.all("waiting"))
    told = [change["customer_id"] for body in receiver.taken.values() for change in body["changes"]]
    assert name not in told


def test_notify_tells_once_what_changed(own_shop: Path, receiver: Receiver) -> None:
    toml = own_shop / "kizuna.toml"
    toml.write_text(
        toml.read_text()
        + f'\n[[webhooks]]\nname = "crm"\nurl = "{receiver.url}"\nsecret = "{SECRET}"\nprobability = 0.5\n'
    )
    first, again = (
        json.loads(
            subprocess.run(
                [*COMMAND, "-C", str(own_shop), "--json", "notify"],
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for _ in range(2)
    )
    assert first["changes"] == len(found(own_shop))
    assert (first["sent"], first["waiting"], first["kept_dead"]) == (len(receiver.taken), 0, 0)
    assert (again["changes"], again["sent"]) == (0, 0)
    (body, *_) = receiver.taken.values()
    assert (body["as_of"], body["since"], body["model_version"]) == ("2025-02-01", "2025-01-01", "1")


def test_a_webhook_over_a_plain_line_is_refused(own_shop: Path) -> None:
    toml = own_shop / "kizuna.toml"
    toml.write_text(
        toml.read_text() + f'\n[[webhooks]]\nname = "crm"\nurl = "http://example.com/"\nsecret = "{SECRET}"\n'
    )
    with pytest.raises(ConfigurationError, match="write https: customers' names go over this line"):
        read(own_shop)
