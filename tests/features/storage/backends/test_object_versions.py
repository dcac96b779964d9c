"""Unfinished uploads at an erasure: those of other machines go on, those that broke off are deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from features.storage.backends.object_versions import delete_old_versions
from tests.object_server import ObjectServer


def test_an_upload_that_goes_on_is_named_and_one_that_broke_off_is_deleted(
    bucket: str, objects: ObjectServer
) -> None:
    client, (name, _, prefix) = objects.client(), bucket.removeprefix("s3://").partition("/")
    keys = [f"{prefix}/events/{number}.parquet" for number in (1, 2)]
    uploads = [
        {
            "Bucket": name,
            "Key": key,
            "UploadId": client.create_multipart_upload(Bucket=name, Key=key)["UploadId"],
        }
        for key in keys
    ]
    parts = [client.upload_part(**upload, PartNumber=1, Body=b"rows")["ETag"] for upload in uploads]
    assert delete_old_versions(bucket) == (
        f"unfinished uploads to {bucket} that began less than a day ago and may go on (2): {keys[0]}, "
        f"{keys[1]} (an erasure a day later deletes what broke off)"
    )
    whole = [{"Parts": [{"PartNumber": 1, "ETag": part}]} for part in parts]
    client.complete_multipart_upload(**uploads[0], MultipartUpload=whole[0])
    assert client.get_object(Bucket=name, Key=keys[0])["Body"].read() == b"rows"
    assert delete_old_versions(bucket, runs_at_most=timedelta(0)) is None
    with pytest.raises(ClientError, match="NoSuchUpload"):
        client.complete_multipart_upload(**uploads[1], MultipartUpload=whole[1])
