"""Exports into object storage that fails or lies: nothing is left, and the message says why."""

from __future__ import annotations

import pytest
from support.exports.object_storage import (
    BUCKET,
    KEY_ID,
    Storage,
    cut,
    garble,
    know_no_conditions,
    lose_answer,
    refuse,
)
from support.exports.storage_exports import DATA, MAKING, MANIFEST, MANY, WHOLE, export, opened, refused

from orchestration.errors import InsightsError

pytest_plugins = ["support.exports.storage_sessions"]

pytestmark = pytest.mark.services


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
def test_a_lost_answer_is_not_taken_for_the_object_of_another_export(data: bytes, storage: Storage) -> None:
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


def test_the_error_names_what_may_be_left(storage: Storage) -> None:
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
def test_a_credential_that_a_service_repeats_is_not_shown(code: str, hint: str, storage: Storage) -> None:
    storage.rules.append(refuse("PutObject", 403, code))
    assert hint in refused()
