"""Use cases of accounts: signing in, lock-out by pace, one's own account, proxies, and who may do what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from features.errors import Forbidden, TooFast, UsageError, WrongPassword
from serving.application.access import own_account, people
from serving.application.access.sign_in import (
    KnownPerson,
    Whereabouts,
    link_owner,
    needs_first_account,
    person_of_session,
    sign_in,
    use_link,
    vouched_person,
)
from serving.application.permissions import (
    COMMAND_LINE,
    NOBODY_YET,
    OPEN_CONSOLE,
    Actor,
    key_holder,
    person,
)
from serving.application.workspace import Workspace, open_workspace
from serving.project.settings import read
from serving.schemas.roles import ROLES
from serving.state.audit_log import audit_entries

GOOD = "seven lanterns over the bay"
OTHER = "nine boats under the bridge"
HERE = Whereabouts("10.0.0.1", "Firefox")
SECOND = 1_000_000
START = 10**15


@dataclass
class Clock:
    """A clock that tests move."""

    now: int = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_project(tmp_path: Path, clock: Clock) -> Iterator[Callable[[str], Workspace]]:
    opened: list[Workspace] = []

    def make(settings: str) -> Workspace:
        (tmp_path / "kizuna.toml").write_text(settings)
        opened.append(open_workspace(read(tmp_path), lambda: 1, clock))
        return opened[-1]

    yield make
    for one in opened:
        one.database.close()


@pytest.fixture
def project(open_project: Callable[[str], Workspace]) -> Workspace:
    """A project with one administrator; its time stands still as in a simulation, the machine's goes on."""
    workspace = open_project('timezone = "Asia/Tokyo"\n')
    people.add_person(workspace, COMMAND_LINE, "hanako", "administrator", password=GOOD)
    return workspace


def enter(project: Workspace, password: str = GOOD, place: Whereabouts = HERE, earlier: str = "") -> str:
    return sign_in(project, NOBODY_YET, "hanako", password, place, earlier=earlier).token


def whose(project: Workspace, token: str) -> KnownPerson | None:
    return person_of_session(project, NOBODY_YET, token)


def actions(project: Workspace) -> list[tuple[str, str, str]]:
    return [(one.who, one.action, one.details) for one in audit_entries(project.database)]


def test_whoever_signs_in_is_known_by_the_session_until_it_ends(project: Workspace) -> None:
    token = enter(project)
    assert whose(project, token) == KnownPerson("hanako", "", "administrator")
    hanako = person("hanako", "administrator")
    assert own_account.sign_out(project, hanako, token).sessions == 1
    assert whose(project, token) is None
    assert actions(project) == [
        ("hanako", "sign out", ""),
        ("hanako", "sign in", "10.0.0.1"),
        ("command line", "users add", "hanako as administrator"),
    ]


def test_a_session_is_made_anew_at_sign_in_and_the_one_before_ends(project: Workspace) -> None:
    first = enter(project)
    second = enter(project, earlier=first)
    assert first != second
    assert whose(project, first) is None
    assert whose(project, second) is not None


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(project: Workspace) -> None:
    messages = set()
    for name, password in (("hanako", "wrong"), ("zork", GOOD), ("hanako", ""), ("", "")):
        with pytest.raises(WrongPassword) as refused:
            sign_in(project, NOBODY_YET, name, password, HERE)
        messages.add(refused.value.message)
    assert messages == {
        "cannot sign in: the name or the password is wrong. Check both, or ask an administrator for a "
        "one-time link."
    }
    assert actions(project)[:3] == [
        ("unknown", "sign-in refused", "10.0.0.1"),
        ("hanako", "sign-in refused", "10.0.0.1"),
        ("unknown", "sign-in refused", "10.0.0.1"),
    ], "what was typed as a name may be a password: it is not written down"


def test_an_unknown_name_takes_as_long_as_a_wrong_password(project: Workspace) -> None:
    def seconds(name: str, address: str) -> float:
        began = perf_counter()
        with pytest.raises(WrongPassword):
            sign_in(project, NOBODY_YET, name, "wrong", Whereabouts(address, ""))
        return perf_counter() - began

    seconds("zork", "192.0.2.0")  # the first one makes the hash that nobody has
    known = median(seconds("hanako", f"192.0.2.{number}") for number in range(5))
    unknown = median(seconds("zork", f"192.0.2.{number}") for number in range(5, 10))
    assert 0.5 < unknown / known < 2


