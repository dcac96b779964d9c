"""Who visits the console: a signed-in person, whoever sits at an open service's machine, or nobody yet."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.requests import Request

from serving.application.access.sign_in import KnownPerson, Whereabouts, person_of_session, vouched_person
from serving.application.permissions import NOBODY_YET, OPEN_CONSOLE, Actor, person
from serving.console.host import ConsoleHost
from serving.console.proxies import TrustedProxies, is_this_machine
from serving.schemas.roles import Role

VISIT_COOKIE = "kizuna_visit"
"""A random word that ties forms to a browser where there is no session."""
SESSION_COOKIE = "kizuna_session"
PREFIX = "__Host-"
"""Browsers take a cookie of such a name over https alone, and from this host only."""
REMEMBERED_FOR = 3.0
"""Seconds for which a process believes what it read about a session: so long may one go on that was ended in
another process."""
MOST_REMEMBERED = 10_000
NOWHERE = Whereabouts("", "")


@dataclass(frozen=True)
class Visitor:
    """Who asks, and the secret of their browser that forms are tied to."""

    actor: Actor
    secret: str
    is_signed_in: bool
    is_open: bool = False
    """Whether the service is open, so that everybody at this machine is let in."""
    shown_name: str = ""
    role: Role | None = None
    token: str = ""
    """The token of the session; empty for who is signed in by a proxy."""
    refused_name: str = ""
    """Whom a trusted proxy named who has no role here."""
    place: Whereabouts = NOWHERE
    is_https: bool = True
    """Whether the browser keeps a cookie that is sent over https alone."""
    origin: str = ""
    """How the browser reaches the service, such as https://kizuna.example.com."""

    @property
    def csrf_token(self) -> str:
        """What a form of this browser must hold: another site can make it send a form, but not read this."""
        return hmac.new(self.secret.encode(), b"csrf", hashlib.sha256).hexdigest()

    def sent(self, token: str) -> bool:
        """Whether a form holds this visitor's token."""
        return hmac.compare_digest(self.csrf_token.encode(), token.encode("utf-8", "replace"))


def new_secret() -> str:
    """A random word for a cookie."""
    return secrets.token_urlsafe(32)


def session_cookie(request: Request) -> tuple[str, bool]:
    """The name of the session's cookie, and whether it is for https alone: everywhere but on this machine."""
    if is_this_machine(request.url.hostname or ""):
        return SESSION_COOKIE, False
    return PREFIX + SESSION_COOKIE, True


class Visitors:
    """Finds out who sends requests; what was read about sessions is believed for a moment."""

    def __init__(self, host: ConsoleHost, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._remembered: dict[tuple[str, ...], tuple[float, KnownPerson]] = {}
        self.proxies = TrustedProxies(host.service.project.settings.console)

    def forget(self) -> None:
        """Read all sessions anew: something was changed."""
        self._remembered.clear()

    def nobody(self, request: Request) -> Visitor:
        """The visitor of a request that nobody is known for."""
        return Visitor(
            NOBODY_YET,
            request.cookies.get(VISIT_COOKIE) or new_secret(),
            is_signed_in=False,
            place=Whereabouts(self.proxies.address(request.scope), request.headers.get("user-agent", "")),
            origin=_origin(request),
            is_https=is_this_machine(request.url.hostname or "") or self.proxies.is_https(request),
        )

    def visitor(self, request: Request, *, is_open: bool) -> Visitor:
        """Who sent a request, whose untrusted headers were removed."""
        nobody = self.nobody(request)
        if is_open:
            return replace(nobody, actor=OPEN_CONSOLE, is_open=True)
        workspace = self._host.service.workspace
        vouched = self.proxies.vouched(request.scope)
        if vouched is not None:
            groups = vouched.groups
            found = self._read(
                ("proxy", vouched.name, *(groups or ())),
                lambda: vouched_person(workspace, NOBODY_YET, vouched.name, groups),
            )
            if found is None:
                return replace(nobody, refused_name=vouched.name)
            return _signed_in(found, nobody, nobody.secret, "")
        token = request.cookies.get(session_cookie(request)[0], "")
        if not token:
            return nobody
        found = self._read(("session", token), lambda: person_of_session(workspace, NOBODY_YET, token))
        return nobody if found is None else _signed_in(found, nobody, token, token)

    def _read(self, key: tuple[str, ...], read: Callable[[], KnownPerson | None]) -> KnownPerson | None:
        remembered = self._remembered.get(key)
        if remembered is not None and self._clock() - remembered[0] < REMEMBERED_FOR:
            return remembered[1]
        found = read()
        if found is None:
            self._remembered.pop(key, None)
            return None
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = self._clock(), found
        return found


def _signed_in(found: KnownPerson, nobody: Visitor, secret: str, token: str) -> Visitor:
    return replace(
        nobody,
        actor=person(found.name, found.role),
        secret=secret,
        is_signed_in=True,
        shown_name=found.display_name or found.name,
        role=found.role,
        token=token,
    )


def _origin(request: Request) -> str:
    """The beginning of addresses as the browser writes them; off this machine they are https."""
    here = is_this_machine(request.url.hostname or "")
    return f"{request.url.scheme if here else 'https'}://{request.url.netloc}"
