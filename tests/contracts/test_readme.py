"""What the two READMEs tell people to type exists, and both tell the same."""

from __future__ import annotations

import re

import click
import pytest

from monitor.cli import cli

PAGES = ("README.md", "LISEZMOI.md")
TYPED = re.compile(r"(?:^    |`|bin/)releve(?:\s--\w+\s[^\s`]+)*\s([a-z][a-z-]*)(?:\s([a-z][a-z-]*))?", re.MULTILINE)
NOT_THERE_YET = {"init"}
"""Named by the READMEs as absent."""


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_it_names_exists(project, page):
    context = click.Context(cli)
    named = {
        pair for pair in TYPED.findall((project / page).read_text(encoding="utf-8")) if pair[0] not in NOT_THERE_YET
    }
    assert len(named) > 8
    for first, second in named:
        known = cli.get_command(context, first)
        assert known is not None, f"releve {first}"
        if isinstance(known, click.Group) and second:
            assert known.get_command(context, second) is not None, f"releve {first} {second}"


def test_both_languages_show_the_same_commands(project):
    english, french = (
        set(re.findall(r"^    (\S.*?)(?:\s+#.*)?$", (project / page).read_text("utf-8"), re.M)) for page in PAGES
    )
    assert english == french


@pytest.mark.parametrize("page", [*PAGES, "ARCHITECTURE.md", "DECISIONS.md", "CHANGELOG.md"])
def test_every_page_that_it_links_to_is_there(project, page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (project / page).read_text("utf-8")):
        assert (project / target).exists(), target
