"""Empty object storage for each test; `pytest_plugins` names this module where it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.exports.object_storage import (
    BUCKET,
    KEY_ID,
    SECRET,
    Storage,
    front,
    moto,
)
from support.exports.storage_exports import PART

from orchestration.exports import s3


@pytest.fixture(scope="session")
def server() -> Iterator[Storage]:
    with moto() as storage:
        yield storage


@pytest.fixture
def storage(server: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Storage]:
    """Yield empty storage behind a front whose faults the test sets."""
    client = server.client
    for key in server.objects():
        client.delete_object(Bucket=BUCKET, Key=key)
    for item in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        client.abort_multipart_upload(Bucket=BUCKET, Key=item["Key"], UploadId=item["UploadId"])
    with front(server) as storage:
        for name, value in {
            "AWS_ENDPOINT_URL_S3": storage.url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
            "NO_PROXY": "127.0.0.1",
            "INSIGHTS_EXPORT_S3_BUCKET": BUCKET,
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(s3, "PART", PART)
        yield storage
