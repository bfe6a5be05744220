"""One authority of the lab's own, and certificates that it signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Identity:
    """Files of a certificate and its key, as PEM."""

    cert: Path
    key: Path


class Pki:
    """Certificates below `folder`; `ca` is the file of who signed them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._authority, self.ca = folder, trustme.CA(), folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def issue(self, name: str, *identities: str) -> Identity:
        """Return a certificate for names or addresses."""
        issued = self._authority.issue_cert(*identities)
        made = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issued.private_key_pem.write_to_path(made.key)
        made.cert.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        return made
