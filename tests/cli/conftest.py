"""What the tests of commands share."""

import pytest

from monitor import cli


@pytest.fixture
def releve(request, tmp_path, capsys, monkeypatch):
    """Run one command line in English on the module's SITE; return exit code, stdout and stderr.

    A module whose commands need more has a fixture of its own.
    """
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(request.module.SITE, encoding="utf-8")
    monkeypatch.setenv("RELEVE_INVENTORY", str(inventory))
    monkeypatch.setenv("RELEVE_DATA", str(tmp_path / "data"))

    def run(*arguments, lang="en"):
        code = cli.carry_out(["--lang", lang, *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run
