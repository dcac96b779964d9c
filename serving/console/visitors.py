"""Who visits the console: a signed-in person, or whoever sits at a machine whose service is open."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from starlette.requests import Request

from serving.application.permissions import OPEN_CONSOLE, Actor
from serving.console.host import ConsoleHost

VISIT_COOKIE = "kizuna_visit"
"""A random word that ties forms to a browser where nobody is signed in."""


@dataclass(frozen=True)
class Visitor:
    """Who asks, and the secret of their browser that forms are tied to."""

    actor: Actor
    secret: str
    is_signed_in: bool
    """False where the service is open and everybody at this machine is let in."""

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


def visitor(host: ConsoleHost, request: Request) -> Visitor | None:
    """Who sent a request; None for who has to sign in first."""
    if host.is_open(request.scope):
        secret = request.cookies.get(VISIT_COOKIE) or new_secret()
        return Visitor(OPEN_CONSOLE, secret, is_signed_in=False)
    return None
