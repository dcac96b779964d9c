"""Commands about people: accounts, roles, passwords, and who is let in no more."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from features.errors import UsageError
from serving.cli.context import CliContext

if TYPE_CHECKING:
    from serving.state.accounts.people import Account

ROLES = click.Choice(["viewer", "marketer", "analyst", "administrator"])
PASSWORD_STDIN = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the standard input, its first line."
)


@click.group()
def users() -> None:
    """People and their roles: who may sign in to the console."""


@users.command("add")
@click.argument("name")
@click.option("--role", default="viewer", show_default=True, type=ROLES, help="What the person may do.")
@click.option("--display-name", default="", metavar="TEXT", help="The name as people read it [NAME].")
@PASSWORD_STDIN
@click.pass_obj
def add_user(call: CliContext, name: str, role: str, display_name: str, password_stdin: bool) -> None:
    """Make an account called NAME; asks for its password.

    \b
    Example:
      kizuna users add hanako --role administrator
    """
    from serving.application.access.people import add_person

    password = _password(call, from_stdin=password_stdin)
    with call.workspace() as workspace:
        made = add_person(workspace, call.actor, name, role, password=password, display_name=display_name)
    call.answer(
        {"name": made.name, "role": made.role},
        f"Added {made.name} as {made.role}. Sign in at /sign-in of the running service (`kizuna serve`).",
    )


@users.command("list")
@click.pass_obj
def list_users(call: CliContext) -> None:
    """Every account there is, with roles and the last sign-in."""
    from serving.application.access.people import list_people

    with call.workspace() as workspace:
        listed = list_people(workspace, call.actor)

    def day(instant: int | None) -> str | None:
        return None if instant is None else call.day(instant)

    rows = [
        {
            "name": one.account.name,
            "display_name": one.account.display_name,
            "role": one.account.role,
            "created_at": day(one.account.created_at),
            "disabled_at": day(one.account.disabled_at),
            "last_sign_in_at": day(one.account.last_sign_in_at),
            "sessions": one.sessions,
        }
        for one in listed.people
    ]

    def use(account: Account) -> str:
        if account.disabled_at is not None:
            return f"disabled {day(account.disabled_at)}"
        return f"last sign-in {day(account.last_sign_in_at) or 'never'}"

    lines = [f"{one.account.name}: {one.account.role}; {use(one.account)}" for one in listed.people]
    call.answer(
        {"users": rows},
        *(lines or ["There are no accounts. Make one with `kizuna users add NAME --role administrator`."]),
    )


@users.command("role")
@click.argument("name")
@click.argument("role", type=ROLES)
@click.pass_obj
def user_role(call: CliContext, name: str, role: str) -> None:
    """Give NAME another ROLE; open sessions follow within seconds."""
    from serving.application.access.people import change_role

    with call.workspace() as workspace:
        changed = change_role(workspace, call.actor, name, role)
    call.answer({"name": changed.name, "role": changed.role}, f"{changed.name} is {changed.role} now.")


@users.command("password")
@click.argument("name")
@PASSWORD_STDIN
@click.pass_obj
def user_password(call: CliContext, name: str, password_stdin: bool) -> None:
    """Give NAME another password and end their sessions."""
    from serving.application.access.people import set_password

    password = _password(call, from_stdin=password_stdin)
    with call.workspace() as workspace:
        changed = set_password(workspace, call.actor, name, password)
    call.answer(
        {"name": changed.name, "password_changed": True},
        f"{changed.name} has another password now, and was signed out everywhere.",
    )


@users.command("disable")
@click.argument("name")
@click.pass_obj
def disable_user(call: CliContext, name: str) -> None:
    """Let NAME in no more; what they did stays in the audit log."""
    _let_in(call, name, is_let_in=False)


@users.command("enable")
@click.argument("name")
@click.pass_obj
def enable_user(call: CliContext, name: str) -> None:
    """Let NAME, who was disabled, in again."""
    _let_in(call, name, is_let_in=True)


def _let_in(call: CliContext, name: str, *, is_let_in: bool) -> None:
    from serving.application.access.people import disable_person, enable_person

    with call.workspace() as workspace:
        changed = (enable_person if is_let_in else disable_person)(workspace, call.actor, name)
    said = f"Enabled {changed.name}." if is_let_in else f"Disabled {changed.name}."
    call.answer({"name": changed.name, "disabled": not is_let_in}, said)


@users.command("sign-out")
@click.argument("name")
@click.pass_obj
def sign_out_user(call: CliContext, name: str) -> None:
    """End every session of NAME, in every browser."""
    from serving.application.access.people import sign_out_person

    with call.workspace() as workspace:
        ended = sign_out_person(workspace, call.actor, name)
    call.answer({"name": ended.name, "sessions": ended.sessions}, f"Signed {ended.name} out everywhere.")


def _password(call: CliContext, *, from_stdin: bool) -> str:
    """A password from the terminal, typed twice, or the first line of the standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError(
            "cannot ask for a password: there is no terminal. Run the command in one, or pass the password "
            "on the standard input with --password-stdin.",
            field="password_stdin",
        )
    typed: str = click.prompt(
        call.translated("Password"),
        hide_input=True,
        confirmation_prompt=call.translated("Once more"),
        err=True,
    )
    return typed
