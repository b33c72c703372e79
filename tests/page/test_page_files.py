"""The files of the page: the chart library is the registry's, and the page's own code makes no markup of texts."""

from __future__ import annotations

import hashlib
import re

from orchestration.api.page_files import FILES

LIBRARY = FILES / "uplot"
# `npm view uplot@1.6.32 dist.integrity`, and the digests of the files in that package.
INTEGRITY = "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=="
DIGESTS = {
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
MOST_LINES = 250
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|localStorage|cookie"
)


def test_the_chart_library_is_that_of_the_registry() -> None:
    assert {
        f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in LIBRARY.iterdir() if f.name in DIGESTS
    } == DIGESTS
    note = (LIBRARY / "VERSION.md").read_text("utf-8")
    assert INTEGRITY in note
    assert {name: digest for digest, name in re.findall(r"^    (\w{64})  (\S+)$", note, re.M)} == DIGESTS
    assert "Permission is hereby granted, free of charge" in (LIBRARY / "LICENSE").read_text("utf-8")


def test_our_own_files_are_short_and_make_no_markup_of_texts() -> None:
    own = {f.name: f.read_text("utf-8") for f in FILES.iterdir() if f.suffix in (".js", ".css", ".html")}
    assert len(own) > 10
    assert {name: len(text.splitlines()) for name, text in own.items() if len(text.splitlines()) > MOST_LINES} == {}
    assert {name: MARKUP.findall(text) for name, text in own.items() if MARKUP.search(text)} == {}


def test_what_makes_markup_of_texts_is_found() -> None:
    assert MARKUP.search("element.innerHTML = text")
    assert not MARKUP.search("element.textContent = text")
