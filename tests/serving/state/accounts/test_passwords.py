"""Passwords: how they are hashed, and which are refused."""

from __future__ import annotations

import pytest

from features.errors import UsageError
from serving.state.accounts.passwords import check_password, hash_password, is_outdated, is_right

GOOD = "seven lanterns over the bay"


def test_a_password_is_kept_as_an_argon2id_hash_with_todays_parameters() -> None:
    stored = hash_password(GOOD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert is_right(stored, GOOD)
    assert not is_right(stored, GOOD + "!")
    assert not is_outdated(stored)
    assert hash_password(GOOD) != stored, "each has a salt of its own"


def test_a_password_typed_on_another_keyboard_is_the_same() -> None:
    assert is_right(hash_password("ｋａｇａｍｉ 鏡の中の月"), "kagami 鏡の中の月")


def test_an_account_without_a_password_is_opened_by_none() -> None:
    assert not is_right("", "")
    assert not is_right("", "nobody has this password")
    assert not is_right("damaged", GOOD)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short words", "fewer than 12 characters"),
        ("x" * 1_001, "more than 1,000 characters"),
        ("Hanako-Sato-2026", "hardly more than the name"),
        ("password1234", "tried first"),
        ("P@ssw0rd2026!", "tried first"),
        ("passwordpassword", "tried first"),
        ("qwertyuiop123", "tried first"),
        ("welcomekizuna", "tried first"),
        ("123456789012", "tried first"),
        ("aaaaaaaaaaaaa", "tried first"),
        ("abcabcabcabc", "tried first"),
        ("Summer2026!!!", "tried first"),
        ("19840229-1200", "tried first"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(UsageError, match=rf"^cannot take this password: it .*{why}"):
        check_password(password, "hanako-sato")


@pytest.mark.parametrize(
    "password", [GOOD, "Xk7#vQ2mPz9w", "桜並木を抜けて海まで歩いた", "correct horse staple"]
)
def test_a_password_that_is_hard_to_guess_is_taken(password: str) -> None:
    check_password(password, "hanako-sato")
