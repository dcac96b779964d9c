"""The table of permissions: who has what."""

from __future__ import annotations

from typing import get_args

import pytest

from features.errors import Forbidden
from serving.application.permissions import COMMAND_LINE, GRANTS, Permission, Role, key_holder, person


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
