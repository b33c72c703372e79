"""Exports into object storage: what is written, in bounded memory, without replacing anything."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import tracemalloc

import boto3
import pytest
from support.exports.object_storage import (
    BUCKET,
    SECRET,
    Storage,
    know_no_conditions,
    meanwhile,
)
from support.exports.storage_exports import DATA, MANIFEST, MANY, PART, WHOLE, export, opened, refused

from orchestration.config.files import PROJECT, load_settings
from orchestration.errors import InsightsError
from orchestration.exports import s3
from orchestration.exports.output import Output
from orchestration.exports.sinks import open_sink

pytest_plugins = ["support.exports.storage_sessions"]

pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    ("data", "operations"),
    [
        (b"", ["PutObject"]),
        (DATA, ["PutObject"]),
        (MANY[: PART - 1], ["PutObject"]),
        (MANY[:PART], ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]),
        (MANY, ["CreateMultipartUpload", *["UploadPart"] * 3, "CompleteMultipartUpload"]),
    ],
    ids=["empty", "small", "just under a part", "a part", "two parts and a little"],
)
def test_data_and_manifest_are_there_when_whole_and_not_before(
    data: bytes, operations: list[str], storage: Storage
) -> None:
    sink = opened()
    for start in range(0, len(data), 999_999):
        sink.write(data[start : start + 999_999])
    assert storage.objects() == []
    assert sink.commit(MANIFEST) == sink.location == f"s3://{BUCKET}/2026/tasks.csv"
    assert storage.objects() == WHOLE
    assert storage.body(WHOLE[0]) == data
    assert storage.body(WHOLE[1]) == MANIFEST
    assert storage.uploads() == []
    assert [name for name in storage.operations() if name != "HeadObject"] == [*operations, "PutObject"]
    sink.abort()
    assert storage.objects() == WHOLE


def test_objects_say_what_they_are(storage: Storage) -> None:
    for extension, kind in {"csv": "text/csv; charset=utf-8", "csv.gz": "application/gzip"}.items():
        opened("tasks", extension).commit(MANIFEST)
        assert storage.client.head_object(Bucket=BUCKET, Key=f"tasks.{extension}")["ContentType"] == kind
    head = storage.client.head_object(Bucket=BUCKET, Key="tasks.csv.manifest.json")
    assert head["ContentType"] == "application/json"


def test_gzip_in_parts_is_readable(storage: Storage) -> None:
    sink = opened("tasks", "csv.gz")
    output = Output(sink, compress=True)
    rows = [hashlib.sha512(str(number).encode()).hexdigest().encode() + b"\n" for number in range(80_000)]
    for row in rows:
        output.write(row)
    written = output.finish()
    sink.commit(MANIFEST)
    body = storage.body("tasks.csv.gz")
    assert len(body) > PART
    assert gzip.decompress(body) == b"".join(rows)
    assert (len(body), hashlib.sha256(body).hexdigest()) == (written.bytes, written.sha256)


def test_memory_does_not_grow_with_the_export(
    server: Storage, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)  # the front would take the memory of a part in this process
    monkeypatch.setattr(s3, "PART", 8 << 20)
    sink = opened()
    output = Output(sink, compress=False)
    block = bytes(range(256)) * 4096  # 1 MiB
    tracemalloc.start()
    try:
        for _ in range(200):
            output.write(block)
        written = output.finish()
        sink.commit(MANIFEST)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written.bytes == 200 << 20
    assert server.client.head_object(Bucket=BUCKET, Key=WHOLE[0])["ContentLength"] == 200 << 20
    assert peak < 40 << 20, f"{peak / (1 << 20):.1f} MiB"


@pytest.mark.parametrize("data", [b"", DATA, MANY[:PART], MANY], ids=["empty", "small", "a part", "parts"])
def test_an_aborted_export_leaves_no_object_and_no_upload(data: bytes, storage: Storage) -> None:
    sink = opened()
    sink.write(data)
    assert storage.uploads() == [WHOLE[0]] * (len(data) >= PART)
    sink.abort()
    sink.abort()
    assert (storage.objects(), storage.uploads()) == ([], [])


@pytest.mark.parametrize("taken", WHOLE)
@pytest.mark.parametrize("data", [DATA, MANY], ids=["small", "parts"])
def test_an_existing_export_is_not_replaced(taken: str, data: bytes, storage: Storage, server: Storage) -> None:
    def plant() -> None:
        server.client.put_object(Bucket=BUCKET, Key=taken, Body=b"precious")

    says = f"s3://{BUCKET}/{taken} exists, and an export never replaces an object: choose another name."
    plant()
    with pytest.raises(InsightsError, match="exists"):
        opened()
    server.client.delete_object(Bucket=BUCKET, Key=taken)
    sink = opened()
    sink.write(data)
    plant()  # during the export
    with pytest.raises(InsightsError) as caught:
        sink.commit(MANIFEST)
    assert str(caught.value) == says
    assert (storage.objects(), storage.uploads()) == ([taken], [])
    assert storage.body(taken) == b"precious"


@pytest.mark.parametrize("data", [DATA, MANY], ids=["small", "parts"])
def test_the_service_itself_sees_that_nothing_is_replaced(data: bytes, storage: Storage, server: Storage) -> None:
    def plant() -> None:
        server.client.put_object(Bucket=BUCKET, Key=WHOLE[0], Body=b"precious")

    final = "PutObject" if data == DATA else "CompleteMultipartUpload"
    storage.rules.append(meanwhile(final, plant, WHOLE[0]))  # after the last look
    assert "exists, and an export never replaces an object" in refused(data)
    assert (storage.objects(), storage.uploads()) == ([WHOLE[0]], [])
    assert storage.body(WHOLE[0]) == b"precious"


@pytest.mark.parametrize("refusing", [True, False], ids=["refuses", "ignores"])
@pytest.mark.parametrize("data", [DATA, MANY], ids=["small", "parts"])
def test_a_service_without_conditions_does(refusing: bool, data: bytes, storage: Storage) -> None:
    storage.rules.append(know_no_conditions(refusing=refusing))
    export(data)
    assert (storage.objects(), storage.uploads()) == (WHOLE, [])
    assert storage.body(WHOLE[0]) == data
    with pytest.raises(InsightsError, match="exists"):
        export(data)


def test_a_bucket_that_does_not_exist(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_EXPORT_S3_BUCKET", "another-bucket")
    sink = open_sink(load_settings(), "s3://another-bucket/tasks", "csv")
    with pytest.raises(InsightsError, match="404 NoSuchBucket; check INSIGHTS_EXPORT_S3_BUCKET and"):
        sink.commit(MANIFEST)


def test_without_credentials_or_a_service(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(
        InsightsError, match=r"\(EndpointConnectionError\): check AWS_ENDPOINT_URL_S3; if it is not set"
    ):
        opened()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"nonsense{SECRET}")
    with pytest.raises(InsightsError, match=r"\(ValueError\): check AWS_ENDPOINT_URL_S3") as caught:
        opened()
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", storage.url)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    with pytest.raises(InsightsError, match="are missing or incomplete"):
        opened()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(
        InsightsError, match=f"The credentials for s3://{BUCKET} are missing or incomplete: check AWS_ACCESS_KEY_ID"
    ):
        opened()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"s3://{BUCKET}", "has no object key; it must be s3://"),
        (f"s3://{BUCKET}/", "has no object key"),
        ("s3://", "has no object key"),
        ("s3:///tasks.csv", "is in the bucket '', but exports go to INSIGHTS_EXPORT_S3_BUCKET only"),
        ("s3://tasks.csv", "has no object key"),
        ("s3://other/tasks.csv", "is in the bucket 'other', but exports go to"),
        (f"s3://{BUCKET.upper()}/tasks.csv", "exports go to INSIGHTS_EXPORT_S3_BUCKET only"),
        (f"s3://{BUCKET}//tasks.csv", "is not a valid name"),
        (f"s3://{BUCKET}/../other/tasks.csv", "is not a valid name"),
        (f"s3://{BUCKET}/a/./tasks.csv", "is not a valid name"),
        (f"s3://{BUCKET}/a/", "is not a valid name"),
        (f"s3://{BUCKET}/a/.csv", "is not a valid name"),
        (f"s3://{BUCKET}/tasks.csv?versionId=1", "is not a valid name"),
        (f"s3://{BUCKET}/tasks.csv\n", "is not a valid name"),
        (f"s3://{BUCKET}/a%2Fb", "is not a valid name"),
        (f"s3://{BUCKET}/{'a/' * 6}tasks", "has 7 parts, separated by slashes; at most 6 are allowed"),
        (f"s3://{BUCKET}/{'a' * 129}/tasks", "is not a valid name"),
        (f"s3://{BUCKET}/tasks.csv.manifest.json", "are reserved for manifests"),
        (f"s3://{BUCKET}/tasks.jsonl", "but the format is csv"),
    ],
)
def test_other_urls_are_refused_before_any_request(url: str, says: str, storage: Storage) -> None:
    with pytest.raises(InsightsError) as caught:
        open_sink(load_settings(), url, "csv")
    assert says in str(caught.value)
    assert storage.requests == []


def test_the_bucket_must_be_set_and_be_one(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_EXPORT_S3_BUCKET", "arn:aws:s3:eu-central-1:1:accesspoint/x")
    with pytest.raises(InsightsError, match=r"INSIGHTS_EXPORT_S3_BUCKET is .*: must be a bucket name"):
        opened()
    monkeypatch.delenv("INSIGHTS_EXPORT_S3_BUCKET")
    with pytest.raises(InsightsError, match="INSIGHTS_EXPORT_S3_BUCKET, the bucket, is not set"):
        opened()


def test_without_boto3_the_message_says_how_to_install_it() -> None:
    script = (
        "import sys; sys.modules['boto3'] = None\n"
        "from orchestration.config.files import load_settings\n"
        "from orchestration.exports.sinks import open_sink\n"
        "from orchestration.errors import InsightsError\n"
        "try: open_sink(load_settings(), 's3://bucket/tasks', 'csv')\n"
        "except InsightsError as error: print(error)\n"
    )
    environ = {"INSIGHTS_EXPORT_S3_BUCKET": "bucket"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=environ, text=True, capture_output=True, check=True
    )
    assert done.stdout == (
        "Exports to object storage need boto3, which is not installed: pip install -r requirements/s3.txt"
        " (the dependency group s3).\n"
    )


def test_an_export_has_a_largest_size(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "MOST_PARTS", 2)
    assert refused(MANY) == "An export to object storage must have at most 10485760 bytes; request a shorter range."
    assert (storage.objects(), storage.uploads()) == ([], [])
