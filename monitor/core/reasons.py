"""Why the system refused, as a `Text`: its own words are English, whatever the reader's language."""

from __future__ import annotations

from monitor.core.text import N_, Text, verbatim

WORDS = frozenset(
    {
        N_("Address already in use"),
        N_("Broken pipe"),
        N_("Cannot assign requested address"),
        N_("Connection refused"),
        N_("Connection reset by peer"),
        N_("Connection timed out"),
        N_("Disk quota exceeded"),
        N_("File exists"),
        N_("Input/output error"),
        N_("Is a directory"),
        N_("Name or service not known"),
        N_("Network is unreachable"),
        N_("No address associated with hostname"),
        N_("No route to host"),
        N_("No space left on device"),
        N_("No such file or directory"),
        N_("Not a directory"),
        N_("Operation not permitted"),
        N_("Permission denied"),
        N_("Read-only file system"),
        N_("Temporary failure in name resolution"),
        N_("Too many open files"),
        N_("Too many open files in system"),
        N_("timed out"),
    }
)
"""What strerror(3) and gai_strerror(3) of the GNU C library say, and what Python says of a socket's timeout."""


def reason(error: Exception) -> Text:
    """Return why `error` happened: translatable where the words are known, else just as they stand."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Text(words) if words in WORDS else verbatim(words)
