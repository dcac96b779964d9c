"""The roles of people."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["viewer", "marketer", "analyst", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)
