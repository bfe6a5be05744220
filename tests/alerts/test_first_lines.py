"""Whatever the step, the reader, the language and the state: the first three lines say what they must."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from alerts.compose import HTML_LAYOUT, TEXT_LAYOUT, compose
from alerts.language import folder
from alerts.moved import MOVES
from alerts.notice import OF_MANY, Audience, Step
from tests.alerts.first_lines import broken, shown
from tests.alerts.told import READERS, Told, every

LAYOUTS = folder() / "messages"


@pytest.fixture(scope="module")
def messages() -> list[Told]:
    return list(every())


def of(messages: list[Told], step: Step) -> list[Told]:
    return [told for told in messages if told.planned.key.step is step]


def test_every_step_is_in_the_table_with_its_readers():
    missing = sorted(set(Step) - set(READERS))
    assert not missing, f"say in tests/alerts/told.py who reads {missing}"
    assert {step for step, readers in READERS.items() if not readers} == OF_MANY | MOVES


@pytest.mark.parametrize("step", READERS)
def test_the_first_three_lines_say_what_happened_the_impact_and_when_the_next_one_comes(messages, step):
    wrong = {}
    for told in of(messages, step):
        message = compose(told.planned, told.incident, told.context)
        for form, lines in (("text", message.text.splitlines()), ("HTML", shown(message.html))):
            if found := broken(told, lines):
                wrong[f"{told.name}, {form}"] = found
    assert wrong == {}


@pytest.fixture
def layouts(tmp_path: Path) -> Path:
    """A copy of the layouts that a test may spoil."""
    return Path(shutil.copytree(LAYOUTS, tmp_path / "layouts"))


def spoil(layouts: Path, name: str, old: str, new: str) -> None:
    path = layouts / name
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


LINES, SWAPPED = "{% for line in lines %}", "{% for line in (lines[1], lines[0], lines[2]) %}"
GREETING = "Bonjour,\n\n"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (TEXT_LAYOUT, LINES, SWAPPED),
        (TEXT_LAYOUT, LINES, "{% for line in lines[:2] %}"),
        (TEXT_LAYOUT, LINES, "{% for line in lines[1:] %}"),
        (TEXT_LAYOUT, LINES, "{% for line in lines|reverse %}"),
        (TEXT_LAYOUT, LINES, GREETING + LINES),
        (TEXT_LAYOUT, LINES, "{{ subject }}\n" + LINES),
        (TEXT_LAYOUT, LINES, "{% for line in lines %}\n"),
        (TEXT_LAYOUT, "{{ line }}\n{% endfor %}\n{% for remark", "{{ line }} \\\n{% endfor %}\n{% for remark"),
        (HTML_LAYOUT, "{{ lines[0] }}", "{{ lines[1] }}"),
        (HTML_LAYOUT, "lines[1:]", "lines[1:2]"),
        (HTML_LAYOUT, "lines[1:]", "lines[2:]"),
        (HTML_LAYOUT, "lines[1:]", "lines[1:]|reverse"),
        (HTML_LAYOUT, '<p style="margin:0 0 6px;font-size:17px">', '<p>{{ subject }}</p><p style="margin:0">'),
    ],
)
def test_a_layout_that_moves_a_line_or_leaves_one_out_is_refused(messages, layouts, name, old, new):
    spoil(layouts, name, old, new)
    passed = []
    for told in messages[:: len(Audience) + 1]:
        message = compose(told.planned, told.incident, told.context, layouts)
        lines = message.text.splitlines() if name == TEXT_LAYOUT else shown(message.html)
        if not broken(told, lines):
            passed.append(told.name)
    assert passed == []


def test_a_layout_that_only_looks_otherwise_is_not_refused(messages, layouts):
    spoil(layouts, HTML_LAYOUT, "max-width:640px", "max-width:40em")
    spoil(layouts, TEXT_LAYOUT, "-- \n", "--\n\n")
    for told in messages[::7]:
        message = compose(told.planned, told.incident, told.context, layouts)
        assert not broken(told, message.text.splitlines())
        assert not broken(told, shown(message.html))
