"""Who may do what: one table of permissions, the roles of people and the scopes of keys that carry each.

A use case names its permission with `@use_case(...)`; a call by an actor without it is refused before
anything is read. A test fails where a function of the application layer names none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, TypeVar, cast

from features.errors import Forbidden
from serving.application.workspace import ProjectFolder, Workspace
from serving.schemas.roles import ROLES, Role

Permission = Literal[
    "read_customer",
    "read_text",
    "download",
    "save_filter",
    "read_report",
    "read_model",
    "predict",
    "append_events",
    "contact",
    "record_contact",
    "draft_campaign",
    "start_campaign",
    "edit_playbook",
    "analyse",
    "run",
    "promote",
    "erase",
    "operate",
    "manage_access",
    "own_account",
    "sign_in",
]
Scope = Literal["read", "score", "write", "admin"]
Kind = Literal["person", "key", "local"]

_EVERYONE = ROLES


@dataclass(frozen=True)
class Grant:
    """Which roles of people and which scopes of keys carry a permission."""

    roles: tuple[Role, ...]
    scopes: tuple[Scope, ...]
    meaning: str


GRANTS: dict[Permission, Grant] = {
    "read_customer": Grant(_EVERYONE, ("read",), "scores, reasons, lists and plans of named customers"),
    "read_text": Grant(("marketer", "analyst", "administrator"), (), "what people wrote of customers"),
    "download": Grant(("marketer", "analyst", "administrator"), ("read",), "the list as a file"),
    "save_filter": Grant(
        ("marketer", "analyst", "administrator"),
        ("write",),
        "filters of the list under a name, for everybody",
    ),
    "read_report": Grant(_EVERYONE, ("read",), "aggregates: the engagement report"),
    "read_model": Grant(("analyst", "administrator"), ("admin",), "trained versions and their figures"),
    "predict": Grant(("analyst", "administrator"), ("score",), "live scores of events that are sent"),
    "append_events": Grant(("administrator",), ("write",), "events that are sent, kept in the store"),
    "contact": Grant(("marketer", "administrator"), ("read",), "lists that leave Kizuna: exports, webhooks"),
    "record_contact": Grant(
        ("marketer", "administrator"), ("write",), "contacts and refusals of contact that a person notes"
    ),
    "draft_campaign": Grant(("marketer", "analyst", "administrator"), ("write",), "campaigns not yet drawn"),
    "start_campaign": Grant(("marketer", "administrator"), ("admin",), "drawing treatment and control"),
    "edit_playbook": Grant(("marketer", "administrator"), ("admin",), "the rules of the plan"),
    "analyse": Grant(("analyst", "administrator"), ("admin",), "doctor, feature tables, backtests"),
    "run": Grant(("analyst", "administrator"), ("admin",), "ingest, train, score and plan"),
    "promote": Grant(("administrator",), ("admin",), "another model in the champion's place"),
    "erase": Grant(("administrator",), ("admin",), "erasing and readmitting customers"),
    "operate": Grant(("administrator",), ("admin",), "new projects, backups, packages"),
    "manage_access": Grant(("administrator",), ("admin",), "keys, people and the audit log"),
    "own_account": Grant(_EVERYONE, (), "one's own password and sessions"),
    "sign_in": Grant(_EVERYONE, (), "saying who one is, before which nothing else is allowed"),
}


@dataclass(frozen=True)
class Actor:
    """Who calls a use case: a person, a key of a system, or whoever sits at this machine."""

    name: str
    kind: Kind
    permissions: frozenset[Permission]

    def require(self, permission: Permission) -> None:
        """Raise `Forbidden` where the actor lacks a permission."""
        if permission not in self.permissions:
            raise Forbidden(self.name, permission, GRANTS[permission].scopes if self.kind == "key" else ())


COMMAND_LINE = Actor("command line", "local", frozenset(GRANTS))
"""Whoever can run the command can read and write the project's files: everything is allowed."""

OPEN_SERVICE = Actor("local", "local", frozenset({"read_customer", "download", "read_report", "predict"}))
"""Whoever calls a service that was started with `kizuna serve --open`, from the same machine and without a
key: a web page or a proxy could be behind the call, so it reads and predicts, and changes nothing."""


_NOT_OPEN: frozenset[Permission] = frozenset(
    {"promote", "erase", "operate", "manage_access", "own_account", "sign_in"}
)
OPEN_CONSOLE = Actor(
    "local",
    "local",
    frozenset(name for name, grant in GRANTS.items() if "analyst" in grant.roles) - _NOT_OPEN,
)
"""Whoever opens the console of a service started with `kizuna serve --open` on this machine: an analyst
without keys, accounts, promotion and erasure. Its forms carry a token, so that no web page can send one."""


NOBODY_YET = Actor("nobody", "local", frozenset({"sign_in"}))
"""Whoever meets the sign-in page."""


def person(name: str, role: Role) -> Actor:
    """A signed-in person."""
    return Actor(
        name, "person", frozenset(permission for permission, grant in GRANTS.items() if role in grant.roles)
    )


def key_holder(name: str, scopes: tuple[str, ...]) -> Actor:
    """A system that sent a key with these scopes; the scope `admin` opens everything."""
    opened = (
        permission
        for permission, grant in GRANTS.items()
        if "admin" in scopes or any(scope in grant.scopes for scope in scopes)
    )
    return Actor(name, "key", frozenset(opened))


Place = TypeVar("Place", Workspace, ProjectFolder)
P = ParamSpec("P")
R = TypeVar("R")
UseCase = Callable[Concatenate[Place, Actor, P], R]

USE_CASES: dict[str, Permission] = {}
"""The permission of every use case that was imported, by its dotted name."""


def use_case(permission: Permission) -> Callable[[UseCase[Place, P, R]], UseCase[Place, P, R]]:
    """Mark a function `(workspace, actor, …)` as a use case that needs a permission.

    One that makes a project takes a `ProjectFolder` in the place of the workspace.
    """

    def decorate(function: UseCase[Place, P, R]) -> UseCase[Place, P, R]:
        USE_CASES[f"{function.__module__}.{function.__name__}"] = permission

        @wraps(function)
        def checked(place: Place, actor: Actor, *arguments: P.args, **options: P.kwargs) -> R:
            actor.require(permission)
            return function(place, actor, *arguments, **options)

        return cast(UseCase[Place, P, R], checked)

    return decorate
