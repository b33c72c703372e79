"""The YAML reader: lines of every value, and one clear problem for each way in which a file is not plain YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.config.yaml_reader import Document, read_yaml


def read(tmp_path: Path, content: str | bytes) -> Document:
    path = tmp_path / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_yaml(path, "x.yaml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ["x.yaml:1: the file is empty; it must be a mapping, lines such as key: value"]),
        ("# nothing\n", ["x.yaml:1: the file is empty; it must be a mapping, lines such as key: value"]),
        ("\n- a\n", ["x.yaml:2: the file must be a mapping, lines such as key: value"]),
        ("text", ["x.yaml:1: the file must be a mapping, lines such as key: value"]),
        ("a: 1\nb:\n\tc: 1\n\td: 2\n", [f"x.yaml:{n}:1: a tab in the indentation, which YAML forbids" for n in (3, 4)]),
        ("a: 1\nb:\n  \tc: 1\n", ["x.yaml:3:3: a tab in the indentation, which YAML forbids; use spaces"]),
        (b"a: 1\nb: caf\xe9\n", ["x.yaml:2:7: the byte 0xE9 is not UTF-8; save the file as UTF-8"]),
        ("a: 1\nb: \x07\n", ["x.yaml:2:4: the character U+0007 is not allowed in YAML; remove it"]),
        ("a: 1\nb: 2\na: 3\n", ["x.yaml:3: a: this key is a duplicate of line 1; remove one of them"]),
        ("a: {b: 1, c: {d: 1, d: 2}}", ["x.yaml:1: a.c.d: this key is a duplicate of line 1; remove one of them"]),
        ("a: 1\nb: [1, 2\n", ["x.yaml:3:1: this is not valid YAML: did not find expected ',' or ']'"]),
        (
            "a: @b\n",
            [
                "x.yaml:1:4: this is not valid YAML: found character that cannot start any token, while scanning for"
                " the next token: '@'; put the value in quotes"
            ],
        ),
        ("a: |\n  x\n  \ty\nb: [\n", ["x.yaml:5:1: this is not valid YAML: did not find expected node content"]),
        ("a: *b\n", ["x.yaml:1:4: this is not valid YAML: found undefined alias"]),
        ("a: 1\n---\nb: 2\n", ["x.yaml:2:1: this is not valid YAML: but found another document, expected a single"]),
        ("a: &x\n  b: *x\n", ["x.yaml:1: nested too deeply, too large, or an alias refers to itself"]),
        ("a: &x [*x]\n", ["x.yaml:1: nested too deeply, too large, or an alias refers to itself"]),
        ("a: &x\n  <<: *x\n", ["x.yaml:1: nested too deeply, too large, or an alias refers to itself"]),
        ("\na: " + "[" * 60 + "]" * 60, ["x.yaml:2: nested too deeply, too large, or an alias refers to itself"]),
        (
            "a: !!python/object:os.system x\n",
            ["x.yaml:1: a: the tag tag:yaml.org,2002:python/object:os.system is not allowed"],
        ),
        ("a: !!set {x}\n", ["x.yaml:1: the tag tag:yaml.org,2002:set is not allowed here; remove it"]),
        ("!own\na: 1\n", ["x.yaml:1: the tag !own is not allowed here; remove it"]),
        (
            "a: 2026-02-31\n",
            ["x.yaml:1: a is 2026-02-31: YAML reads this as a date, but it is not a valid one; quote it"],
        ),
        ("a: 0x1F\n", ["x.yaml:1: a is 0x1F: YAML takes this for 31; write a number in decimal, or a text in quotes"]),
        ("a: on\n", ["x.yaml:1: a is on: YAML takes this for true; write true, or a text in quotes"]),
        ("2026: a\n", ["x.yaml:1: 2026: YAML takes this key for a number; put it in quotes"]),
        ("2026-01-01: a\n", ["x.yaml:1: 2026-01-01: YAML takes this key for a date; put it in quotes"]),
        ("a:\n  ~: b\n", ["x.yaml:2: a.~: YAML takes this key for nothing; put it in quotes"]),
        ("? [a]\n: b\n", ["x.yaml:1: a key must be a string, not a list or a mapping"]),
        ("a: {<<: [{b: 1}, 3]}\n", ["x.yaml:1: a.<<: must be a mapping or a list of mappings"]),
        ("token: yes\n", ["x.yaml:1: token is ***: YAML takes this for true; write true, or a text in quotes"]),
    ],
)
def test_a_wrong_file_is_reported(tmp_path: Path, content: str | bytes, said: list[str]) -> None:
    problems = [str(problem).removeprefix("error: ") for problem in read(tmp_path, content).problems]
    assert len(problems) == len(said), problems
    for problem, wanted in zip(problems, said, strict=True):
        assert problem.startswith(wanted), problem


def test_many_aliases_of_aliases_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "too large" in str(read(tmp_path, "\n".join(lines)).problems[0])
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    assert "too large" in str(read(tmp_path, "\n".join(lines)).problems[0])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert [str(p) for p in read_yaml(tmp_path / "none.yaml", "none.yaml").problems] == [
        "error: none.yaml: cannot be read: No such file or directory"
    ]
    assert [str(p) for p in read_yaml(tmp_path, "folder").problems] == ["error: folder: cannot be read: Is a directory"]


def test_values_and_lines(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "\N{ZERO WIDTH NO-BREAK SPACE}a: 1_000\nb:\n  c: [x, 'yes', true, null, 1.5]\n  d: |\n    x\n    \ty\n"
        "base: &base\n  e: 1\n  f: {g: 2}\nm:\n  f: 3\n  <<: *base\nn: {<<: [{e: 5}, *base]}\no: *base\n",
    )
    assert document.problems == []
    assert document.data == {
        "a": 1000,
        "b": {"c": ["x", "yes", True, None, 1.5], "d": "x\n\ty\n"},
        "base": {"e": 1, "f": {"g": 2}},
        "m": {"e": 1, "f": 3},
        "n": {"e": 5, "f": {"g": 2}},
        "o": {"e": 1, "f": {"g": 2}},
    }
    lines = {path: place.line for path, place in document.places.items()}
    assert lines[("b", "c", 1)] == 3
    assert (lines[("m", "e")], lines[("m", "f")]) == (8, 11)  # one from the template, one of its own
    assert ("m", "f", "g") not in lines
    assert lines[("o", "f", "g")] == 9
    assert document.places[("b", "c", 1)].plain is None
    assert document.places[("b", "c", 0)].plain == "x"
