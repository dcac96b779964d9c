"""Earlier versions of objects in a bucket with versioning, and uploads that broke off: found and deleted.

The one module that imports boto3: obstore cannot list versions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from features.errors import KizunaError
from features.storage.backends.store_errors import translated

AT_ONCE = 1000
MOST_NAMED = 5
"""Objects that a message names."""
RUNS_AT_MOST = timedelta(days=1)
"""How long an upload in parts may take: one that began earlier has broken off."""


def delete_old_versions(location: str, runs_at_most: timedelta = RUNS_AT_MOST) -> str | None:
    """Delete every version that is not the newest, every mark of a deletion, and every upload that broke off.

    Of the objects whose keys begin with the URL `location`. An unfinished upload that began less than
    `runs_at_most` ago stays, as another process may be at it. Says what stays, what could not be deleted, or
    what could not be looked for; None where nothing of the past is left.
    """
    scheme, _, rest = location.partition("://")
    if scheme != "s3":
        return f"earlier versions of objects in {location}, if the bucket keeps any, were not looked for"
    bucket, _, prefix = rest.partition("/")
    prefix = f"{prefix}/" if prefix else ""
    client = _client()
    try:
        failed, running = _deleted(client, bucket, prefix), []
        for upload, age in _uploads(client, bucket, prefix):
            if age < runs_at_most:
                running.append(upload["Key"])
            elif not _aborted(client, bucket, upload):
                failed.append(f"{upload['Key']} (unfinished upload)")
        # What is there all the same, whatever the store answered.
        failed += [one.key for one in _past(client, bucket, prefix) if not failed]
    except (ClientError, BotoCoreError) as error:
        known = translated(location, _as_text(error))
        if isinstance(known, KizunaError) and "does not allow" not in known.message:
            raise known from error
        return f"earlier versions of objects in {location}: the store does not allow to list or delete them"
    return _summary(location, failed, running)


def _summary(location: str, failed: list[str], running: list[str]) -> str | None:
    """What stays, in words; None for nothing."""
    parts = []
    if failed:
        parts.append(
            f"{len(failed)} earlier versions of objects in {location} that the store refused to delete: "
            f"{_first(failed)}"
        )
    if running:
        parts.append(
            f"unfinished uploads to {location} that began less than a day ago and may go on "
            f"({len(running)}): {_first(sorted(running))} (an erasure a day later deletes what broke off)"
        )
    return "; ".join(parts) or None


def _first(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


def old_versions(location: str) -> list[tuple[str, str]]:
    """Key and version id of each version below a URL `s3://…` that is not the newest, deletion marks too."""
    bucket, _, prefix = location.partition("://")[2].partition("/")
    return [(one.key, one.version) for one in _past(_client(), bucket, f"{prefix}/" if prefix else "")]


def _client() -> Any:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    limits = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 3})
    return boto3.client("s3", region_name=region, endpoint_url=endpoint, config=limits)


@dataclass(frozen=True)
class _OldVersion:
    """A version that is not the newest, or the mark of a deletion."""

    key: str
    version: str
    is_mark: bool


def _past(client: Any, bucket: str, prefix: str) -> Iterator[_OldVersion]:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Versions", ()):
            if not one["IsLatest"]:
                yield _OldVersion(one["Key"], one["VersionId"], is_mark=False)
        for one in page.get("DeleteMarkers", ()):
            yield _OldVersion(one["Key"], one["VersionId"], is_mark=True)


def _deleted(client: Any, bucket: str, prefix: str) -> list[str]:
    """Delete the past; gives the keys of what the store refused to delete."""
    past = list(_past(client, bucket, prefix))
    failed: dict[str, str] = {}
    # Contents before marks: without its mark of a deletion the newest earlier content would be current again.
    for marks in (False, True):
        batch = [
            {"Key": one.key, "VersionId": one.version}
            for one in past
            if one.is_mark == marks and one.key not in failed
        ]
        for first in range(0, len(batch), AT_ONCE):
            objects = {"Objects": batch[first : first + AT_ONCE], "Quiet": True}
            answer = client.delete_objects(Bucket=bucket, Delete=objects)
            failed |= {one["Key"]: one.get("Code", "refused") for one in answer.get("Errors", ())}
    return [f"{key} ({code})" for key, code in failed.items()]


def _uploads(client: Any, bucket: str, prefix: str) -> Iterator[tuple[dict[str, Any], timedelta]]:
    """Each unfinished upload in parts and its age, both by the clock of the store."""
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
        for upload in page.get("Uploads", ()):
            yield upload, now - upload["Initiated"]


def _aborted(client: Any, bucket: str, upload: dict[str, Any]) -> bool:
    """Abort an unfinished upload; False where the store keeps it."""
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "NoSuchUpload")
    return True


def _as_text(error: Exception) -> Exception:
    """The error with its code where `translated` looks for one."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return OSError(f"(code: {code}) {error}" if code else str(error))
