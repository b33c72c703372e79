"""The interface for a service: the documented lines run, and no page shows an import of another module."""

from __future__ import annotations

import json
import re
import textwrap
from types import SimpleNamespace
from typing import Any

import pytest
from support.warehouse import Warehouse

from orchestration import service
from orchestration.config.files import PROJECT
from orchestration.errors import InsightsError

ORGANIZATION = "sample-hospital"
HEADING = "\n## For the reporting service\n"


def _snippet() -> str:
    page = (PROJECT / "docs/dashboards.md").read_text("utf-8")
    found = re.match(r"((?: {4}.*)?\n)+", page.split(HEADING)[1])
    assert found
    return textwrap.dedent(found[0])


def test_no_page_imports_a_module_of_the_package() -> None:
    pages = [*(PROJECT / "docs").rglob("*.md"), PROJECT / "README.md"]
    imports = [line for page in pages for line in re.findall(r"from orchestration\S* import", page.read_text("utf-8"))]
    assert imports == ["from orchestration.service import"]


def test_the_interface_has_every_name_that_it_lists() -> None:
    assert [name for name in service.__all__ if not hasattr(service, name)] == []
    raised = {
        name for name, value in vars(service).items() if isinstance(value, type) and issubclass(value, InsightsError)
    }
    assert raised <= set(service.__all__)


def test_the_interface_has_every_error_that_a_reader_raises() -> None:
    proofs = (PROJECT / "tests/dashboards/test_reader_errors.py").read_text("utf-8")
    kinds = set(re.findall(r"\b[A-Z]\w+Error\b", proofs))
    assert {"ConflictError", "TimedOutError"} < kinds
    assert kinds - set(service.__all__) == set()


@pytest.mark.services
def test_the_documented_lines_answer(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.reader_url)
    monkeypatch.delenv("INSIGHTS_REDIS_URL", raising=False)
    (organization_id,) = built.rows(
        "select organization_id::text from insights.dim_organizations where slug = %s", "sample-hospital"
    )[0]
    names: dict[str, Any] = {"organization_id": organization_id, "roles": ["teacher"]}
    exec(compile(_snippet(), "docs/dashboards.md", "exec"), names)  # noqa: S102 - lines of our own page
    found = SimpleNamespace(**names)
    panels = json.loads(found.answer.entry.body)
    assert panels and all({"horizon", "rows", "left_out"} <= set(panel) for panel in panels.values())
    with pytest.raises(service.NotFoundError):
        found.reader.ask(service.Asked("no_dashboard", organization_id, ["PUBLIC"]), ["teacher"])
    found.reader.close()
