"""YAML is read strictly, every value keeps its place, and what Windows editors do to a file is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import ENGLISH
from monitor.inventory.problems import Problems
from monitor.inventory.yaml_nodes import MAX_BYTES, ListNode, Node, ScalarNode, TableNode, plain_data, read


def told(raw: bytes) -> list[str]:
    problems = Problems()
    read("f", raw, problems)
    return [
        f"{each.line}:{each.column} {each.where}: {ENGLISH.render(each.message)} ({ENGLISH.render(each.hint)})"
        for each in problems.listed()
    ]


def data(raw: bytes) -> object:
    problems = Problems()
    node = read("f", raw, problems)
    assert problems.listed() == ()
    assert node is not None
    return plain_data(node)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0.5", 0.5),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30:45", "12:30:45"),
        ("00:1a:2b:3c:4d:5e", "00:1a:2b:3c:4d:5e"),
        ("007", "007"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("2c", "2c"),
        ("2026-11-23", "2026-11-23"),
        ("60s", "60s"),
        ('"12"', "12"),
        ("'D:\\'", "D:\\"),
        ("9" * 30, "9" * 30),
    ],
)
def test_only_true_false_and_decimal_numbers_are_more_than_words(written, value):
    assert data(f"a: {written}\n".encode()) == {"a": value}


def test_every_key_and_value_keeps_its_line_and_column():
    node = read("f", b"a:\n  b: [1, {c: d}]\n", Problems())
    assert isinstance(node, TableNode)
    inner = node.entries["a"].value
    assert isinstance(inner, TableNode)
    assert (inner.entries["b"].at.line, inner.entries["b"].at.column) == (2, 3)
    row = inner.entries["b"].value
    assert isinstance(row, ListNode)
    assert [(item.at.line, item.at.column) for item in row.items] == [(2, 7), (2, 10)]


def test_a_byte_order_mark_and_windows_line_ends_are_accepted():
    assert data(b"\xef\xbb\xbfa: 1\r\nb: [x,\r\n  y]\r\n") == {"a": 1, "b": ["x", "y"]}


def test_accents_do_not_shift_columns():
    assert told("é: è\nb: [à, *x]\n".encode()) == [
        "2:8 b.1: *x refers to nothing before it (put a value that starts with * in quotes)"
    ]


def test_what_is_merged_keeps_the_place_where_it_stands():
    node = read("f", b"base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}\n", Problems())
    assert isinstance(node, TableNode)
    mine = node.entries["mine"].value
    assert isinstance(mine, TableNode)
    assert plain_data(mine) == {"x": 1, "y": 3}
    assert {key: entry.at.line for key, entry in mine.entries.items()} == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", "3:1 a: the key a stands twice; first on line 1 (keep one of them)"),
        (
            b"a:\n\tb: 1\n",
            "2:1 file: a tab stands in the indentation (write blanks; YAML allows no tab here)",
        ),
        (
            b"a: |\n\ttext\n",
            "2:1 file: a tab stands in the indentation (write blanks; YAML allows no tab here)",
        ),
        (
            "a: 1\nb: déjà\n".encode("cp1252"),
            "2:5 file: this character is not UTF-8; in Windows-1252 it would be é (save the file as UTF-8)",
        ),
        ("a: 1".encode("utf-16"), "1:1 file: the file is UTF-16 (save it as UTF-8)"),
        (
            b'a: {mount: "D:\\", w: 80%}\n',
            "1:12 file: a backslash in double quotes starts an escape: \"D:\\\" does not end here (write 'D:\\')",
        ),
        (
            b'a: "D:\\"\n',
            "1:4 file: a backslash in double quotes starts an escape: \"D:\\\" does not end here (write 'D:\\')",
        ),
        (
            b'a: "D:\\Recordings"\n',
            "1:7 file: in double quotes \\R is an escape, not a backslash (write the path in single quotes)",
        ),
        (
            b'a: "D:\\new"\n',
            "1:7 a: in double quotes \\n is an escape, not a backslash (write the path in single quotes)",
        ),
        (
            b"sms: +237600000000\n",
            '1:6 sms: without quotes +237600000000 is a number and loses its + (write "+237600000000")',
        ),
        (
            b"a: b: c\n",
            "1:5 file: a second colon makes no sense here (put a value that holds “: ” in quotes, or mend the"
            " indentation of this line)",
        ),
        (b"a: @x\n", "1:4 file: a value cannot start with this character (put the value in quotes)"),
        (b'a: 1\nb: "open\nc: 2\n', "4:1 file: a quote that was opened is never closed (it began on line 2)"),
        (b"a: [1,\nb: 2", "2:5 file: a comma or a closing bracket is missing before this (it began on line 1)"),
        (
            b"a:\n  b: 1\n c: 2\n",
            "3:2 file: a key and its colon are expected here (the indentation of this line, or a quote before it, is"
            " wrong)",
        ),
        (b"a: !!python/name:x y\n", "1:4 a: the tag tag:yaml.org,2002:python/name:x is not understood (leave it out)"),
        (
            b"a: 1\n---\nb: 2\n",
            "2:1 file: a second document starts here; an inventory is one document (delete the line ---)",
        ),
        (b"a: {? [x] : 1}\n", "1:7 a: a key must be a word; here stands a list or a table ()"),
        (b"a: 1\x07\n", "1:5 file: a control character (code 7) stands here (delete it)"),
        (b"a: {<<: 3}\n", "1:9 a.<<: << merges tables only (write <<: *name of a table)"),
        (b"[" * 100, "1:34 file: the nesting is too deep: 32 levels at most ()"),
        (b" " * (MAX_BYTES + 1), "1:1 file: the file is too large: an inventory has at most 4 MB ()"),
    ],
)
def test_what_is_not_well_is_named_at_its_place(raw, message):
    assert told(raw) == [message]


def test_a_few_lines_of_aliases_that_mean_billions_of_values_are_refused():
    rows = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]".encode() for n in range(1, 10)]
    assert told(b"\n".join(rows)) == ["6:15 file: the file means too many values: 300000 at most, aliases included ()"]


def test_reading_goes_on_behind_what_a_windows_editor_did():
    raw = b'a:\n\tb: 1\n\tc: "D:\\"\nd: +237600000000\nd: 2\n'
    assert [line.split(" ")[0] for line in told(raw)] == ["2:1", "3:1", "3:5", "4:4", "5:1"]


def test_a_comment_with_a_windows_path_is_no_problem():
    assert told(b'# such as "D:\\" on Windows\na: b: c\n')[0].startswith("2:5 file: a second colon")


def test_a_star_in_include_needs_no_quotes():
    assert data(b"include: [*.yaml, sites/*.yaml]\n") == {"include": ["*.yaml", "sites/*.yaml"]}
    assert data(b"include:\n  - *.yaml\nb: 1\n") == {"include": ["*.yaml"], "b": 1}


def scalars(node: Node) -> list[ScalarNode]:
    match node:
        case ScalarNode():
            return [node]
        case ListNode():
            return [each for item in node.items for each in scalars(item)]
        case TableNode():
            return [each for entry in node.entries.values() for each in scalars(entry.value)]


@given(st.binary(max_size=300) | st.text(alphabet="ab:-,[]{}#&*!|>'\"%@` \t\n\\<?~0.+", max_size=80).map(str.encode))
def test_any_bytes_are_a_node_or_a_problem_and_never_an_exception(raw):
    problems = Problems()
    node = read("f", raw, problems)
    places = [(each.line, each.column) for each in problems.listed()]
    places += [(each.at.line, each.at.column) for each in scalars(node)] if node is not None else []
    assert all(line >= 1 and column >= 1 for line, column in places)
    for each in problems.listed():
        assert ENGLISH.render(each.message)
