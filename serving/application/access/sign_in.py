"""Signing in: with name and password, with a one-time link, or vouched for by a trusted proxy."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import TooFast, WrongPassword
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.schemas.roles import ROLES, Role
from serving.state.accounts import links, people, sessions
from serving.state.accounts.passwords import check_password, hash_password, is_outdated, is_right
from serving.state.accounts.sign_in_pace import attempt, count_attempt, forget_attempt
from serving.state.audit_log import record_action


@dataclass(frozen=True)
class Whereabouts:
    """From where somebody signs in."""

    address: str
    agent: str


@dataclass(frozen=True)
class NewSession:
    """A session that began just now; the only time that its token is known."""

    name: str
    role: Role
    token: str


@dataclass(frozen=True)
class KnownPerson:
    """Who a session or a trusted proxy says that somebody is."""

    name: str
    display_name: str
    role: Role


@dataclass(frozen=True)
class LinkOwner:
    """Whose one-time link it is."""

    name: str
    display_name: str


@use_case("sign_in")
def needs_first_account(workspace: Workspace, actor: Actor) -> bool:
    """Whether nobody can sign in because there is no account."""
    return not people.any_account(workspace.database)


@use_case("sign_in")
def sign_in(
    workspace: Workspace, actor: Actor, name: str, password: str, place: Whereabouts, *, earlier: str = ""
) -> NewSession:
    """Begin a session; `earlier` is the token of the browser's session of before, which ends.

    Raises `TooFast` where attempts came too fast, and `WrongPassword`, which does not tell whether the name
    is known and takes as long for one that is not.
    """
    database, now = workspace.database, workspace.machine_now
    found = people.find_account(database, name)
    known_here = found is not None and sessions.knows_address(database, found.id, place.address)
    one = attempt(name, place.address, is_known_address=known_here)
    wait = count_attempt(database, one, now)
    if wait:
        raise TooFast(
            f"cannot sign in now: there were too many wrong passwords. Try again in {_duration(wait)}.",
            retry_after_seconds=wait,
        )
    password_hash = people.password_hash_of(database, name)
    if not is_right(password_hash, password) or found is None:
        with database.writing() as connection:
            who = "unknown" if found is None else found.name
            record_action(connection, who, "sign-in refused", workspace.clock(), details=place.address)
        raise WrongPassword(
            "cannot sign in: the name or the password is wrong. Check both, or ask an administrator for a "
            "one-time link.",
            field="password",
        )
    if is_outdated(password_hash):
        people.replace_hash(database, found.id, hash_password(password))
    forget_attempt(database, one)
    return _begin(workspace, found, place, earlier)


@use_case("sign_in")
def link_owner(workspace: Workspace, actor: Actor, token: str) -> LinkOwner:
    """Whose one-time link it is; raises `UsageError` for one that opens nothing any more."""
    found = links.account_of_link(workspace.database, token, workspace.machine_now)
    return LinkOwner(found.name, found.display_name)


@use_case("sign_in")
def use_link(
    workspace: Workspace, actor: Actor, token: str, password: str, place: Whereabouts, *, earlier: str = ""
) -> NewSession:
    """Choose a password with a one-time link, and begin a session."""
    database, now = workspace.database, workspace.machine_now
    found = links.account_of_link(database, token, now)
    check_password(password, found.name)
    links.use_link(database, token, hash_password(password), workspace.clock(), now)
    return _begin(workspace, found, place, earlier)


@use_case("sign_in")
def person_of_session(workspace: Workspace, actor: Actor, token: str) -> KnownPerson | None:
    """Who a session's token says that somebody is; None where it opens nothing."""
    settings = workspace.project.settings.console
    found = sessions.find_session(workspace.database, token, workspace.machine_now, settings.idle_limit)
    return None if found is None else KnownPerson(found.name, found.display_name, found.role)


@use_case("sign_in")
def vouched_person(
    workspace: Workspace, actor: Actor, name: str, groups: tuple[str, ...] | None
) -> KnownPerson | None:
    """Who a trusted proxy says that somebody is; None where neither groups nor an account give a role.

    `groups` are what the proxy says of roles, None where it is not asked. A disabled account lets nobody in.
    """
    found = people.find_account(workspace.database, name)
    if found is not None and not found.is_enabled:
        return None
    display_name = "" if found is None else found.display_name
    if groups is not None:
        roles = dict(workspace.project.settings.console.roles)
        for group in groups:
            for role in (roles.get(group), *(known for known in ROLES if known == group)):
                if role is not None:
                    return KnownPerson(people.checked_name(name), display_name, role)
        return None
    return None if found is None else KnownPerson(found.name, display_name, found.role)


def _begin(workspace: Workspace, found: people.Account, place: Whereabouts, earlier: str) -> NewSession:
    token = sessions.begin_session(
        workspace.database,
        found.id,
        found.name,
        workspace.clock(),
        workspace.machine_now,
        workspace.project.settings.console.session_limit,
        address=place.address,
        agent=place.agent,
        earlier=earlier,
    )
    return NewSession(found.name, found.role, token)


def _duration(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{-(-seconds // 60)} minutes"
