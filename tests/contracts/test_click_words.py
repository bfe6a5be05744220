"""The words of click that we translate are the ones that the installed click says."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest

from monitor.cli.click_words import WORDS, plurals


@pytest.fixture(scope="module")
def said() -> set[str]:
    sources = Path(click.__file__).parent.glob("*.py")
    trees = [ast.parse(source.read_text(encoding="utf-8")) for source in sources]
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}


@pytest.mark.parametrize("word", [*WORDS, *plurals(1), *plurals(2)])
def test_click_still_says_it(said, word):
    assert word in said
