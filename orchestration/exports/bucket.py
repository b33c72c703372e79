"""The requests that an export makes of object storage, and what its answers mean.

Credentials, region and endpoint are read from boto3's own variables and files. Of an error only its kind is shown: a
service may repeat in the text of one what it was sent.
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
    retries={"total_max_attempts": 3, "mode": "standard"},  # with pauses of a second or two
    max_pool_connections=1,
)
_OWNER = "insights-export"  # an object's metadata that says which run made it
_FORBIDDEN, _NOT_FOUND, _CONFLICT, _EXISTS, _NOT_IMPLEMENTED = 403, 404, 409, 412, 501
_UNAUTHORIZED, _TOO_MANY, _SERVER_ERROR = 401, 429, 500
_CREDENTIALS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else boto3 reads credentials from"
_HINTS = {
    "AccessDenied": "the credentials do not allow this",
    "InvalidAccessKeyId": _CREDENTIALS,
    "NoSuchBucket": "check INSIGHTS_EXPORT_S3_BUCKET and AWS_ENDPOINT_URL_S3",
    "SignatureDoesNotMatch": _CREDENTIALS,
}
_CODE = re.compile(r"(?:[A-Z]+[a-z]+){1,8}")  # as AccessDenied; no id of a key, and no token, looks so
_NO_ANSWER = "check AWS_ENDPOINT_URL_S3, without which boto3 asks AWS"


class BucketError(InsightsError):
    """A request failed; `status` is the answer's, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Say what failed."""
        super().__init__(message)
        self.status = status


class BucketTakenError(BucketError, ConflictError):
    """The bucket has an object of that name."""


class BucketRefusedError(BucketError, RefusedError):
    """The credentials do not allow the request."""


class BucketMisconfiguredError(BucketError, MisconfiguredError):
    """Credentials or bucket are missing or unknown."""


class BucketUnavailableError(BucketError, UnavailableError):
    """The service does not answer, or fails."""


class BucketFailedError(BucketError, FailedError):
    """The service answers something that this package does not know."""


class Bucket:
    """One bucket, for one run: it replaces no object, and removes only those that it made."""

    def __init__(self, name: str) -> None:
        """Read boto3's settings; raises BucketError when they are of no use."""
        self.name = name
        self._run = uuid4().hex
        with self._errors():
            self._client: Any = boto3.client("s3", config=_CONFIG)

    def has(self, key: str) -> bool | None:
        """Whether there is an object; None when the credentials do not allow to look."""
        try:
            return self._owner(key) is not None
        except BucketError as error:
            if error.status == _FORBIDDEN:
                return None
            raise

    def create(self, key: str, data: bytes | bytearray, content_type: str) -> None:
        """Make a whole object; raises BucketError, also when there is one."""
        self._create(key, self._client.put_object, Body=data, ContentType=content_type, Metadata={_OWNER: self._run})

    def begin(self, key: str, content_type: str) -> str:
        """Begin an upload in parts, and return its id."""
        own = {"ContentType": content_type, "Metadata": {_OWNER: self._run}}
        answer = self._ask(self._client.create_multipart_upload, key, "UploadId", **own)
        return str(answer["UploadId"])

    def upload(self, key: str, upload: str, number: int, data: bytes | bytearray) -> str:
        """Send one part, counted from 1, and return its tag."""
        answer = self._ask(self._client.upload_part, key, "ETag", UploadId=upload, PartNumber=number, Body=data)
        return str(answer["ETag"])

    def complete(self, key: str, upload: str, tags: list[str]) -> None:
        """Make an object of the parts with these tags; raises BucketError, also when there is one."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        self._create(key, self._client.complete_multipart_upload, UploadId=upload, MultipartUpload={"Parts": parts})

    def give_up(self, key: str, upload: str) -> None:
        """Remove the parts of an upload; none is fine."""
        try:
            self._ask(self._client.abort_multipart_upload, key, None, UploadId=upload)
        except BucketError as error:
            if error.status != _NOT_FOUND:
                raise

    def remove(self, key: str) -> None:
        """Remove an object that this run made; another's, or none, is fine."""
        if self._owner(key) == self._run:
            self._ask(self._client.delete_object, key, None)

    def _create(self, key: str, request: Callable[..., Any], **arguments: Any) -> None:
        """Make an object where there is none; by the service itself, or by looking first where it knows no conditions.

        A request may be repeated after its answer was lost, and then finds the object that it made before.
        """
        if self.has(key):
            raise self.exists(key)
        try:
            self._ask(request, key, "ETag", IfNoneMatch="*", **arguments)
        except BucketError as error:
            if error.status == _NOT_IMPLEMENTED and self.has(key) is False:
                self._ask(request, key, "ETag", **arguments)
            elif error.status not in (_EXISTS, _NOT_FOUND) or not self._made(key):
                raise self.exists(key) if error.status in (_EXISTS, _CONFLICT) else error from None

    def exists(self, key: str) -> BucketTakenError:
        """The error that says so."""
        return BucketTakenError(
            f"s3://{self.name}/{key} exists, and an export replaces nothing: take another name.", _EXISTS
        )

    def _made(self, key: str) -> bool:
        """Whether this run is known to have made an object."""
        try:
            return self._owner(key) == self._run
        except BucketError:
            return False

    def _owner(self, key: str) -> str | None:
        """The run that made an object, '' when no run of ours did, None when there is no object."""
        try:
            return str(self._ask(self._client.head_object, key, "ETag")["Metadata"].get(_OWNER, ""))
        except BucketError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def _ask(self, request: Callable[..., Any], key: str, wanted: str | None, **arguments: Any) -> dict[str, Any]:
        """The answer, which must have the field that is wanted: some proxies answer anything, and 200."""
        with self._errors():
            answer: dict[str, Any] = request(Bucket=self.name, Key=key, **arguments)
            if wanted and not answer.get(wanted):
                raise ValueError(wanted)
            return answer

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._refused(error) from None
        except (NoCredentialsError, PartialCredentialsError):
            raise BucketMisconfiguredError(
                f"There are no whole credentials for s3://{self.name}: {_CREDENTIALS}."
            ) from None
        except (BotoCoreError, ResponseParserError, OSError, ValueError) as error:
            kind = type(error).__name__
            raise BucketUnavailableError(f"No answer of use from s3://{self.name} ({kind}): {_NO_ANSWER}.") from None

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
