"""Password hashing with Argon2id, and which passwords are refused."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from features.errors import Overloaded, UsageError

SHORTEST = 12
"""Characters of a password."""
LONGEST = 1_000
_WORDS = """
password passwort passw0rd p@ssword p@ssw0rd pass administrator admin root welcome login letmein iloveyou
sunshine princess dragon monkey football baseball basketball superman batman starwars master shadow secret
trustno qwerty qwertyuiop asdfghjkl zxcvbnm qazwsx qazwsxedc qwertz azerty abcdefgh abcdefghijkl abcd abc
changeme default guest test testing temp hello love freedom whatever summer winter spring autumn january
february march april monday friday sunday tokyo osaka kyoto nippon japan sakura pasuwado kizuna company
office user marketing customer server computer internet samsung google facebook correcthorsebatterystaple
"""
COMMON = frozenset(_WORDS.split())
"""Words of common passwords: one made of such words alone, with digits and signs around, is refused."""
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv",
)
_LETTERS = str.maketrans("@013457$!", "aoieastsi")

PATIENCE = 5.0
"""Seconds for which a hash waits for another one."""

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_one_at_a_time = threading.Lock()
"""A hash takes 64 MB and every core for a moment: those at the same time wait in line, not for long."""


def normalised(password: str) -> str:
    """A password in the form in which it is hashed, whatever keyboard typed it (Unicode NFKC)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, with its salt and parameters."""
    with _turn():
        return _hasher.hash(normalised(password))


def is_right(password_hash: str, password: str) -> bool:
    """Whether a password is the one of this hash; as slow for an account that has none."""
    known = password_hash or _nobodys_hash()
    try:
        with _turn():
            _hasher.verify(known, normalised(password[:LONGEST]))
    except (VerificationError, InvalidHashError):
        return False
    return bool(password_hash)


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _hasher.check_needs_rehash(password_hash)


def check_password(password: str, name: str) -> None:
    """Raise `UsageError` for a password that is short, holds the name, or is one that everybody uses."""
    text = normalised(password)
    if len(text) < SHORTEST:
        raise _refused(
            f"it has fewer than {SHORTEST} characters. Use a sentence, or let a password manager make one"
        )
    if len(text) > LONGEST:
        raise _refused(f"it has more than {LONGEST:,} characters. Use a shorter one")
    plain, own = text.casefold(), normalised(name).casefold()
    if own in plain and len(plain.replace(own, "")) < SHORTEST - 4:
        raise _refused("it is hardly more than the name of the account. Use another one")
    if is_common(text):
        raise _refused(
            "it is among those that are tried first. Use a sentence, or let a password manager make one"
        )


def is_common(password: str) -> bool:
    """Whether a password is a common word or a run of keys, repeated or with digits and signs around it."""
    text = normalised(password).casefold()
    if len(set(text)) < 5 or any(text in run * 2 or text in (run * 2)[::-1] for run in _RUNS):
        return True
    for form in (text, text.translate(_LETTERS)):
        letters = "".join(one for one in form if one.isalpha())
        words = {letters, form.strip("0123456789-_.!?@#$%&*+= ")}
        if not letters or any(_is_repeated(word) for word in words):
            return True
    return False


def _is_repeated(word: str) -> bool:
    """Whether a text is made of common words alone, one after the other."""
    if not word:
        return True
    reached = {0}
    for end in range(1, len(word) + 1):
        if any(word[start:end] in COMMON for start in reached):
            reached.add(end)
    return len(word) in reached


@contextmanager
def _turn() -> Iterator[None]:
    """Hash alone; raises `Overloaded` where too many others wait too."""
    if not _one_at_a_time.acquire(timeout=PATIENCE):
        raise Overloaded(
            "cannot check a password now: too many are checked at the same time. Try again in a moment.",
            retry_after_seconds=5,
        )
    try:
        yield
    finally:
        _one_at_a_time.release()


def _refused(why: str) -> UsageError:
    return UsageError(f"cannot take this password: {why}.", field="password")


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")
