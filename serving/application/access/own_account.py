"""One's own account: password, sessions, and signing out."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import UsageError, WrongPassword
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state.accounts import people
from serving.state.accounts.passwords import check_password, hash_password, is_right
from serving.state.accounts.people import Account
from serving.state.accounts.sessions import PersonSession, end_session, end_sessions, list_sessions
from serving.state.accounts.sign_in_pace import attempt, count_attempt, forget_attempt
from serving.state.audit_log import record_action


@dataclass(frozen=True)
class OwnAccount:
    """A person's own account and open sessions."""

    account: Account | None
    """None where a proxy signs the person in and there is no account of that name."""
    sessions: tuple[PersonSession, ...]


@dataclass(frozen=True)
class EndedSessions:
    """How many sessions were ended."""

    sessions: int


@use_case("own_account")
def own_account(workspace: Workspace, actor: Actor, token: str = "") -> OwnAccount:
    """The account of whoever asks, with the open sessions; `token` marks the one that asks."""
    found = people.find_account(workspace.database, actor.name) if actor.kind == "person" else None
    if found is None:
        return OwnAccount(None, ())
    idle = workspace.project.settings.console.idle_limit
    open_now = list_sessions(workspace.database, found.id, workspace.machine_now, idle, token)
    return OwnAccount(found, tuple(open_now))


@use_case("own_account")
def change_own_password(
    workspace: Workspace, actor: Actor, current: str, new: str, *, token: str, address: str = ""
) -> Account:
    """Change one's own password and end the other sessions; raises `WrongPassword` for a wrong current one.

    Wrong ones count like those at sign-in: whoever finds a browser open cannot try one after the other.
    """
    found, database, now = _own(workspace, actor), workspace.database, workspace.machine_now
    one = attempt(f"own password of {found.name}", address, is_known_address=True)
    wait = count_attempt(database, one, now)
    if wait or not is_right(people.password_hash_of(database, found.name), current):
        raise WrongPassword(
            "cannot change the password: the present one is wrong. Type it again, or ask an administrator "
            "for a one-time link.",
            field="current",
        )
    check_password(new, found.name)
    people.set_password(
        database,
        found.name,
        hash_password(new),
        workspace.clock(),
        now,
        who=actor.name,
        current_session=token,
    )
    forget_attempt(database, one)
    return found


@use_case("own_account")
def sign_out(workspace: Workspace, actor: Actor, token: str) -> EndedSessions:
    """End the session of this token."""
    with workspace.database.writing() as connection:
        ended = end_session(connection, token, workspace.machine_now)
        record_action(connection, actor.name, "sign out", workspace.clock())
    return EndedSessions(ended)


@use_case("own_account")
def sign_out_elsewhere(workspace: Workspace, actor: Actor, token: str) -> EndedSessions:
    """End one's own sessions in other browsers."""
    found = _own(workspace, actor)
    with workspace.database.writing() as connection:
        ended = end_sessions(connection, found.id, workspace.machine_now, current=token)
        record_action(connection, actor.name, "sign out elsewhere", workspace.clock())
    return EndedSessions(ended)


def _own(workspace: Workspace, actor: Actor) -> Account:
    found = people.find_account(workspace.database, actor.name) if actor.kind == "person" else None
    if found is None:
        raise UsageError(
            "cannot change an account of yours: there is none. Sign in with a name and a password."
        )
    return found
