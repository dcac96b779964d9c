"""What an object store answers, as errors that name the request, what is wrong and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from features.errors import ConfigurationError, KizunaError, StoreAway

_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)|^(\w+):", re.MULTILINE)
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_LINE_MARKS = re.compile(r"\x1b\[[0-9;]*m|↳")
_BAD_CREDENTIALS = (
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "ExpiredToken",
    "InvalidToken",
    "AuthenticationFailed",
    "Unauthenticated",
)
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
"""The environment variables that give them, by scheme."""


@contextmanager
def answered(location: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Raise what libraries raise (`errors`) of the store at a URL as ours; a missing file stays one."""
    try:
        yield
    except errors as error:
        known = translated(location, error)
        if known is None:
            raise
        raise known from error


def translated(location: str, error: Exception) -> KizunaError | None:
    """The error that says what to do; None where the store answered and the trouble is another."""
    text = _LINE_MARKS.sub("", str(error))
    scheme, bucket = location.partition("://")[0], location.partition("://")[2].partition("/")[0]
    codes = {code for groups in _CODE.findall(text) for code in groups if code}
    if "RequestTimeTooSkewed" in codes:
        return ConfigurationError(
            f"cannot use {location}: the clock of this machine is too far from the store's for it to accept "
            "a signature. Set the clock right."
        )
    if "NoSuchBucket" in codes or "ContainerNotFound" in codes:
        return ConfigurationError(
            f"cannot use {location}: there is no bucket '{bucket}'. Create it, or correct `state` in "
            "kizuna.toml.",
            field="state",
        )
    wrong = codes.intersection(_BAD_CREDENTIALS)
    if wrong or "401 Unauthorized" in text or _lacks_credentials(text):
        why = (
            f"the store does not accept the credentials ({min(wrong)})"
            if wrong
            else "there are no credentials"
        )
        return ConfigurationError(f"cannot use {location}: {why}. Check {_CREDENTIALS[scheme]}.")
    if "AccessDenied" in codes or "403 Forbidden" in text:
        return ConfigurationError(
            f"cannot use {location}: the store does not allow these credentials {_action(text)}. "
            "Give them that permission on the bucket."
        )
    if _is_away(text):
        return StoreAway(location, _reason(text))
    return None


def _lacks_credentials(text: str) -> bool:
    marks = ("169.254.169.254", "Unable to locate credentials", "NoCredentials", "Account must be specified")
    return any(mark in text for mark in marks)


def _is_away(text: str) -> bool:
    marks = ("error sending request", "HTTP error", "Could not connect", "timed out", "operation timed out")
    return any(mark in text for mark in marks) or re.search(r"status code: 5\d\d", text) is not None


def _reason(text: str) -> str:
    status = re.search(r"status code: (5\d\d[^:\n]*)", text)
    if status is not None:
        return status[1].strip()
    return "timeout" if "timed out" in text else "no connection"


def _action(text: str) -> str:
    """The permission that is missing, under its name in S3."""
    if "DeleteObject" in text or "DELETE" in text:
        return "s3:DeleteObject"
    if "PUT" in text or "POST" in text or "PutObject" in text:
        return "s3:PutObject"
    if "list" in text or "List" in text:
        return "s3:ListBucket"
    return "s3:GetObject"
