"""Counts, hashes and optionally compresses the bytes of an export before they reach the sink."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

from orchestration.exports.sinks import Sink

BLOCK = 1 << 18  # bytes of the buffer, which saves a compression and a write for each short row
LEVEL = 1  # gzip level that keeps pace with the database
GZIP = 16 + zlib.MAX_WBITS  # a gzip header without name or time, so that equal data gives equal bytes


@dataclass(frozen=True)
class Written:
    """Size in bytes and SHA-256 in hexadecimal of the written data, after compression."""

    bytes: int
    sha256: str


class Output:
    """Counts and hashes the bytes written to a sink, which do not depend on the sizes of the `write` calls."""

    def __init__(self, sink: Sink, *, compress: bool) -> None:
        """Write to `sink`, as gzip if `compress`."""
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
        """Write the rest of the buffer; call it once, between the last `write` and `commit`. Raises like `write`."""
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
