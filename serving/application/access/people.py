"""People: adding, listing, roles, passwords, links, disabling, and signing them out everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state.accounts import links, people
from serving.state.accounts.passwords import check_password, hash_password
from serving.state.accounts.people import Account
from serving.state.accounts.sessions import PersonSession, end_sessions, list_sessions, open_sessions
from serving.state.audit_log import record_action

LINK_HOURS = 24
HOUR = 3_600_000_000
"""Microseconds."""


@dataclass(frozen=True)
class ListedPerson:
    """An account and how many sessions it has open."""

    account: Account
    sessions: int


@dataclass(frozen=True)
class PeopleList:
    """Every account, in the order in which they were made."""

    people: tuple[ListedPerson, ...]


@dataclass(frozen=True)
class PersonDetails:
    """One account and its open sessions."""

    account: Account
    sessions: tuple[PersonSession, ...]
    link_is_open: bool
    """Whether a one-time link waits to be used."""


@dataclass(frozen=True)
class AccountLink:
    """A one-time link with which a person chooses a password; the only time that its token is known."""

    account: Account
    token: str
    hours: int


@dataclass(frozen=True)
class SignedOutPerson:
    """How many sessions of a person were ended."""

    name: str
    sessions: int


@use_case("manage_access")
def add_person(
    workspace: Workspace, actor: Actor, name: str, role: str, *, password: str, display_name: str = ""
) -> Account:
    """Make an account with this password; raises `UsageError` for a name in use or a weak password."""
    people.checked_role(role)
    text = people.checked_name(name)
    check_password(password, text)
    return people.add_account(
        workspace.database,
        text,
        role,
        workspace.clock(),
        who=actor.name,
        display_name=display_name,
        password_hash=hash_password(password),
    )


@use_case("manage_access")
def invite_person(
    workspace: Workspace, actor: Actor, name: str, role: str, *, display_name: str = ""
) -> AccountLink:
    """Make an account whose person chooses the password, with a one-time link valid for a day."""
    made = people.add_account(
        workspace.database, name, role, workspace.clock(), who=actor.name, display_name=display_name
    )
    return _link(workspace, actor, made.name)


@use_case("manage_access")
def link_person(workspace: Workspace, actor: Actor, name: str) -> AccountLink:
    """A new one-time link for a person who forgot the password; the password opens until the link is used."""
    return _link(workspace, actor, name)


@use_case("manage_access")
def list_people(workspace: Workspace, actor: Actor) -> PeopleList:
    """Every account there is, without any secret."""
    database, now, idle = (
        workspace.database,
        workspace.machine_now,
        workspace.project.settings.console.idle_limit,
    )
    counts = open_sessions(database, now, idle)
    return PeopleList(
        tuple(ListedPerson(one, counts.get(one.id, 0)) for one in people.list_accounts(database))
    )


@use_case("manage_access")
def show_person(workspace: Workspace, actor: Actor, name: str) -> PersonDetails:
    """The account of a name with its open sessions; raises `UsageError` where there is none."""
    found, now = people.account(workspace.database, name), workspace.machine_now
    sessions = list_sessions(workspace.database, found.id, now, workspace.project.settings.console.idle_limit)
    return PersonDetails(found, tuple(sessions), (found.link_expires_at or 0) > now)


@use_case("manage_access")
def change_role(workspace: Workspace, actor: Actor, name: str, role: str) -> Account:
    """Give a person another role; raises `UsageError` for the last administrator."""
    return people.change_role(workspace.database, name, role, workspace.clock(), who=actor.name)


@use_case("manage_access")
def set_password(workspace: Workspace, actor: Actor, name: str, password: str) -> Account:
    """Give a person this password and end their sessions."""
    found = people.account(workspace.database, name)
    check_password(password, found.name)
    people.set_password(
        workspace.database,
        found.name,
        hash_password(password),
        workspace.clock(),
        workspace.machine_now,
        who=actor.name,
    )
    return found


@use_case("manage_access")
def disable_person(workspace: Workspace, actor: Actor, name: str) -> Account:
    """Let a person in no more, at once; raises `UsageError` for the last administrator."""
    return people.disable(workspace.database, name, workspace.clock(), workspace.machine_now, who=actor.name)


@use_case("manage_access")
def enable_person(workspace: Workspace, actor: Actor, name: str) -> Account:
    """Let a disabled person in again, with the password and the role of before."""
    return people.enable(workspace.database, name, workspace.clock(), who=actor.name)


@use_case("manage_access")
def sign_out_person(workspace: Workspace, actor: Actor, name: str) -> SignedOutPerson:
    """End every session of a person."""
    found = people.account(workspace.database, name)
    with workspace.database.writing() as connection:
        ended = end_sessions(connection, found.id, workspace.machine_now)
        record_action(connection, actor.name, "users sign-out", workspace.clock(), details=found.name)
    return SignedOutPerson(found.name, ended)


def _link(workspace: Workspace, actor: Actor, name: str) -> AccountLink:
    found, token = links.make_link(
        workspace.database,
        name,
        workspace.clock(),
        workspace.machine_now,
        LINK_HOURS * HOUR,
        who=actor.name,
    )
    return AccountLink(found, token, LINK_HOURS)
