"""Why no connection by HTTP came about, in words that name no address: that may be a secret."""

from __future__ import annotations

import os

from monitor.core.reasons import reason
from monitor.core.text import Text, say, verbatim
from probes.cleaning import one_line

LONGEST = 200
"""Characters of what is said of a certificate: whoever answers chose part of it."""


def unconnected(error: Exception) -> Text | None:
    """Return why aiohttp got no connection; None for an error of any other kind."""
    import aiohttp  # noqa: PLC0415 - it takes a third of a second, which no command should pay

    match error:
        case aiohttp.ClientConnectorDNSError():
            return say("its name cannot be resolved")
        case aiohttp.ClientConnectorCertificateError():
            words = str(getattr(error.certificate_error, "verify_message", ""))
            return say("its certificate is not trusted ({why})", why=verbatim(one_line(words, LONGEST)))
        case aiohttp.ClientSSLError():
            return say("no TLS connection can be made with it")
        case aiohttp.ClientConnectorError():
            return say("no connection: {why}", why=network_reason(error.os_error))
        case _:
            return None


def network_reason(error: OSError) -> Text:
    """Return why, without the address that asyncio puts into its own words."""
    return reason(OSError(error.errno, os.strerror(error.errno))) if error.errno else say("the network refuses")
