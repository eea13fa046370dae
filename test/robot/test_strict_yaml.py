"""YAML is read strictly, and every error names file, field, got and expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from wm_planner.errors import ConfigurationError
from wm_planner.robot.strict_yaml import Section, read


@pytest.fixture
def section() -> Section:
    data = {"text": "a", "number": 2, "flag": True, "names": ["a", "b"], "numbers": [1, 2.5]}
    return Section(data, "rig.yaml", "hands.left")


def test_values_come_back_as_they_are(section: Section) -> None:
    assert section.text("text") == "a"
    assert section.number("number") == 2.0
    assert section.flag("flag") is True
    assert section.names("names") == ("a", "b")
    assert section.numbers("numbers", 2) == (1.0, 2.5)
    assert section.text("absent", default=None) is None


@pytest.mark.parametrize(
    ("read_field", "message"),
    [
        (lambda s: s.text("number"), r"rig.yaml: hands.left.number: got 2, expected text"),
        (lambda s: s.number("flag", unit="m"), r"flag: got True, expected a number in m"),
        (lambda s: s.number("number", minimum=3), r"number: got 2, expected a number, at least 3"),
        (lambda s: s.flag("number"), r"number: got 2, expected true or false"),
        (lambda s: s.count("text"), r"text: got 'a', expected a whole number above 0"),
        (lambda s: s.numbers("numbers", 3, "m"), r"got \[1, 2.5\], expected a list of 3 numbers"),
        (lambda s: s.names("numbers"), r"numbers: got \[1, 2.5\], expected a list of names"),
        (lambda s: s.number("absent", unit="m"), r"left.absent: missing, expected a number in m"),
        (lambda s: s.section("text"), r"hands.left.text: got 'a', expected a mapping"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(section, read_field, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_field(section)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "1e-3", None])
def test_only_finite_numbers_are_numbers(value) -> None:
    with pytest.raises(ConfigurationError, match="x: got"):
        Section({"x": value}, "rig.yaml").number("x")


def test_a_name_that_comes_twice_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"\['a'\] came twice"):
        Section({"names": ["a", "b", "a"]}, "rig.yaml").names("names")


def test_an_unknown_key_names_the_closest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'workspace'"):
        Section({"workspaces": 1}, "rig.yaml", "", ("workspace", "hands"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "key 'a' stands twice"),
        ("b: {c: 1, c: 2}\n", "key 'c' stands twice"),
        ("a: [1\n", "is not YAML"),
        ("\x00", "is not YAML"),
        ("[" * 2000, "is not YAML"),
        ("", "got None, expected a mapping"),
        ("1: 2\n", "got 1, expected text as key"),
        ("? [1, 2]\n: 3\n", "is not YAML"),
        ("a: 2001-99-99\n", "is not YAML"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read(path, ("a", "b"))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01\x80")
    for name in ("absent.yaml", "binary.yaml", "."):
        with pytest.raises(ConfigurationError, match=name):
            read(tmp_path / name, ())
