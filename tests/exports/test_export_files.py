"""Exports into files: whole or not at all, in the one folder, under a name that replaces nothing."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest
from support.exports.file_exports import DATA, MANIFEST, export, names, opened

from orchestration.errors import InsightsError
from orchestration.exports import folder as folder_module
from orchestration.exports.files import FileSink
from orchestration.exports.output import BLOCK, Output
from orchestration.exports.sinks import Sink

pytest_plugins = ["support.exports.file_folder"]


def test_data_and_manifest_are_there_when_whole_and_not_before(directory: Path) -> None:
    sink = opened()
    sink.write(DATA[:3])
    (hidden,) = names(directory)
    assert hidden.startswith(".tasks.csv.")
    assert hidden.endswith(".part")
    sink.write(DATA[3:])
    assert sink.commit(MANIFEST) == sink.location == str(directory / "tasks.csv")
    assert names(directory) == ["tasks.csv", "tasks.csv.manifest.json"]
    assert (directory / "tasks.csv").read_bytes() == DATA
    assert (directory / "tasks.csv.manifest.json").read_bytes() == MANIFEST
    sink.abort()
    assert names(directory) == ["tasks.csv", "tasks.csv.manifest.json"]


def test_only_the_owner_may_read_them(directory: Path) -> None:
    before = os.umask(0)
    try:
        export()
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}
    assert {file.stat().st_nlink for file in directory.iterdir()} == {1}


def test_an_aborted_export_leaves_nothing(directory: Path) -> None:
    sink = opened()
    sink.write(DATA)
    sink.abort()
    sink.abort()
    assert names(directory) == []


@pytest.mark.parametrize(
    ("output", "extension", "name"),
    [
        ("tasks", "csv", "tasks.csv"),
        ("tasks.csv", "csv", "tasks.csv"),
        ("TASKS.CSV", "csv", "TASKS.CSV"),
        ("tasks.2026-01", "jsonl", "tasks.2026-01.jsonl"),
        ("tasks.csv.gz", "csv.gz", "tasks.csv.gz"),
        ("a" * 124, "csv", "a" * 124 + ".csv"),
    ],
)
def test_a_name_gets_the_extension_of_its_format(output: str, extension: str, name: str, directory: Path) -> None:
    assert export(output, extension) == str(directory / name)
    assert names(directory) == [name, f"{name}.manifest.json"]


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../tasks.csv", "/etc/tasks.csv", "a/b.csv", "a\\b.csv", "./tasks.csv", "tasks.csv/"),
        *(".hidden.csv", "-rf.csv", "tasks .csv", "tasks\n.csv", "tasks.csv\n", "tasks\0.csv", "täsks.csv", "a:b.csv"),
        *("~", "~root", "$HOME", "%2e%2e", "CON:", "tasks.csv.manifest.json", "tasks.Manifest.JSON", "a" * 125),
        *("s3:/bucket/key", "S3://bucket/key", "file:///tmp/x", "tasks\u202e.csv", "\ud800.csv", ".tasks.csv.part"),
    ],
)
def test_other_names_are_refused_before_anything_is_made(name: str, directory: Path) -> None:
    with pytest.raises(InsightsError, match="is not a valid name"):
        opened(name)
    assert not directory.exists()


@pytest.mark.parametrize(
    ("name", "extension", "found"),
    [("t.csv", "csv.gz", "csv"), ("t.csv.gz", "csv", "csv.gz"), ("t.JSONL", "csv", "jsonl")],
)
def test_a_name_of_another_format_is_refused(name: str, extension: str, found: str, directory: Path) -> None:
    with pytest.raises(InsightsError, match=rf"ends in \.{found}, but the format is {extension}; omit the extension"):
        opened(name, extension)


@pytest.mark.parametrize("taken", ["tasks.csv", "tasks.csv.manifest.json"])
@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
def test_an_existing_export_is_not_replaced(taken: str, kind: str, directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    for before in (True, False):  # the sink is opened
        directory.mkdir(mode=0o700)
        sink = None if before else opened()
        _plant(directory / taken, kind, elsewhere)
        with pytest.raises(
            InsightsError, match=rf"{taken} exists, and an export never replaces a file: choose another name"
        ):
            (sink or opened()).commit(MANIFEST)
        assert names(directory) == [taken]
        assert elsewhere.read_text() == "precious"
        (directory / taken).rmdir() if kind == "folder" else (directory / taken).unlink()
        directory.rmdir()


def _plant(path: Path, kind: str, elsewhere: Path) -> None:
    if kind == "file":
        path.write_text("old")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(elsewhere if kind == "link" else elsewhere.parent / "nowhere")


def test_of_two_exports_to_one_name_the_first_to_end_wins(directory: Path) -> None:
    first, second = opened(), opened()
    first.write(b"first")
    second.write(b"second")
    second.commit(b"{}")
    with pytest.raises(InsightsError, match="exists"):
        first.commit(b"{}")
    assert names(directory) == ["tasks.csv", "tasks.csv.manifest.json"]
    assert (directory / "tasks.csv").read_bytes() == b"second"


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
def test_a_temporary_name_that_was_planted_is_not_written_to(
    kind: str, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Token:
        def __init__(self, digit: str) -> None:
            self.hex = digit * 32

    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    directory.mkdir(mode=0o700)
    tokens = iter([Token("a"), Token("b")])
    monkeypatch.setattr(folder_module, "uuid4", lambda: next(tokens))
    monkeypatch.setattr(folder_module.Folder, "remove_dead", lambda _: None)  # else a planted file would be removed
    planted = f".tasks.csv.{'a' * 32}.part"
    _plant(directory / planted, kind, elsewhere)
    export()
    assert names(directory) == [planted, "tasks.csv", "tasks.csv.manifest.json"]
    assert (directory / "tasks.csv").read_bytes() == DATA
    assert elsewhere.read_text() == "precious"


def test_planted_names_that_look_temporary_stop_nothing(directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    directory.mkdir(mode=0o700)
    token = "a" * 32
    (directory / f".link.csv.{token}.part").symlink_to(elsewhere)
    (directory / f".folder.csv.{token}.part").mkdir()
    (directory / f".beside.csv.manifest.json.{token}.part").mkdir()
    os.mkfifo(directory / f".pipe.csv.{token}.part")
    (directory / f".hard.csv.{token}.part").hardlink_to(elsewhere)  # looks like a dead run's, and its name may go
    (directory / ".others.part").touch()
    before = names(directory)
    export()
    assert set(before) - set(names(directory)) == {f".hard.csv.{token}.part"}
    assert elsewhere.read_text() == "precious"


def test_a_link_in_place_of_the_folder_leads_nowhere(directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    directory.symlink_to(elsewhere)
    with pytest.raises(InsightsError, match="is a link: set the folder that it points to"):
        opened()
    directory.unlink()
    sink = opened()
    sink.write(DATA)
    directory.rename(tmp_path / "moved")
    directory.symlink_to(elsewhere)  # during the export
    sink.commit(MANIFEST)
    assert names(elsewhere) == []
    assert names(tmp_path / "moved") == ["tasks.csv", "tasks.csv.manifest.json"]


@pytest.mark.parametrize("mode", [0o701, 0o750, 0o777, 0o1777])
def test_a_folder_that_others_may_enter_is_refused(mode: int, directory: Path) -> None:
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(InsightsError, match="must belong to the user that runs the export and be closed to all others"):
        opened()
    assert names(directory) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_folder_of_another_user_is_refused(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    os.chown(directory, 65534, 65534)
    with pytest.raises(InsightsError, match="must belong to the user that runs the export"):
        opened()


def test_a_folder_of_no_use_is_said_so(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.write_text("a file")
    with pytest.raises(InsightsError, match=r"Exporting to .*/exports failed: Not a directory"):
        opened()
    monkeypatch.setenv("INSIGHTS_EXPORT_DIR", str(directory.parent / "no" / "parents"))
    with pytest.raises(InsightsError, match="No such file or directory; the parent folder must exist"):
        opened()
    monkeypatch.setenv("INSIGHTS_EXPORT_DIR", "exports")
    with pytest.raises(InsightsError, match='INSIGHTS_EXPORT_DIR is "exports": must be an absolute path'):
        opened()
    monkeypatch.delenv("INSIGHTS_EXPORT_DIR")
    with pytest.raises(InsightsError, match="environment variable INSIGHTS_EXPORT_DIR, which is not set"):
        opened()


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_output_counts_and_hashes_what_lands(size: int, directory: Path) -> None:
    data = bytes(number * number % 251 for number in range(size))
    landed = set()
    for number, step in enumerate((17_001, BLOCK, size + 1)):
        for compress, name in ((False, f"{number}.csv"), (True, f"{number}.csv.gz")):
            sink = opened(name, "csv.gz" if compress else "csv")
            output = Output(sink, compress=compress)
            for piece in _pieces(data, step):
                output.write(memoryview(piece))
            written = output.finish()
            file = (directory / Path(sink.commit(MANIFEST)).name).read_bytes()
            assert (len(file), hashlib.sha256(file).hexdigest()) == (written.bytes, written.sha256)
            assert (gzip.decompress(file) if compress else file) == data
            landed.add((compress, file))
    assert len(landed) == 2  # the same bytes, however they were written, and whenever


def test_gzip_has_neither_name_nor_time(directory: Path) -> None:
    sink = opened("tasks", "csv.gz")
    output = Output(sink, compress=True)
    output.write(DATA)
    output.finish()
    sink.commit(MANIFEST)
    file = directory / "tasks.csv.gz"
    assert file.read_bytes()[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"  # magic, deflate, no flags, no time
    done = subprocess.run(["gzip", "-dc", file], capture_output=True, check=True)
    assert done.stdout == DATA


def test_a_sink_of_a_file_is_one_of_the_sinks(tmp_path: Path) -> None:
    sink: Sink = FileSink(tmp_path / "exports", "tasks.csv")
    sink.abort()
