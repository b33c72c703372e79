"""Exports into object storage, and the data that tests write to it."""

from __future__ import annotations

import pytest
from support.exports.object_storage import (
    BUCKET,
    KEY_ID,
    SECRET,
)

from orchestration.config.files import load_settings
from orchestration.errors import InsightsError
from orchestration.exports.sinks import Sink, open_sink

MANIFEST = b'{"rows": 2}'


DATA = b"a,b\n1,2\n"


PART = 5 << 20  # the least that S3 takes of a part that is not the last


MANY = bytes(range(256)) * (2 * PART // 256) + b"the end"  # two parts and a little


MAKING = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"]


WHOLE = ["2026/tasks.csv", "2026/tasks.csv.manifest.json"]


def opened(key: str = "2026/tasks", extension: str = "csv") -> Sink:
    return open_sink(load_settings(), f"s3://{BUCKET}/{key}", extension)


def export(data: bytes = DATA) -> str:
    sink = opened()
    sink.write(data)
    return sink.commit(MANIFEST)


def refused(data: bytes = DATA) -> str:
    """Return the error of a failing export; checks that an abort changes nothing and that it shows no credential."""
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
