"""`[console]`: its title, how long people stay signed in, and which proxies may say who somebody is."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, ConfigDict, Field, field_validator

from serving.schemas.roles import Role

HOUR = 3_600_000_000
"""Microseconds."""


class ConsoleSettings(BaseModel):
    """`[console]`: the screens that people work in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(
        default="",
        max_length=60,
        description="what the console calls the project; the folder's name when empty",
    )
    idle_hours: float = Field(
        default=8.0, gt=0, le=720, description="after so many hours without a visit a person signs in again"
    )
    session_hours: float = Field(
        default=168.0, gt=0, le=2160, description="after so many hours a person signs in again in any case"
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description='addresses or networks of proxies that sign people in, such as ["10.0.0.5"]; only they '
        "may send the headers below, from anybody else these are removed",
    )
    user_header: str = Field(
        default="X-Forwarded-User",
        pattern="^[A-Za-z0-9-]+$",
        description="the header in which such a proxy names the person",
    )
    role_header: str = Field(
        default="",
        pattern="^[A-Za-z0-9-]*$",
        description="the header in which such a proxy names roles or groups, separated by commas; when "
        "empty, the role is that of the account of the same name",
    )
    roles: dict[str, Role] = Field(
        default_factory=dict,
        description="which role a group in `role_header` has; of several the first in the header counts. "
        "The names of the roles themselves need no entry",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for one in proxies:
            try:
                network = ipaddress.ip_network(one)
            except ValueError:
                raise ValueError(
                    f"write an address such as 10.0.0.5 or a network such as 10.0.0.0/24, not {one}"
                ) from None
            if network.prefixlen == 0:
                raise ValueError(f"name the proxies themselves: {one} is every address there is")
        return proxies

    @property
    def idle_limit(self) -> int:
        """Microseconds without a visit after which a session ends."""
        return round(self.idle_hours * HOUR)

    @property
    def session_limit(self) -> int:
        """Microseconds after which a session ends in any case."""
        return round(self.session_hours * HOUR)
