"""Reads a YAML file into plain values with the line of every key, and collects its problems.

It walks the nodes of PyYAML itself, because `yaml.safe_load` drops positions and silently accepts duplicate keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.reader import Reader

from orchestration.config.masking import as_written
from orchestration.config.problems import KeyPath, Problem, dotted

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "timestamp")}
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_KINDS = {"int": "a number", "float": "a number", "bool": "a boolean", "null": "nothing", "timestamp": "a date"}
_MERGE = "tag:yaml.org,2002:merge"
_DECIMAL = re.compile(r"[+-]?(?:0|[1-9][0-9_]*)")
_DEEPEST = 40
_LARGEST = 50_000  # values; a limit for nested aliases, far above any real file


@dataclass(frozen=True)
class Place:
    """The position of a value and how it is written.

    `plain` is the text of an unquoted scalar, `kind` its YAML type, `variables` those that it is expanded from.
    """

    file: str
    line: int
    column: int = 1
    plain: str | None = None
    kind: str = ""
    variables: tuple[str, ...] = ()


@dataclass
class Document:
    """The values of a file (empty if it cannot be read), the place of each, and the problems of its YAML."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class _Unreadable(Exception):  # noqa: N818 - private to this module
    def __init__(self, says: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(says)
        self.says, self.line, self.column = says, line, column


def read_yaml(path: Path, name: str) -> Document:
    """Read a file, called `name` in messages. It raises nothing: errors are in the problems of the document."""
    document, text = Document(name), ""
    try:
        text = _decoded(path)
        root = _composed(text)
        walk = _Walk(document)
        walk.guard(root, ())
        document.places[()] = Place(name, root.start_mark.line + 1)
        document.data = walk.mapping(root, (), ())
    except _Unreadable as error:
        tabs = _tabs(text, name)
        is_a_tab = any(tab.line == error.line for tab in tabs)
        document.problems += tabs if is_a_tab else [Problem("error", error.says, name, error.line, error.column)]
        document.data, document.places = {}, {}
    return document


def _decoded(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        byte = raw[error.start]
        raise _Unreadable(f"the byte 0x{byte:02X} is not UTF-8; save the file as UTF-8", line, column) from error
    if found := Reader.NON_PRINTABLE.search(text):
        line, column = text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start())
        raise _Unreadable(f"the character U+{ord(found[0]):04X} is not allowed in YAML; remove it", line, column)
    return text


def _composed(text: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f", {error.context}" if error.context else ""
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        says = f"this is not valid YAML: {error.problem}{context}"
        if str(error.problem).endswith("cannot start any token"):
            says += f": {text.splitlines()[line - 1][column - 1 : column]!r}; put the value in quotes"
        raise _Unreadable(says, line, column) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _Unreadable(f"this is not valid YAML: {type(error).__name__}", 1, 1) from error
    if root is None:
        raise _Unreadable("the file is empty; it must be a mapping, lines such as key: value", 1)
    if not isinstance(root, yaml.MappingNode):
        raise _Unreadable("the file must be a mapping, lines such as key: value", root.start_mark.line + 1)
    return root


def _tabs(text: str, name: str) -> list[Problem]:
    """Return a problem for each line that is indented with a tab."""
    says = "a tab in the indentation, which YAML forbids; use spaces"
    return [
        Problem("error", says, name, number, line.index("\t") + 1)
        for number, line in enumerate(text.splitlines(), 1)
        if "\t" in line[: len(line) - len(line.lstrip())] and line.strip()
    ]


class _Walk:
    """Converts the nodes of one file into values."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.scalars = SafeConstructor()
        self.count = 0

    def value(self, node: yaml.Node, path: KeyPath, above: tuple[int, ...]) -> Any:
        self.guard(node, above)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            inside = (*above, id(node))
            items = []
            for index, item in enumerate(node.value):
                self.place((*path, index), item, item)
                items.append(self.value(item, (*path, index), inside))
            return items
        return self.scalar(node, path)

    def guard(self, node: yaml.Node, above: tuple[int, ...]) -> None:
        """Refuse recursive aliases, and nested ones that expand without limit."""
        self.count += 1
        line = node.start_mark.line + 1
        if self.count > _LARGEST or len(above) > _DEEPEST or id(node) in above:
            raise _Unreadable("nested too deeply, too large, or an alias refers to itself", line)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            raise _Unreadable(f"the tag {node.tag} is not allowed here; remove it", line)

    def mapping(self, node: yaml.MappingNode, path: KeyPath, above: tuple[int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        own: dict[str, int] = {}
        for key_node, item in self.merged(node, path, (*above, id(node))):
            key = self.key(key_node, path)
            self.place((*path, key), key_node, item)
            values[key] = self.value(item, (*path, key), (*above, id(node)))
        for key_node, item in node.value:
            if key_node.tag == _MERGE:
                continue
            key, line = self.key(key_node, path), key_node.start_mark.line + 1
            if key in own:
                self.problem((*path, key), f"this key is a duplicate of line {own[key]}; remove one of them", line)
                continue
            own[key] = line
            self.forget((*path, key))
            self.place((*path, key), key_node, item)
            values[key] = self.value(item, (*path, key), (*above, id(node)))
        return values

    def merged(
        self, node: yaml.MappingNode, path: KeyPath, above: tuple[int, ...]
    ) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yield keys and values that `<<:` merges into a mapping, in increasing order of precedence."""
        for key_node, item in node.value:
            if key_node.tag != _MERGE:
                continue
            for source in reversed(item.value) if isinstance(item, yaml.SequenceNode) else [item]:
                self.guard(source, above)
                if not isinstance(source, yaml.MappingNode):
                    line = key_node.start_mark.line + 1
                    self.problem((*path, "<<"), "must be a mapping or a list of mappings", line)
                    continue
                yield from self.merged(source, path, (*above, id(source)))
                yield from ((key, value) for key, value in source.value if key.tag != _MERGE)

    def key(self, node: yaml.Node, path: KeyPath) -> str:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            self.problem(path, "a key must be a string, not a list or a mapping", line)
            return "?"
        kind = _TAGS.get(node.tag, "")
        if kind != "str":
            self.problem(
                (*path, node.value), f"YAML takes this key for {_KINDS.get(kind, node.tag)}; put it in quotes", line
            )
        return str(node.value)

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        line, kind = node.start_mark.line + 1, _TAGS.get(node.tag)
        if kind is None:
            self.problem(path, f"the tag {node.tag} is not allowed here; remove it", line)
            return str(node.value)
        try:
            value = self.scalars.construct_object(node, deep=True)
        except (ValueError, OverflowError, yaml.YAMLError):
            self.problem(
                path, f"YAML reads this as {_KINDS[kind]}, but it is not a valid one; quote it", line, node.value
            )
            return str(node.value)
        if kind == "int" and not _DECIMAL.fullmatch(node.value):
            self.problem(
                path, f"YAML takes this for {value}; write a number in decimal, or a text in quotes", line, node.value
            )
        if kind == "bool" and node.value.lower() not in ("true", "false"):
            right = "true" if value else "false"
            self.problem(path, f"YAML takes this for {right}; write {right}, or a text in quotes", line, node.value)
        return value

    def place(self, path: KeyPath, at: yaml.Node, value: yaml.Node) -> None:
        is_plain = isinstance(value, yaml.ScalarNode) and not value.style
        kind = _TAGS.get(value.tag, "") if isinstance(value, yaml.ScalarNode) else ""
        mark = at.start_mark
        self.document.places[path] = Place(
            self.document.file, mark.line + 1, mark.column + 1, str(value.value) if is_plain else None, kind
        )

    def forget(self, path: KeyPath) -> None:
        """Remove the places of a value that is replaced by another one."""
        if path in self.document.places:
            for other in [other for other in self.document.places if other[: len(path)] == path]:
                del self.document.places[other]

    def problem(self, path: KeyPath, says: str, line: int, value: str | None = None) -> None:
        key = dotted(path)
        text = None if value is None else as_written(key, value)
        self.document.problems.append(Problem("error", says, self.document.file, line, None, key, text))
