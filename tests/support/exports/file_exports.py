"""Exports into files, and the data that tests write to them."""

from __future__ import annotations

from pathlib import Path

from orchestration.config.files import load_settings
from orchestration.exports.sinks import Sink, open_sink

MANIFEST = b'{"rows": 2}'


DATA = b"a,b\n1,2\n"


def opened(output: str = "tasks.csv", extension: str = "csv") -> Sink:
    return open_sink(load_settings(), output, extension)


def export(output: str = "tasks.csv", extension: str = "csv", data: bytes = DATA) -> str:
    sink = opened(output, extension)
    sink.write(data)
    return sink.commit(MANIFEST)


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())