def test_after_five_wrong_passwords_even_the_right_one_waits_and_then_opens(
    project: Workspace, clock: Clock
) -> None:
    for _ in range(5):
        with pytest.raises(WrongPassword):
            enter(project, "wrong")
    with pytest.raises(TooFast) as refused:
        enter(project)
    assert refused.value.message == (
        "cannot sign in now: there were too many wrong passwords. Try again in 1 second."
    )
    assert refused.value.retry_after_seconds == 1
    clock.now += SECOND
    assert whose(project, enter(project)) is not None


def test_a_colleague_who_signed_in_here_before_is_not_locked_out_by_guesses_from_elsewhere(
    project: Workspace,
) -> None:
    enter(project)
    for number in range(15):
        with pytest.raises((WrongPassword, TooFast)):
            enter(project, "wrong", Whereabouts(f"192.0.2.{number}", ""))
    with pytest.raises(TooFast):
        enter(project, GOOD, Whereabouts("192.0.2.99", ""))
    assert whose(project, enter(project)) is not None


def test_a_disabled_person_is_out_at_once_and_gets_the_answer_of_a_wrong_password(project: Workspace) -> None:
    people.add_person(project, COMMAND_LINE, "taro", "viewer", password=GOOD)
    token = sign_in(project, NOBODY_YET, "taro", GOOD, HERE).token
    people.disable_person(project, COMMAND_LINE, "taro")
    assert whose(project, token) is None
    with pytest.raises(WrongPassword):
        sign_in(project, NOBODY_YET, "taro", GOOD, HERE)


def test_an_open_session_follows_a_change_of_role(project: Workspace) -> None:
    people.add_person(project, COMMAND_LINE, "taro", "viewer", password=GOOD)
    token = sign_in(project, NOBODY_YET, "taro", GOOD, HERE).token
    people.change_role(project, person("hanako", "administrator"), "taro", "analyst")
    assert whose(project, token) == KnownPerson("taro", "", "analyst")


def test_a_one_time_link_lets_a_person_choose_the_password_and_signs_in(
    project: Workspace, clock: Clock
) -> None:
    hanako = person("hanako", "administrator")
    link = people.invite_person(project, hanako, "taro", "marketer", display_name="佐藤 太郎")
    assert link_owner(project, NOBODY_YET, link.token).display_name == "佐藤 太郎"
    with pytest.raises(WrongPassword):
        sign_in(project, NOBODY_YET, "taro", "", HERE)
    with pytest.raises(UsageError, match="fewer than 12"):
        use_link(project, NOBODY_YET, link.token, "short", HERE)
    session = use_link(project, NOBODY_YET, link.token, OTHER, HERE)
    assert whose(project, session.token) == KnownPerson("taro", "佐藤 太郎", "marketer")
    with pytest.raises(UsageError, match=r"^cannot use this link: it was used already"):
        use_link(project, NOBODY_YET, link.token, GOOD, HERE)
    expired = people.link_person(project, hanako, "taro")
    clock.now += 24 * 3_600 * SECOND
    with pytest.raises(UsageError, match="or a day has passed"):
        link_owner(project, NOBODY_YET, expired.token)


def test_ones_own_password_takes_the_present_one_and_ends_the_other_sessions(project: Workspace) -> None:
    own, other = enter(project), enter(project)
    hanako = person("hanako", "administrator")
    with pytest.raises(WrongPassword, match="the present one is wrong"):
        own_account.change_own_password(project, hanako, "wrong", OTHER, token=own)
    with pytest.raises(UsageError, match="fewer than 12"):
        own_account.change_own_password(project, hanako, GOOD, "short", token=own)
    own_account.change_own_password(project, hanako, GOOD, OTHER, token=own)
    assert whose(project, own) is not None
    assert whose(project, other) is None
    assert whose(project, enter(project, OTHER)) is not None


def test_whoever_finds_a_browser_open_cannot_try_passwords_one_after_the_other(project: Workspace) -> None:
    token, hanako = enter(project), person("hanako", "administrator")
    for _ in range(5):
        with pytest.raises(WrongPassword):
            own_account.change_own_password(project, hanako, "wrong", OTHER, token=token)
    with pytest.raises(WrongPassword):
        own_account.change_own_password(project, hanako, GOOD, OTHER, token=token)


