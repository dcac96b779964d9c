"""API keys: adding, listing, rotating and revoking them."""

from __future__ import annotations

from dataclasses import dataclass

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state import api_keys
from serving.state.api_keys import ApiKey

HOUR = 3_600_000_000
"""Microseconds."""


@dataclass(frozen=True)
class NewKey:
    """A key that was made just now; the only time that its text is known."""

    name: str
    key: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class KeyList:
    """Every key there is or was, oldest first, and the instant at which they were listed."""

    keys: tuple[ApiKey, ...]
    now: int


@dataclass(frozen=True)
class RotatedKey:
    """The new key of a name, and how many hours the old one still opens."""

    name: str
    key: str
    old_key_hours: float


@dataclass(frozen=True)
class RevokedKeys:
    """How many keys of a name were closed."""

    name: str
    closed: int


@use_case("manage_access")
def add_key(workspace: Workspace, actor: Actor, name: str, scopes: tuple[str, ...]) -> NewKey:
    """Make a key with these scopes; raises `UsageError` for a name in use and an unknown scope."""
    key = api_keys.add_key(workspace.database, name, scopes, workspace.clock(), who=actor.name)
    return NewKey(name, key, tuple(sorted(set(scopes))))


@use_case("manage_access")
def list_keys(workspace: Workspace, actor: Actor) -> KeyList:
    """Every key there is or was, without the keys themselves."""
    return KeyList(tuple(api_keys.list_keys(workspace.database)), workspace.clock())


@use_case("manage_access")
def rotate_key(workspace: Workspace, actor: Actor, name: str, hours: float) -> RotatedKey:
    """Make a new key of this name; the old one opens for so many hours more."""
    now, grace = workspace.clock(), round(hours * HOUR)
    key = api_keys.rotate_key(workspace.database, name, now, grace, who=actor.name)
    return RotatedKey(name, key, hours)


@use_case("manage_access")
def revoke_keys(workspace: Workspace, actor: Actor, name: str) -> RevokedKeys:
    """Close every key of this name at once, a rotated one in its grace too."""
    closed = api_keys.revoke_keys(workspace.database, name, workspace.clock(), who=actor.name)
    return RevokedKeys(name, closed)
