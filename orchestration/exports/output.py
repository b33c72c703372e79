"""Counts, hashes and, where wanted, compresses the bytes of an export on their way to its sink."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

from orchestration.exports.sinks import Sink

BLOCK = 1 << 18  # bytes that are gathered, so that short rows do not cost a compression and a write each
LEVEL = 1  # of gzip: keeps pace with the database
GZIP = 16 + zlib.MAX_WBITS  # a gzip header without name or time: the same data is the same bytes


@dataclass(frozen=True)
class Written:
    """What has landed in the sink: its size and its SHA-256 in hexadecimal, after compression."""

    bytes: int
    sha256: str


class Output:
    """A sink with a memory of what went into it. The bytes do not depend on how `write` was given them."""

    def __init__(self, sink: Sink, *, compress: bool) -> None:
        """Write to `sink`; with `compress` as gzip."""
        self._sink = sink
        self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP) if compress else None
        self._block = bytearray()
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append to the data. Raises what the sink raises."""
        self._block += data
        if len(self._block) >= BLOCK:
            whole = len(self._block) - len(self._block) % BLOCK
            self._pass_on(bytes(self._block[:whole]))
            del self._block[:whole]

    def finish(self) -> Written:
        """Hand over what is left, once, before the sink's `commit`; no `write` may follow. Raises as `write`."""
        self._pass_on(bytes(self._block))
        self._block.clear()
        if self._compressor:
            self._hand_over(self._compressor.flush())
        return Written(self._bytes, self._digest.hexdigest())

    def _pass_on(self, data: bytes) -> None:
        self._hand_over(self._compressor.compress(data) if self._compressor else data)

    def _hand_over(self, data: bytes) -> None:
        if data:
            self._sink.write(data)
            self._digest.update(data)
            self._bytes += len(data)
