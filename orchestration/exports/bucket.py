"""A client for object storage that never replaces an object, and translates errors.

boto3 reads credentials, region and endpoint from its own variables and files. Messages contain only the error code,
because the text of a service's error may repeat the request. Conditional writes (If-None-Match) are hand-written:
boto3's transfer manager handles neither services without them nor a repeated request that finds its own object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from botocore.parsers import ResponseParserError

from orchestration.errors import (
    ConflictError,
    FailedError,
    InsightsError,
    MisconfiguredError,
    RefusedError,
    UnavailableError,
)

_CONFIG = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"total_max_attempts": 3, "mode": "standard"},  # with pauses of one or two seconds
    max_pool_connections=1,
)
_OWNER = "insights-export"  # metadata of an object: the run that created it
_FORBIDDEN, _NOT_FOUND, _CONFLICT, _EXISTS, _NOT_IMPLEMENTED = 403, 404, 409, 412, 501
_UNAUTHORIZED, _TOO_MANY, _SERVER_ERROR = 401, 429, 500
_CREDENTIALS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or boto3's other sources of credentials"
_HINTS = {
    "AccessDenied": "the credentials do not allow this",
    "InvalidAccessKeyId": _CREDENTIALS,
    "NoSuchBucket": "check INSIGHTS_EXPORT_S3_BUCKET and AWS_ENDPOINT_URL_S3",
    "SignatureDoesNotMatch": _CREDENTIALS,
}
_CODE = re.compile(r"(?:[A-Z]+[a-z]+){1,8}")  # such as AccessDenied; key ids and tokens do not match
_NO_ANSWER = "check AWS_ENDPOINT_URL_S3; if it is not set, boto3 uses AWS"


class BucketError(InsightsError):
    """A request failed; `status` is the HTTP status, 0 without a response."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Set message and HTTP status."""
        super().__init__(message)
        self.status = status


class BucketTakenError(BucketError, ConflictError):
    """The bucket already has an object with that key."""


class BucketRefusedError(BucketError, RefusedError):
    """The credentials do not allow the request."""


class BucketMisconfiguredError(BucketError, MisconfiguredError):
    """Credentials are missing or invalid, or the bucket does not exist."""


class BucketUnavailableError(BucketError, UnavailableError):
    """The service does not respond, or fails."""


class BucketFailedError(BucketError, FailedError):
    """The service returned an unexpected error."""


class Bucket:
    """A bucket for one run: it replaces no object, and removes only objects that this run created."""

    def __init__(self, name: str) -> None:
        """Create the client from boto3's settings; raises BucketError if they are invalid."""
        self.name = name
        self._run = uuid4().hex
        with self._errors():
            self._client: Any = boto3.client("s3", config=_CONFIG)

    def has(self, key: str) -> bool | None:
        """Return whether an object exists; None if the credentials do not allow to check."""
        try:
            return self._owner(key) is not None
        except BucketError as error:
            if error.status == _FORBIDDEN:
                return None
            raise

    def create(self, key: str, data: bytes | bytearray, content_type: str) -> None:
        """Create an object in one request; raises BucketError, of type BucketTakenError if the key exists."""
        self._create(key, self._client.put_object, Body=data, ContentType=content_type, Metadata={_OWNER: self._run})

    def begin(self, key: str, content_type: str) -> str:
        """Start a multipart upload and return its id."""
        own = {"ContentType": content_type, "Metadata": {_OWNER: self._run}}
        answer = self._call(self._client.create_multipart_upload, key, "UploadId", **own)
        return str(answer["UploadId"])

    def upload(self, key: str, upload: str, number: int, data: bytes | bytearray) -> str:
        """Upload one part, numbered from 1, and return its ETag."""
        answer = self._call(self._client.upload_part, key, "ETag", UploadId=upload, PartNumber=number, Body=data)
        return str(answer["ETag"])

    def complete(self, key: str, upload: str, tags: list[str]) -> None:
        """Complete an upload of the parts with these ETags; raises like `create`."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        self._create(key, self._client.complete_multipart_upload, UploadId=upload, MultipartUpload={"Parts": parts})

    def give_up(self, key: str, upload: str) -> None:
        """Abort an upload and remove its parts; does nothing if there is no such upload."""
        try:
            self._call(self._client.abort_multipart_upload, key, None, UploadId=upload)
        except BucketError as error:
            if error.status != _NOT_FOUND:
                raise

    def remove(self, key: str) -> None:
        """Remove an object if this run created it."""
        if self._owner(key) == self._run:
            self._call(self._client.delete_object, key, None)

    def _create(self, key: str, request: Callable[..., Any], **arguments: Any) -> None:
        """Create an object only if its key is free: with If-None-Match, or a check before if that is not implemented.

        boto3 may repeat a request whose response was lost; the repetition then finds the object of the first attempt.
        """
        if self.has(key):
            raise self.exists(key)
        try:
            self._call(request, key, "ETag", IfNoneMatch="*", **arguments)
        except BucketError as error:
            if error.status == _NOT_IMPLEMENTED and self.has(key) is False:
                self._call(request, key, "ETag", **arguments)
            elif error.status not in (_EXISTS, _NOT_FOUND) or not self._made(key):
                raise self.exists(key) if error.status in (_EXISTS, _CONFLICT) else error from None

    def exists(self, key: str) -> BucketTakenError:
        """Return the error for a key that exists."""
        return BucketTakenError(
            f"s3://{self.name}/{key} exists, and an export never replaces an object: choose another name.", _EXISTS
        )

    def _made(self, key: str) -> bool:
        """Return whether this run certainly created an object."""
        try:
            return self._owner(key) == self._run
        except BucketError:
            return False

    def _owner(self, key: str) -> str | None:
        """Return the run that created an object, "" if no export did, None if there is no object."""
        try:
            return str(self._call(self._client.head_object, key, "ETag")["Metadata"].get(_OWNER, ""))
        except BucketError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def _call(self, request: Callable[..., Any], key: str, required: str | None, **arguments: Any) -> dict[str, Any]:
        """Return the response, which must have the required field, because some proxies answer 200 to any request."""
        with self._errors():
            answer: dict[str, Any] = request(Bucket=self.name, Key=key, **arguments)
            if required and not answer.get(required):
                raise ValueError(required)
            return answer

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._refused(error) from None
        except (NoCredentialsError, PartialCredentialsError):
            raise BucketMisconfiguredError(
                f"The credentials for s3://{self.name} are missing or incomplete: {_CREDENTIALS}."
            ) from None
        except (BotoCoreError, ResponseParserError, OSError, ValueError) as error:
            kind = type(error).__name__
            raise BucketUnavailableError(f"No valid response from s3://{self.name} ({kind}): {_NO_ANSWER}.") from None

    def _refused(self, error: ClientError) -> BucketError:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(error.response.get("Error", {}).get("Code", ""))
        code = code if _CODE.fullmatch(code) else ""
        hint = _HINTS.get(code) or (_HINTS["AccessDenied"] if status == _FORBIDDEN else "")
        said = " ".join(filter(None, (error.operation_name, "was answered", str(status), code)))
        return _kind(status, code)(f"s3://{self.name}: {said}{hint and f'; {hint}'}.", status)


def _kind(status: int, code: str) -> type[BucketError]:
    if code in ("InvalidAccessKeyId", "NoSuchBucket", "SignatureDoesNotMatch"):
        return BucketMisconfiguredError
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return BucketRefusedError
    return BucketUnavailableError if status >= _SERVER_ERROR or status == _TOO_MANY else BucketFailedError
