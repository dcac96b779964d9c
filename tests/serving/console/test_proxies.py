"""Which proxies are believed, and what of what they say."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.types import Scope

from features.errors import ConfigurationError
from serving.console.proxies import TrustedProxies, VouchedName
from serving.project.console_settings import ConsoleSettings
from serving.project.settings import Settings, read

SETTINGS = ConsoleSettings(trusted_proxies=("10.0.0.5", "10.1.0.0/16"), role_header="X-Groups")
PROXIES = TrustedProxies(SETTINGS)


def request(sender: str | None, **headers: str) -> Scope:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = None if sender is None else (sender, 1)
    return {"type": "http", "client": client, "headers": pairs, "scheme": "http", "path": "/", "server": None}


@pytest.mark.parametrize("sender", ["10.0.0.6", "192.0.2.1", "127.0.0.1", "", "unix:", None])
def test_from_anybody_else_the_headers_are_removed(sender: str | None) -> None:
    scope = request(sender, x_forwarded_user="eve", X_Groups="administrator", accept="text/html")
    believed = PROXIES.believed(scope)
    assert [name for name, _ in believed["headers"]] == [b"accept"]
    assert PROXIES.vouched(scope) is None
    assert TrustedProxies(ConsoleSettings()).vouched(scope) is None


@pytest.mark.parametrize("sender", ["10.0.0.5", "10.1.2.3", "::ffff:10.0.0.5"])
def test_a_trusted_proxy_names_a_person_and_groups(sender: str) -> None:
    scope = request(sender, x_forwarded_user="花子", x_groups="staff, crm-team,")
    assert PROXIES.believed(scope) == scope
    assert PROXIES.vouched(scope) == VouchedName("花子", ("staff", "crm-team"))


def test_a_name_that_is_missing_sent_twice_or_none_is_nobodys() -> None:
    for headers in (
        {},
        {"x_forwarded_user": ""},
        {"x_forwarded_user": "x" * 101},
        {"x_forwarded_user": "a\x01"},
    ):
        assert PROXIES.vouched(request("10.0.0.5", **headers)) is None
    twice = request("10.0.0.5", x_forwarded_user="hanako", X_Forwarded_User="taro")
    assert PROXIES.vouched(twice) is None


def test_the_address_is_the_last_that_no_trusted_proxy_has() -> None:
    forged = "203.0.113.9, 198.51.100.7, 10.1.0.9"
    assert PROXIES.address(request("10.0.0.5", x_forwarded_for=forged)) == "198.51.100.7"
    assert PROXIES.address(request("192.0.2.1", x_forwarded_for=forged)) == "192.0.2.1"
    assert PROXIES.address(request("10.0.0.5", x_forwarded_for="zork")) == "10.0.0.5"
    assert PROXIES.address(request(None)) == ""


def test_https_is_told_by_the_browser_or_a_trusted_proxy() -> None:
    def is_https(sender: str, **headers: str) -> bool:
        return PROXIES.is_https(Request(request(sender, host="kizuna.example.com", **headers)))

    assert not is_https("192.0.2.1")
    assert not is_https("192.0.2.1", origin="http://kizuna.example.com")
    assert not is_https("192.0.2.1", x_forwarded_proto="https")
    assert is_https("10.0.0.5", x_forwarded_proto="https")
    assert is_https("192.0.2.1", origin="https://kizuna.example.com")
    assert is_https("192.0.2.1", sec_fetch_site="none")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('trusted_proxies = ["proxy.example"]', "write an address such as 10.0.0.5"),
        ('trusted_proxies = ["0.0.0.0/0"]', "is every address there is"),
        ('user_header = "X User"', "user_header"),
        ('roles = { "crm-team" = "boss" }', "boss"),
        ("idle_hours = 0", "idle_hours"),
        ('role = "x"', "Write `roles` instead"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_key(tmp_path: object, line: str, message: str) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "kizuna.toml").write_text(f"[console]\n{line}\n")
    with pytest.raises(ConfigurationError, match="console") as refused:
        read(folder)
    assert message in refused.value.message


def test_nobody_is_trusted_by_default() -> None:
    assert Settings().console.trusted_proxies == ()
