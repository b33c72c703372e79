"""Exports into object storage: whole or not at all, in bounded memory, whatever the service does."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from support.exports.object_storage import (
    BUCKET,
    KEY_ID,
    SECRET,
    Storage,
    cut,
    front,
    garble,
    know_no_conditions,
    lose_answer,
    meanwhile,
    moto,
    refuse,
)

from orchestration.config.files import PROJECT, load_settings
from orchestration.errors import InsightsError
from orchestration.exports import s3
from orchestration.exports.output import Output
from orchestration.exports.sinks import Sink, open_sink

pytestmark = pytest.mark.services

MANIFEST = b'{"rows": 2}'
DATA = b"a,b\n1,2\n"
PART = 5 << 20  # the least that S3 takes of a part that is not the last
MANY = bytes(range(256)) * (2 * PART // 256) + b"the end"  # two parts and a little
MAKING = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"]
WHOLE = ["2026/tasks.csv", "2026/tasks.csv.manifest.json"]


@pytest.fixture(scope="module")
def server() -> Iterator[Storage]:
    with moto() as storage:
        yield storage


@pytest.fixture
def storage(server: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Storage]:
    """Empty storage, behind a front that the test may tell how to misbehave."""
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


def opened(key: str = "2026/tasks", extension: str = "csv") -> Sink:
    return open_sink(load_settings(), f"s3://{BUCKET}/{key}", extension)


def export(data: bytes = DATA) -> str:
    sink = opened()
    sink.write(data)
    return sink.commit(MANIFEST)


def refused(data: bytes = DATA) -> str:
    """What a failing export says; an abort after it changes nothing, and no credential is in it."""
    sink = opened()
    with pytest.raises(InsightsError) as caught:
        sink.write(data)
        sink.commit(MANIFEST)
    sink.abort()
    sink.abort()
    said = str(caught.value)
    assert KEY_ID not in said
    assert SECRET not in said
    assert caught.value.__cause__ is None
    return said


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
def test_what_exists_is_not_replaced(taken: str, data: bytes, storage: Storage, server: Storage) -> None:
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


def test_without_conditions_or_a_look_nothing_is_written(storage: Storage) -> None:
    storage.rules += [know_no_conditions(refusing=True), refuse("HeadObject", 403)]
    said = refused()
    assert said.startswith(f"s3://{BUCKET}: PutObject was answered 501 NotImplemented.")
    assert storage.objects() == []


@pytest.mark.parametrize("data", [DATA, MANY], ids=["small", "parts"])
def test_credentials_that_may_only_write_do(data: bytes, storage: Storage) -> None:
    storage.rules.append(refuse("HeadObject", 403))
    export(data)
    assert (storage.objects(), storage.uploads()) == (WHOLE, [])
    assert f"s3://{BUCKET}/{WHOLE[0]} exists" in refused(data[::-1])
    assert storage.body(WHOLE[0]) == data


@pytest.mark.parametrize("data", [DATA, MANY], ids=["small", "parts"])
def test_an_answer_that_is_lost_is_not_somebody_elses_object(data: bytes, storage: Storage) -> None:
    final = "PutObject" if data == DATA else "CompleteMultipartUpload"
    storage.rules.append(lose_answer(final, 1, WHOLE[0]))
    storage.rules.append(lose_answer("PutObject", 1, WHOLE[1]))
    export(data)
    assert (storage.objects(), storage.uploads()) == (WHOLE, [])
    assert storage.body(WHOLE[0]) == data


@pytest.mark.parametrize("data", [DATA, MANY], ids=["small", "parts"])
@pytest.mark.parametrize("lost", WHOLE)
def test_objects_whose_answers_never_come_are_removed(data: bytes, lost: str, storage: Storage) -> None:
    final = "PutObject" if data == DATA or lost == WHOLE[1] else "CompleteMultipartUpload"
    storage.rules.append(lose_answer(final, 100, lost))
    said = refused(data)
    assert (storage.objects(), storage.uploads()) == ([], [])
    assert said.startswith(f"No valid response from s3://{BUCKET} (ConnectionClosedError): check AWS_ENDPOINT")


@pytest.mark.parametrize("operation", MAKING)
@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (500, "InternalError"), (0, "")])
def test_a_failing_service_leaves_nothing(operation: str, status: int, code: str, storage: Storage) -> None:
    storage.rules.append(refuse(operation, status, code, WHOLE[0]) if status else cut(operation, WHOLE[0]))
    said = refused(DATA if operation == "PutObject" else MANY)
    storage.rules.clear()
    assert (storage.objects(), storage.uploads()) == ([], [])
    tries = storage.operations().count(operation)
    assert tries == (1 if status == 403 else 3)
    if status:
        hint = "; the credentials do not allow this" if status == 403 else ""
        assert said == f"s3://{BUCKET}: {operation} was answered {status} {code}{hint}."
    else:
        assert "ConnectionClosedError" in said


def test_a_manifest_that_fails_takes_the_data_along(storage: Storage) -> None:
    storage.rules.append(refuse("PutObject", 403, "AccessDenied", WHOLE[1]))
    assert "PutObject was answered 403 AccessDenied" in refused(MANY)
    assert (storage.objects(), storage.uploads()) == ([], [])


def test_what_may_be_left_is_said(storage: Storage) -> None:
    storage.rules += [refuse("PutObject", 403, "AccessDenied", WHOLE[1]), refuse("DeleteObject", 403, "AccessDenied")]
    assert refused().endswith(f"Could not be removed: s3://{BUCKET}/{WHOLE[0]}.")
    assert storage.objects() == [WHOLE[0]]  # without a manifest: not whole


def test_an_upload_that_cannot_be_removed_does_not_hide_the_error(storage: Storage) -> None:
    storage.rules += [refuse("UploadPart", 403, "AccessDenied"), refuse("AbortMultipartUpload", 403, "AccessDenied")]
    assert "UploadPart was answered 403 AccessDenied" in refused(MANY)
    storage.rules.clear()
    assert (storage.objects(), storage.uploads()) == ([], [WHOLE[0]])


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        ("HeadObject", "No valid response"),
        *((name, f"{name} was answered 500") for name in MAKING),  # botocore has tried again, and calls it so
    ],
)
def test_an_answer_that_is_no_answer(operation: str, says: str, storage: Storage) -> None:
    sink = opened()
    storage.rules.append(garble(operation))
    with pytest.raises(InsightsError, match=says):
        sink.write(DATA if operation == "PutObject" else MANY)
        sink.commit(MANIFEST)
    sink.abort()
    storage.rules.clear()
    assert storage.objects() == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("InvalidAccessKeyId", "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or boto3's other sources"),
        ("SignatureDoesNotMatch", "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or boto3's other sources"),
        (KEY_ID, "the credentials do not allow this"),
        ("AKIA1", "the credentials do not allow this"),
    ],
)
def test_what_a_service_repeats_is_not_shown(code: str, hint: str, storage: Storage) -> None:
    storage.rules.append(refuse("PutObject", 403, code))
    assert hint in refused()


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
def test_other_urls_are_refused_before_anything_is_asked(url: str, says: str, storage: Storage) -> None:
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
