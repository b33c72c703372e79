"""Runs dbt without the command `insights`, with libpq's variables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import chain, pairwise
from pathlib import Path

from support import saved_parse
from support.warehouse import DbtResult

from orchestration.config.files import PROJECT
from workshop.services import LocalPostgres

DBT = Path(sys.executable).with_name("dbt")


def libpq_variables(postgres: LocalPostgres, database: str, user: str) -> dict[str, str]:
    """Return the environment variables for a database of the private server."""
    return {"PGHOST": str(postgres.socket_dir), "PGUSER": user, "PGDATABASE": database}


def plain_dbt(variables: Mapping[str, str], *arguments: str) -> DbtResult:
    """Run `dbt ARGUMENTS` in the project's folder, with these environment variables."""
    given = [pair for pair in pairwise(arguments) if pair[0] in ("--vars", "--target", "--profile")]
    saved_parse.save(variables, *chain.from_iterable(given))
    done = subprocess.run(
        [DBT, *arguments],
        cwd=PROJECT,
        env=os.environ | dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return DbtResult(done.returncode == 0, done.stdout)
