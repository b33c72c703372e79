"""Exports into files when a run is killed or the disk is full: nothing partial is left."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.exports.file_exports import DATA, export, names, opened

from orchestration.config.files import PROJECT
from orchestration.errors import InsightsError

pytest_plugins = ["support.exports.file_folder"]

# A run of its own. Its arguments: the folder; after how many names it dies (3: never); how much it writes.
RUN = """
import os, signal, sys
from pathlib import Path
from orchestration.exports.files import FileSink
from orchestration.exports.folder import Folder

publish, published = Folder.publish, []
dies_after, size = int(sys.argv[2]), int(sys.argv[3])

def publish_and_die(*given):
    if len(published) == dies_after:
        os.kill(os.getpid(), signal.SIGKILL)
    publish(*given)
    published.append(given)
    if len(published) == 2 and dies_after == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Folder.publish = publish_and_die
sink = FileSink(Path(sys.argv[1]), "tasks.csv")
sink.write(b"x" * size)
print("written", flush=True)
sys.stdin.read()
sink.commit(b"{}")
"""


def run(directory: Path, dies_after: int = 3, size: int = 8) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(directory), str(dies_after), str(size)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=PROJECT, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("dies_after", [0, 1])
def test_a_killed_run_leaves_no_export_and_the_next_one_cleans_up(dies_after: int, directory: Path) -> None:
    with run(directory, dies_after) as process:
        process.communicate("go")
    assert process.returncode == -signal.SIGKILL
    left = names(directory)
    assert len([name for name in left if name.endswith(".part")]) == 2
    assert [name for name in left if not name.startswith(".")] == ["tasks.csv"] * dies_after  # and no manifest
    assert export() == str(directory / "tasks.csv")
    assert names(directory) == ["tasks.csv", "tasks.csv.manifest.json"]
    assert (directory / "tasks.csv").read_bytes() == DATA


def test_a_run_that_is_killed_when_all_is_published_has_exported(directory: Path) -> None:
    with run(directory, dies_after=2) as process:
        process.communicate("go")
    assert process.returncode == -signal.SIGKILL
    assert len(names(directory)) == 4
    export("other.csv")
    whole = ["tasks.csv", "tasks.csv.manifest.json"]
    assert names(directory) == ["other.csv", "other.csv.manifest.json", *whole]
    assert (directory / "tasks.csv").read_bytes() == b"x" * 8


def test_a_killed_run_whose_names_were_taken_meanwhile_takes_nothing_along(directory: Path) -> None:
    with run(directory, dies_after=1) as process:
        process.communicate("go")
    (directory / "tasks.csv").unlink()
    (directory / "tasks.csv").write_text("a user's file")
    export("other.csv")
    assert names(directory) == ["other.csv", "other.csv.manifest.json", "tasks.csv"]
    assert (directory / "tasks.csv").read_text() == "a user's file"


def test_a_living_run_keeps_its_temporary_files(directory: Path) -> None:
    with run(directory) as process:
        assert process.stdout
        assert process.stdout.readline() == "written\n"
        (hidden,) = names(directory)
        export("other.csv")
        assert hidden in names(directory)
        process.communicate("go")
    assert process.returncode == 0
    assert (directory / "tasks.csv").read_bytes() == b"x" * 8
    assert len(names(directory)) == 4


def test_runs_that_clean_and_begin_at_once_spare_each_other(directory: Path) -> None:
    # Each of four processes begins 40 exports, cleans what it takes for dead, and ends with a file of its own.
    script = (
        "import sys; from pathlib import Path; from orchestration.exports.files import FileSink\n"
        "for n in range(40):\n"
        "    sink = FileSink(Path(sys.argv[1]), f'{sys.argv[2]}-{n}.csv'); sink.write(b'x'); sink.commit(b'{}')\n"
    )
    command = [sys.executable, "-c", script, str(directory)]
    processes = [subprocess.Popen([*command, str(number)], cwd=PROJECT) for number in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    wanted = {f"{number}-{n}.csv" for number in range(4) for n in range(40)}
    assert set(names(directory)) == wanted | {f"{name}.manifest.json" for name in wanted}


@pytest.fixture
def small_disk(directory: Path) -> Iterator[Path]:
    """Yield the export folder, mounted as a disk of 1 MiB."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", directory], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        directory.rmdir()
        pytest.skip("this user may mount no disk")
    yield directory
    subprocess.run(["umount", directory], check=True)


def test_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    sink = opened()
    with pytest.raises(InsightsError, match="No space left on device; the partial export was removed; free some space"):
        sink.write(b"x" * (2 << 20))
    sink.abort()
    assert names(small_disk) == []
    sink = opened()
    sink.write(b"x" * ((1 << 20) - 8192))
    with pytest.raises(InsightsError, match="No space left on device"):
        sink.commit(b"y" * 65536)  # the manifest finds no room
    assert names(small_disk) == []
    export()


def test_a_file_that_may_grow_no_more_leaves_nothing(directory: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from orchestration.exports.files import FileSink\n"
        "from orchestration.errors import InsightsError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "sink = FileSink(Path(sys.argv[1]), 'tasks.csv')\n"
        "try: sink.write(b'x' * 200_000)\n"
        "except InsightsError as error: print(error)\n"
        "sink.abort()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(directory)], cwd=PROJECT, text=True, capture_output=True, check=True
    )
    assert done.stdout == f"Exporting to {directory} failed: File too large.\n"
    assert names(directory) == []
