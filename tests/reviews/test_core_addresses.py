"""Addresses of Core Services: http with a token is warned about, unless nothing leaves the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.config_project import ConfigProject
from support.reviews.review_outbox import TOKEN

from orchestration.reviews import core_services


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    """Return a copy of the project's configuration."""
    return ConfigProject.copy_to(tmp_path)


ADDRESSES: dict[str, bool] = {
    "http://core.example.org/cases": True,
    "HTTP://10.0.0.7/": True,
    "https://core.example.org/cases": False,
    "http://127.0.0.1:8000/": False,
    "http://[::1]/": False,
    "http://localhost/": False,
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_http_with_a_token_is_warned_about(project: ConfigProject, url: str) -> None:
    def warns(**given: str) -> bool:
        return any("cross the network unencrypted" in text for text in project.said("warning", **given))

    assert warns(INSIGHTS_CORE_API_URL=url, INSIGHTS_CORE_API_TOKEN=TOKEN) == ADDRESSES[url]
    assert not warns(INSIGHTS_CORE_API_URL=url)
    assert (core_services.CoreServices(url, TOKEN, 1).warning is not None) == ADDRESSES[url]
    assert core_services.CoreServices(url, None, 1).warning is None


def test_http_through_a_proxy_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    make: Callable[[], str | None] = lambda: core_services.CoreServices("http://127.0.0.1:1/", TOKEN, 1).warning  # noqa: E731
    assert make() is None
    monkeypatch.setenv("http_proxy", "http://proxy.example.org:3128")
    assert make() == core_services.UNENCRYPTED