def test_signing_out_elsewhere_leaves_the_own_session(project: Workspace) -> None:
    own, other = enter(project), enter(project)
    hanako = person("hanako", "administrator")
    listed = own_account.own_account(project, hanako, own).sessions
    assert [one.is_own for one in listed].count(True) == 1
    assert own_account.sign_out_elsewhere(project, hanako, own).sessions == 1
    assert [whose(project, one) is None for one in (own, other)] == [False, True]
    assert people.sign_out_person(project, COMMAND_LINE, "hanako").sessions == 1
    assert whose(project, own) is None


def test_a_trusted_proxy_vouches_for_accounts_or_for_groups(open_project: Callable[[str], Workspace]) -> None:
    project = open_project('[console]\nroles = { "crm-team" = "marketer" }\n')

    def vouched(name: str, *groups: str, asks: bool = True) -> KnownPerson | None:
        return vouched_person(project, NOBODY_YET, name, groups if asks else None)

    assert vouched("hanako", asks=False) is None, "no account, no role"
    people.add_person(project, COMMAND_LINE, "hanako", "analyst", password=GOOD)
    assert vouched("hanako", asks=False) == KnownPerson("hanako", "", "analyst")
    assert vouched("taro", "staff", "crm-team") == KnownPerson("taro", "", "marketer")
    assert vouched("taro", "administrator") == KnownPerson("taro", "", "administrator")
    assert vouched("taro", "staff") is None
    assert vouched("hanako", "viewer") == KnownPerson("hanako", "", "viewer")
    people.disable_person(project, COMMAND_LINE, "hanako")
    assert vouched("hanako", "viewer") is None
    assert vouched("hanako", asks=False) is None


def test_what_needs_an_account_says_when_there_is_none(open_project: Callable[[str], Workspace]) -> None:
    project = open_project("")
    assert needs_first_account(project, NOBODY_YET)
    people.add_person(project, COMMAND_LINE, "hanako", "administrator", password=GOOD)
    assert not needs_first_account(project, NOBODY_YET)


MANAGING: tuple[Callable[[Workspace, Actor], object], ...] = (
    lambda project, actor: people.add_person(project, actor, "x", "viewer", password=GOOD),
    lambda project, actor: people.invite_person(project, actor, "x", "viewer"),
    lambda project, actor: people.link_person(project, actor, "hanako"),
    lambda project, actor: people.list_people(project, actor),
    lambda project, actor: people.show_person(project, actor, "hanako"),
    lambda project, actor: people.change_role(project, actor, "hanako", "viewer"),
    lambda project, actor: people.set_password(project, actor, "hanako", OTHER),
    lambda project, actor: people.disable_person(project, actor, "hanako"),
    lambda project, actor: people.enable_person(project, actor, "hanako"),
    lambda project, actor: people.sign_out_person(project, actor, "hanako"),
)


@pytest.mark.parametrize(
    "actor",
    [
        *(person("someone", role) for role in ROLES if role != "administrator"),
        NOBODY_YET,
        OPEN_CONSOLE,
        key_holder("crm", ("read", "score", "write")),
    ],
    ids=lambda actor: actor.name,
)
def test_accounts_of_others_are_the_administrators_alone(project: Workspace, actor: Actor) -> None:
    before = actions(project)
    for call in MANAGING:
        with pytest.raises(Forbidden, match="takes the permission 'manage_access'"):
            call(project, actor)
    assert actions(project) == before


@pytest.mark.parametrize("actor", [NOBODY_YET, OPEN_CONSOLE, key_holder("crm", ("read",))])
def test_whoever_is_no_person_has_no_account_of_their_own(project: Workspace, actor: Actor) -> None:
    with pytest.raises(Forbidden, match="takes the permission 'own_account'"):
        own_account.change_own_password(project, actor, GOOD, OTHER, token="")
    administrator_key = key_holder("hanako", ("admin",))
    with pytest.raises(UsageError, match="cannot change an account of yours: there is none"):
        own_account.change_own_password(project, administrator_key, GOOD, OTHER, token="")
