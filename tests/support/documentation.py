"""Checks of the documentation: links, decision ids and citations, over the text of each file by its path."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

INDEX, DECISIONS, CONTRACT = "docs/README.md", "docs/decisions/", "docs/source-contract.md"
WITH_CITATIONS = ("*.py", "*.sql", "*.yml", "*.yaml", "*.toml", "*.md", "dev")

_CODE = re.compile(r"^```.*?^```|^ {4,}(?![-*\d]).*?$|`[^`\n]*`", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_ENTRY = re.compile(r'^<a id="([dr]\d+)"></a>\n## ([DR]\d+)\. ', re.M)
_CITED = re.compile(r"\b([DR][1-9]\d*)\b|\brules? ([1-9]\d*)\b")
_CONTRACT_CITED = re.compile(r"source contract(?:'s)?,? sections? (\d)(?: and (\d))?", re.I)
_SPECIFICATION_CITED = re.compile(r"specification,? (?:section )?(\d(?:\.\d)?)", re.I)


def files(top: Path, *patterns: str) -> list[str]:
    """Return the paths of the files below `top` that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=top, capture_output=True, text=True, check=True).stdout.split("\n")
    return [name for name in listed if name and (top / name).is_file()]


def read(top: Path, *patterns: str) -> dict[str, str]:
    """Return the text of these files by their path."""
    return {name: (top / name).read_text("utf-8") for name in files(top, *patterns)}


def broken_links(pages: Mapping[str, str], top: Path) -> list[str]:
    """Return the relative links of the pages whose file or anchor does not exist."""
    broken = []
    for page in pages:
        for link, target, anchor in _links(page, pages[page]):
            is_anchor_known = not anchor or anchor in _anchors(pages.get(target, ""))
            if not (target in pages or (top / target).exists()) or not is_anchor_known:
                broken.append(f"{page}: {link}")
    return broken


def orphans(pages: Mapping[str, str]) -> set[str]:
    """Return the pages below docs/ that no chain of links reaches from their index."""
    reached, waiting = {INDEX}, [INDEX]
    while waiting:
        page = waiting.pop()
        found = {target for _, target, _ in _links(page, pages[page]) if target in pages} - reached
        reached |= found
        waiting += found
    return {page for page in pages if page.startswith("docs/")} - reached


def decision_ids(pages: Mapping[str, str]) -> list[str]:
    """Return the id of each rule and decision, as often as it is defined.

    Raises KeyError when the anchor of an entry differs from its heading.
    """
    found = []
    for page, text in pages.items():
        if page.startswith(DECISIONS):
            for anchor, heading in _ENTRY.findall(text):
                if anchor != heading.lower():
                    raise KeyError(f"{page}: the anchor {anchor} is above {heading}")
                found.append(heading)
    return found


def unknown_citations(files: Mapping[str, str], pages: Mapping[str, str]) -> list[str]:
    """Return what the files cite and no page has: decisions, rules, sections of the contract and the specification."""
    known = set(decision_ids(pages)) | {f"contract {n}" for n in re.findall(r'<a id="section-(\d)">', pages[CONTRACT])}
    table = pages[INDEX].partition("## The specification")[2]
    known |= {f"specification {n}" for row in re.findall(r"^\| ([\d., ]+) \|", table, re.M) for n in row.split(", ")}
    known |= {name.partition(".")[0] for name in known if name.startswith("specification")}
    return [f"{file}: {cited}" for file, text in files.items() for cited in _citations(text) if cited not in known]


def _citations(text: str) -> Iterator[str]:
    for name, rule in _CITED.findall(text):
        yield name or f"R{rule}"
    for sections in _CONTRACT_CITED.findall(text):
        yield from (f"contract {section}" for section in sections if section)
    yield from (f"specification {section}" for section in _SPECIFICATION_CITED.findall(text))


def _links(page: str, text: str) -> Iterator[tuple[str, str, str]]:
    for link in _LINK.findall(_CODE.sub("", text)):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            yield link, _normal(PurePosixPath(page).parent / path) if path else page, anchor


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _anchors(text: str) -> set[str]:
    """Return the ids that a page sets, and those that GitHub gives its headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)"', text))
