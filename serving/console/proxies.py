"""What proxies before the service say: who the person is, from where they come, and whether over https.

Only proxies of `[console] trusted_proxies` are believed. From anybody else the headers that name a person or
a role are removed before a page sees the request.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request
from starlette.types import Scope

from serving.project.console_settings import ConsoleSettings

LONGEST = 100
"""Characters of a name that a proxy sends."""


@dataclass(frozen=True)
class VouchedName:
    """A person as a trusted proxy names them."""

    name: str
    groups: tuple[str, ...] | None
    """What the proxy says of roles; None where it is not asked."""


class TrustedProxies:
    """The proxies of a project that sign people in."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._networks = tuple(ipaddress.ip_network(one) for one in settings.trusted_proxies)
        self._user = settings.user_header.lower().encode()
        self._role = settings.role_header.lower().encode()

    def trusts(self, address: str) -> bool:
        """Whether an address is that of a trusted proxy."""
        if not self._networks:
            return False
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        plain = getattr(found, "ipv4_mapped", None) or found
        return any(plain in network for network in self._networks)

    def believed(self, scope: Scope) -> Scope:
        """The request with headers about the person only where a trusted proxy sent it."""
        if self.trusts(sender(scope)):
            return scope
        names = {self._user, self._role}
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in names]
        return {**scope, "headers": headers}

    def vouched(self, scope: Scope) -> VouchedName | None:
        """Whom a trusted proxy names; None without one, and where the name is missing or sent twice."""
        if not self.trusts(sender(scope)):
            return None
        names = _values(scope, self._user)
        if len(names) != 1 or not 1 <= len(names[0]) <= LONGEST or not names[0].isprintable():
            return None
        if not self._role:
            return VouchedName(names[0], None)
        groups = ",".join(_values(scope, self._role)).split(",")
        return VouchedName(names[0], tuple(one.strip() for one in groups if one.strip()))

    def address(self, scope: Scope) -> str:
        """From where a request comes: its sender, or whom trusted proxies name before themselves."""
        here = sender(scope)
        if not self.trusts(here):
            return here
        for one in reversed(",".join(_values(scope, b"x-forwarded-for")).split(",")):
            try:
                here = str(ipaddress.ip_address(one.strip()))
            except ValueError:
                break
            if not self.trusts(here):
                break
        return here

    def is_https(self, request: Request) -> bool:
        """Whether the browser speaks https, as far as it or a trusted proxy says.

        Browsers send `Sec-Fetch-Site` over https only, and to this machine.
        """
        if request.url.scheme == "https" or "sec-fetch-site" in request.headers:
            return True
        if request.headers.get("origin", "").startswith("https://"):
            return True
        said = request.headers.get("x-forwarded-proto", "")
        return self.trusts(sender(request.scope)) and said.strip().lower() == "https"


def sender(scope: Scope) -> str:
    """The address that sent a request; empty where the server does not know it."""
    client = scope.get("client")
    return "" if client is None else str(client[0])


@lru_cache(maxsize=256)
def is_this_machine(name: str) -> bool:
    """Whether the host of an address is the browser's own machine."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _values(scope: Scope, name: bytes) -> list[str]:
    values = [value for header, value in scope["headers"] if header.lower() == name]
    return [_text(value).strip() for value in values]


def _text(value: bytes) -> str:
    """A header as text: UTF-8 where it is, as proxies send Japanese names."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
