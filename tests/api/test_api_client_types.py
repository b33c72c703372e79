"""TypeScript's compiler accepts the answers of the client's routes as what Orgo's client reads, and refuses others."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.api.client import BREACHES, OVERVIEW, SCORE, VOLUME, ask
from support.api.server import Api

from orchestration.config.files import PROJECT

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

FILES = PROJECT / "tests" / "api" / "typescript"
NPM_SECONDS = 120
# One answer of each kind, and its type in orgo-client.ts.
ANSWERS = {
    "volume": (VOLUME, "?window=90d", "Success<readonly Volume[]>"),
    "domains": (BREACHES, "?window=365d", "Success<readonly DomainBreaches[]>"),
    "tasks": (BREACHES, "?window=365d&view=tasks&onlyOpen=false", "Success<readonly TaskBreach[]>"),
    "score": (SCORE, "?window=365d", "Success<ProfileScore>"),
    "overview": (OVERVIEW, "?timeframe=90d", "Success<Overview>"),
    "failure": (VOLUME, "?window=91d", "Failure"),
}


def first(rows: str, **values: Any) -> Callable[[Any], None]:
    """Return a change of the first row of a list, given by its keys, such as `data.perDomain`."""

    def change(answer: Any) -> None:
        for key in rows.split("."):
            answer = answer[key]
        answer[0].update(values)

    return change


def without(key: str) -> Callable[[Any], None]:
    return lambda answer: answer["data"].pop(key)


# What a client would stumble over: an id that JavaScript rounds, a number as text, an unknown status, a missing member.
WRONG = {
    "an id that is a number": ("tasks", first("data", task_id=1)),
    "a count that is a text": ("volume", first("data", count="1")),
    "a status of another release": ("volume", first("data", status="WAITING")),
    "a date that is none": ("volume", first("data", date="today")),
    "a share in words": ("domains", first("data", breachRate="12%")),
    "a missing score": ("score", without("overallScore")),
    "a missing list": ("score", without("perDomain")),
    "another timeframe": ("overview", lambda answer: answer["data"].update(timeframe="91d")),
    "a metric without its value": ("overview", first("data.metrics", value=None)),
    "an error without a code": ("failure", lambda answer: answer["error"].pop("code")),
    "an error with data": ("failure", lambda answer: answer.update(data=[])),
}


@pytest.fixture(scope="module")
def answers(api: Api) -> dict[str, Any]:
    """Return real answers, each with at least one row."""
    found = {name: ask(api, path, query).json for name, (path, query, _) in ANSWERS.items()}
    assert found["score"]["data"]["perDomain"]
    assert all(found[name]["data"] for name in ("volume", "domains", "tasks"))
    return found


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the types and the compiler of the lock file, whose checksum npm compares.

    Skips the tests without Node.js or without npm's registry.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node.js and npm are not installed (Debian, Ubuntu: apt-get install nodejs npm)")
    folder = tmp_path_factory.mktemp("typescript") / "files"
    shutil.copytree(FILES, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH", done.stderr):
        pytest.skip(f"npm's registry cannot be reached: {done.stderr[:200]}")
    assert done.returncode == 0, done.stderr
    return folder


def errors(compiler: Path, checked: Mapping[str, tuple[str, Any]]) -> set[str]:
    """Return what does not have its type in one run of the compiler; `checked` has type and answer by what it is."""
    lines = ['import type * as Orgo from "./orgo-client";']
    for number, (type_, answer) in enumerate(checked.values()):
        # In two steps: a client may be sent members that it does not read.
        lines.append(f"const answer{number} = {json.dumps(answer)} as const;")
        imported = re.sub(r"([A-Z]\w+)", r"Orgo.\1", type_)
        lines.append(f"export const typed{number}: {imported} = answer{number};")
    (compiler / "answers.ts").write_text("\n".join(lines), "utf-8")
    command = ["node", "node_modules/typescript/bin/tsc", "--noEmit", "--pretty", "false", "-p", "."]
    done = subprocess.run(command, cwd=compiler, capture_output=True, text=True, check=False)
    found = re.findall(r"^answers\.ts\((\d+),\d+\): error TS\d+: ", done.stdout, re.M)
    assert (done.returncode == 0) == (not found), done.stdout + done.stderr
    what = list(checked)
    return {what[int(line) // 2 - 1] for line in found}  # two lines for each, after the first


def test_the_client_can_read_real_answers(compiler: Path, answers: dict[str, Any]) -> None:
    assert errors(compiler, {name: (type_, answers[name]) for name, (_, _, type_) in ANSWERS.items()}) == set()


def test_another_shape_is_refused(compiler: Path, answers: dict[str, Any]) -> None:
    checked = {}
    for what, (name, spoil) in WRONG.items():
        spoiled = json.loads(json.dumps(answers[name]))
        spoil(spoiled)
        checked[what] = (ANSWERS[name][2], spoiled)
    assert errors(compiler, checked) == set(WRONG)
