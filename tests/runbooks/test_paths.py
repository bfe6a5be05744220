"""Paths of recordings: as their SSH server names them, and as people read them."""

from __future__ import annotations

import pytest

from runbooks.paths import as_sftp, shown_path


@pytest.mark.parametrize(
    ("written", "path", "shown"),
    [
        ("D:\\Audio", "/D:/Audio", "D:\\Audio"),
        ("d:/Audio/", "/d:/Audio", "d:\\Audio"),
        ("/srv/audio/", "/srv/audio", "/srv/audio"),
        ("D:\\", "/D:", "D:"),
        ("/", "/", "/"),
        ("audio", "audio", "audio"),
    ],
)
def test_a_windows_path_is_the_one_of_its_ssh_server_and_people_read_their_own(written, path, shown):
    assert as_sftp(written) == path
    assert shown_path(path) == shown
