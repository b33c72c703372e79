"""The images of the Containerfile, built by buildah in a folder of their own, on a base that mmdebstrap makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration.config.files import PROJECT

PROGRAMS = ("buildah", "mmdebstrap", "unshare", "chroot")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Before the fixtures remove proxies and the like, which a build may need.
CALLERS = dict(os.environ)


@dataclass(frozen=True)
class Image:
    """One image: the folder of its files, what it says about how it is run, its size in bytes, and how long it took."""

    name: str
    root: Path
    config: Mapping[str, object]
    size: int
    seconds: float

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its processes."""
        pairs = self.config["Env"]
        assert isinstance(pairs, list)
        return dict(pair.split("=", 1) for pair in pairs)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a container with these arguments, or with its own."""
        entrypoint, given = self.config["Entrypoint"], list(arguments) or self.config["Cmd"]
        assert isinstance(entrypoint, list) and isinstance(given, list)
        return [*entrypoint, *given]


@dataclass
class Builder:
    """Buildah with a storage of its own below `folder`."""

    folder: Path

    def buildah(self, *arguments: str | Path) -> str:
        """Run a command of buildah, and return what it prints; its messages are in the assertion if it fails."""
        places: list[str | Path] = ["--root", self.folder / "storage", "--runroot", self.folder / "run"]
        if driver := CALLERS.get("STORAGE_DRIVER"):  # such as vfs, where the kernel has no overlay
            places += ["--storage-driver", driver]
        environment = {"BUILDAH_ISOLATION": "chroot"} | CALLERS
        done = subprocess.run(
            ["buildah", *places, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"buildah {arguments[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return str(done.stdout).strip()

    def make_base(self) -> str:
        """Make Debian 12 with its Python 3.11 and venv, and return the name of the image."""
        tree = self.folder / "base.tar"
        options = ("--variant=minbase", "--include=python3.11-venv,ca-certificates", "--quiet")
        done = subprocess.run(
            ["mmdebstrap", *options, "bookworm", str(tree)], env=CALLERS, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
        container = self.buildah("from", "scratch")
        self.buildah("add", container, tree, "/")
        tree.unlink()
        if CERTIFICATES.exists():  # of a proxy between here and the index of packages
            self.buildah("copy", container, CERTIFICATES, CERTIFICATES)
        self.buildah("commit", "--rm", container, "insights-base")
        return "localhost/insights-base"

    def build(self, target: str, base: str) -> Image:
        """Build a target of the Containerfile, with the settings of this machine's pip, and unpack it."""
        settings = self.folder / "pip.conf"
        values, folders = _pip_settings()
        settings.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()), "utf-8")
        volumes = [option for folder in folders for option in ("--volume", f"{folder}:{folder}:ro")]
        started = time.monotonic()
        self.buildah(
            *("build", "--layers", "--pull-never", "--target", target, "--tag", f"insights-{target}"),
            *("--build-arg", f"BASE={base}", "--secret", f"id=pip,src={settings}", *volumes),
            *("--file", PROJECT / "Containerfile", PROJECT),
        )
        seconds = time.monotonic() - started
        container = self.buildah("from", "--pull-never", f"localhost/insights-{target}")
        root = Path(self.buildah("mount", container))
        described = json.loads(self.buildah("inspect", "--type", "image", f"localhost/insights-{target}"))
        return Image(target, root, described["OCIv1"]["config"], _size(root), seconds)


def _pip_settings() -> tuple[dict[str, str], list[str]]:
    """Return what pip is configured with on this machine, and the folders that it reads packages from."""
    pip = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(pip, env=CALLERS, capture_output=True, text=True, check=True).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in ("index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "timeout"):
            found[name] = " ".join(value.strip("'").replace("\\n", " ").split())
    words = [word.removeprefix("file://") for value in found.values() for word in value.split()]
    return found, sorted({str(Path(*Path(word).parts[:3])) for word in words if word.startswith("/")})


def _size(root: Path) -> int:
    listed = subprocess.run(["du", "-sxb", str(root)], capture_output=True, text=True, check=True)
    return int(listed.stdout.split()[0])


@contextmanager
def builder(folder: Path) -> Iterator[Builder]:
    """Yield a builder, and remove its storage afterwards."""
    made = Builder(folder)
    try:
        yield made
    finally:
        made.buildah("rm", "--all")
        for place in _mounts(folder):
            subprocess.run(["umount", place], check=True)
        shutil.rmtree(folder)


def _mounts(folder: Path) -> list[str]:
    """Return what is mounted below a folder, the innermost first; buildah mounts its own storage."""
    places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted((place for place in places if Path(place).is_relative_to(folder)), reverse=True)


def missing() -> list[str]:
    """Return the programs that are not installed here."""
    return [name for name in PROGRAMS if not shutil.which(name)]


# The root is mounted again without the right to write, as in a container with a read-only root; /tmp is empty.
_INSIDE = """
set -e
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
mount -t tmpfs tmpfs "$0/tmp"
chmod 1777 "$0/tmp"
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
for place in $WRITABLE; do mount -t tmpfs -o uid=10001,gid=10001 tmpfs "$0$place"; done
cd "$0"
exec chroot --userspec="$AS" "$0" env -i "$@"
"""


def contained(
    image: Image, command: Sequence[str], variables: Mapping[str, str], writable: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Return a command line, and its environment, that runs a command as the image's user with a read-only root."""
    given = [f"{name}={value}" for name, value in (image.environment | dict(variables)).items()]
    begin = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGTERM", "sh", "-c", _INSIDE, str(image.root)]
    outside = {"PATH": os.environ["PATH"], "AS": str(image.config["User"]), "WRITABLE": " ".join(writable)}
    return [*begin, *given, *command], outside


def run(
    image: Image, *command: str, writable: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a container of the image to its end."""
    line, outside = contained(image, command, variables, writable)
    return subprocess.run(line, env=outside, capture_output=True, text=True, check=False)
