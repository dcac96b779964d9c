"""Every use case names a permission, and every permission says who has it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from features.errors import Forbidden
from serving.application.permissions import COMMAND_LINE, GRANTS, Permission, Role, key_holder, person

APPLICATION = Path(__file__).parents[3] / "serving" / "application"
FRAME = {"permissions.py", "workspace.py", "cluster.py", "erasure_lists.py"}
KNOWN = {"predict", "export_list", "erase", "promote", "train", "backup"}
"""Use cases of every sub-package: the search for them must find these."""


def use_case_functions() -> list[tuple[str, ast.FunctionDef]]:
    """The public functions of the application layer, each with the file that holds it."""
    return [
        (str(file.relative_to(APPLICATION)), node)
        for file in sorted(APPLICATION.rglob("*.py"))
        if file.name not in FRAME
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


def permission_of(function: ast.FunctionDef) -> str | None:
    """The permission in `@use_case("…")`, None where there is no such decorator."""
    for decorator in function.decorator_list:
        if (
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Name)
            and decorator.func.id == "use_case"
            and isinstance(decorator.args[0], ast.Constant)
        ):
            return str(decorator.args[0].value)
    return None


def test_every_use_case_names_a_permission_of_the_table() -> None:
    functions = use_case_functions()
    assert {function.name for _, function in functions} >= KNOWN
    unnamed = [
        f"{file}: {function.name}" for file, function in functions if permission_of(function) not in GRANTS
    ]
    assert unnamed == []


def test_the_table_has_every_permission_and_gives_each_to_somebody() -> None:
    assert set(GRANTS) == set(get_args(Permission))
    assert all("administrator" in grant.roles for grant in GRANTS.values())


@pytest.mark.parametrize("role", get_args(Role))
def test_a_role_has_what_the_table_says_and_no_more(role: Role) -> None:
    actor = person("someone", role)
    for permission, grant in GRANTS.items():
        if role in grant.roles:
            actor.require(permission)
        else:
            with pytest.raises(Forbidden, match=f"takes the permission '{permission}'"):
                actor.require(permission)


def test_a_key_opens_what_its_scopes_carry_and_admin_opens_everything() -> None:
    reader = key_holder("crm", ("read",))
    reader.require("read_customer")
    with pytest.raises(Forbidden) as refused:
        reader.require("predict")
    assert refused.value.message == (
        "cannot let 'crm' do this: it takes the permission 'predict', which a key with the scope 'score' "
        "has. Ask an administrator for it."
    )
    assert key_holder("root", ("admin",)).permissions == COMMAND_LINE.permissions
