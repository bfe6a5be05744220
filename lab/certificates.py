"""Certificates of the simulated world's own authority: one for each end of a line, good for an hour."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LASTS, EARLIER = timedelta(hours=1), timedelta(minutes=5)
BOTH_WAYS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
SIGNS = x509.KeyUsage(
    digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


class Authority:
    """Signs certificates that are good from `now` (UTC) on."""

    def __init__(self, now: datetime) -> None:
        self._now, self._key = now, ec.generate_private_key(ec.SECP256R1())
        self._name = _named("releve demo")
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        made = self._begun(self._name, self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(SIGNS, critical=True).add_extension(own, critical=False)
        self._signer = own
        self._certificate = made.sign(self._key, hashes.SHA256())

    def write(self, folder: Path, address: str) -> None:
        """Write `ca.pem`, and a certificate for the IP `address` with its key: `cert.pem` and `key.pem`."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._signer)
        made = self._begun(_named(address), key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(names, critical=False).add_extension(BOTH_WAYS, critical=False)
        certificate = made.add_extension(by, critical=False).sign(self._key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for name, content in (
            ("ca.pem", self._certificate.public_bytes(serialization.Encoding.PEM)),
            ("cert.pem", certificate.public_bytes(serialization.Encoding.PEM)),
            ("key.pem", private),
        ):
            path = folder / name
            path.touch(0o600)
            path.write_bytes(content)

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=self._now - EARLIER,
            not_valid_after=self._now + LASTS,
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
