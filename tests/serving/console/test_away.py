"""A store that cannot be read: the console says that the data are away, and comes back with them."""

from __future__ import annotations

from pathlib import Path

import httpx

from serving.console.app import Console
from tests.serving.console.list_visits import hosting
from tests.serving.event_loops import run_apart


def test_a_store_that_cannot_be_read_is_a_page_that_says_so_and_no_fault(own_shop: Path) -> None:
    logs = sorted((own_shop / "state" / "events").rglob("_delta_log/*.json"))
    newest = {log.parent: log for log in logs}
    before = {log: log.read_bytes() for log in newest.values()}
    with hosting(own_shop) as host:
        console = Console(host)

        def asked(path: str) -> httpx.Response:
            async def get() -> httpx.Response:
                transport = httpx.ASGITransport(console, client=("127.0.0.1", 1))
                async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                    return await client.get(path)

            return run_apart(get())

        assert asked("/customer?id=c0000").status_code == 200
        for log in before:
            log.write_bytes(b"{ no log")
        for path in ("/customer?id=c0001", "/data", "/"):
            for language, title in (("en", "Temporarily unavailable"), ("ja", "一時的に利用できません")):
                answer = asked(f"{path}{'&' if '?' in path else '?'}language={language}")
                assert (answer.status_code, title in answer.text) == (503, True), path
        for log, text in before.items():
            log.write_bytes(text)
        assert asked("/customer?id=c0001").status_code == 200
