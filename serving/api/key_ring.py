"""Authentication: the API keys of a project as the service holds them, and who may call without one."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Scope

from serving.application.permissions import Actor, key_holder
from serving.state.api_keys import ApiKey, digest

USE_NOTED_EVERY = 60_000_000
"""Microseconds between two notes of a key's last use."""

CLIENT_ADDRESS_HEADERS = frozenset(
    {
        b"cf-connecting-ip",
        b"fastly-client-ip",
        b"true-client-ip",
        b"via",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-real-ip",
    }
)
"""Headers in which proxies name themselves or the client, besides every one with `forwarded` in its name."""


@dataclass(frozen=True)
class _HeldKey:
    key: ApiKey
    actor: Actor


class KeyRing:
    """The keys that open the service at this moment, by hash.

    Closed until the keys were read once. A service without any key and account is open to this machine only
    where it was started so (`open_without_keys`); the first key or account closes it for as long as the
    process runs, so that revoking the last key never opens it.
    """

    def __init__(self, *, open_without_keys: bool) -> None:
        self._open_without_keys = open_without_keys
        self._were_read = False
        self._held: dict[str, _HeldKey] = {}
        self._used: dict[int, int] = {}

    @property
    def is_open(self) -> bool:
        """Whether a program on this machine needs no key."""
        return self._open_without_keys and self._were_read

    @property
    def is_empty(self) -> bool:
        """Whether no key opens the service."""
        return not self._held

    def replace(self, keys: Iterable[ApiKey], now: int, *, any_account: bool = False) -> None:
        """Hold these keys instead, those of them that open at this instant; accounts close like keys."""
        self._held = {
            key.hash: _HeldKey(key, key_holder(key.name, key.scopes)) for key in keys if key.opens(now)
        }
        if self._held or any_account:
            self._open_without_keys = False
        self._were_read = True

    def actor(self, token: str, now: int) -> Actor | None:
        """Whose key this is, None where it is not valid; notes that it was used."""
        given = digest(token)
        held = self._held.get(given)
        if held is None or not hmac.compare_digest(held.key.hash, given) or not held.key.opens(now):
            return None
        key = held.key
        if now - max(key.last_used_at or 0, self._used.get(key.id, 0)) > USE_NOTED_EVERY:
            self._used[key.id] = now
        return held.actor

    def take_uses(self) -> dict[int, int]:
        """The last use of each key since this was asked before, by the key's id."""
        used, self._used = self._used, {}
        return used

    def put_back_uses(self, used: dict[int, int]) -> None:
        """Keep uses that could not be written, until they are taken again."""
        self._used = used | self._used


def is_from_this_machine(scope: Scope) -> bool:
    """Whether a request was sent by a program on this machine to the service itself.

    Its sender and its `Host` must be loopback and it may carry no header of a proxy: a proxy on this
    machine sends other people's requests from a loopback address, and a web page that resolves its own
    name to 127.0.0.1 sends them under that name. A proxy that adds no header and sends its own address as
    `Host` cannot be told from a program on this machine: none may stand before an open service.
    """
    client = scope.get("client")
    if client is None or not is_loopback(client[0]):
        return False
    # Every stored score passes here: one search through the joined names takes a third of a loop's time.
    names = [name for name, _ in scope["headers"]]
    if b"forwarded" in b"\n".join(names) or not CLIENT_ADDRESS_HEADERS.isdisjoint(names):
        return False
    return names.count(b"host") == 1 and _is_loopback_host(header(scope, b"host"))


def header(scope: Scope, name: bytes) -> str:
    """The value of a header, empty where it is missing."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


@lru_cache(maxsize=256)
def is_loopback(address: str) -> bool:
    """Whether an address or name is this machine's own."""
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _is_loopback_host(value: str) -> bool:
    """Whether a `Host` header names this machine, with or without a port."""
    host = value.strip()
    if host.startswith("["):
        name, closed, port = host[1:].partition("]")
        port = port.removeprefix(":") if closed else "?"
    else:
        name, _, port = host.partition(":")
    return is_loopback(name) and (not port or port.isdecimal())
