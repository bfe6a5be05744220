"""How a device is reached: what the inventory says under `snmp:`, `nut:`, `modbus:`, `ssh:` and the like."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from monitor.core.text import N_, say
from monitor.secret import Secret
from probes.params import Unfit


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("secret_type", "env:NAME or file:PATH is expected here")
    return Secret(value)


Hidden = Annotated[
    Secret,
    BeforeValidator(_secret),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": N_("env:NAME or file:PATH")}),
]
Port = Annotated[int, Field(ge=1, le=65535)]


class Access(BaseModel):
    """One way to a device; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class SnmpAccess(Access):
    """SNMPv2c by community or SNMPv3 by user (RFC 3414, RFC 7860 for SHA-2)."""

    version: Literal["2c", 3] = Field(description=N_("2c (a community) or 3 (a user)"))
    community: Hidden | None = Field(default=None, description=N_("version 2c: env:NAME or file:PATH"))
    user: str | None = Field(default=None, description=N_("version 3: the user's name on the device"))
    auth: Hidden | None = Field(default=None, description=N_("version 3: password that signs, env:NAME or file:PATH"))
    auth_protocol: Literal["MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"] = Field(
        default="SHA-256", description=N_("as the user has it on the device")
    )
    priv: Hidden | None = Field(
        default=None, description=N_("version 3: password that encrypts, env:NAME or file:PATH")
    )
    priv_protocol: Literal["DES", "AES-128", "AES-192", "AES-256"] = Field(
        default="AES-128", description=N_("as the user has it on the device")
    )
    port: Port = Field(default=161, description=N_("UDP port"))


class NutAccess(Access):
    """A UPS behind Network UPS Tools' `upsd`."""

    ups: str = Field(description=N_("name of the UPS in upsd: what stands in brackets in ups.conf"))
    port: Port = Field(default=3493, description=N_("TCP port"))
    user: str | None = Field(default=None, description=N_("only where upsd asks for it"))
    password: Hidden | None = Field(default=None, description=N_("only where upsd asks for it: env:NAME or file:PATH"))


class ModbusAccess(Access):
    """A controller on Modbus TCP; `profile` names its register map in `probes/profiles`."""

    port: Port = Field(default=502, description=N_("TCP port"))
    unit: Annotated[int, Field(ge=0, le=255)] = Field(default=1, description=N_("number of the controller on its bus"))
    profile: str = Field(description=N_("its register map, such as dse or comap"))


HOST_KEY = r"^(SHA256:[A-Za-z0-9+/]{43}=?|[a-z0-9@.-]+ AAAA[A-Za-z0-9+/]+={0,2}( .*)?)$"
"""A fingerprint as ssh-keygen -l prints it, or a public key as in a .pub file (sshd(8), AUTHORIZED_KEYS)."""


def _host_key(value: str) -> str:
    if re.match(HOST_KEY, value) is None:
        raise Unfit(
            say(
                "{value} is no host key: write its fingerprint (SHA256:...), as `ssh-keygen -lf` prints it", value=value
            )
        )
    return value


HostKey = Annotated[
    str, AfterValidator(_host_key), WithJsonSchema({"type": "string", "pattern": HOST_KEY, "examples": ["SHA256:..."]})
]


class SshAccess(Access):
    """A log-in by SSH: by a key or a password, to a host that shows `host_key`."""

    user: str = Field(description=N_("the user's name on the device"))
    key: Hidden | None = Field(default=None, description=N_("a private key without passphrase: file:PATH or env:NAME"))
    password: Hidden | None = Field(default=None, description=N_("instead of a key: env:NAME or file:PATH"))
    port: Port = Field(default=22, description=N_("TCP port"))
    host_key: HostKey | None = Field(
        default=None,
        description=N_(
            "the device's own key: its fingerprint (SHA256:...) or its public key (ssh-ed25519 AAAA...); without it, "
            "the known_hosts of the user who runs Relève"
        ),
    )
    platform: str | None = Field(
        default=None, description=N_("what the device is: windows, linux, or a family such as cisco_ios")
    )
    enable_password: Hidden | None = Field(
        default=None, description=N_("password of a router's enable mode, where its user needs one")
    )


class WinrmAccess(Access):
    """Windows Remote Management."""

    user: str
    password: Hidden
    transport: Literal["ntlm", "kerberos", "basic"] = "ntlm"
    port: Port = 5986


class SqlAccess(Access):
    """A database and the account that reads from it, and in runbooks acts on it."""

    engine: Literal["mssql", "postgresql"] = Field(description=N_("what it is: mssql or postgresql"))
    database: str = Field(description=N_("name of the database"))
    user: str = Field(description=N_("the account's name in the database"))
    password: Hidden = Field(description=N_("its password: env:NAME or file:PATH"))
    port: Port | None = Field(default=None, description=N_("TCP port; 1433 or 5432, if absent"))
    ca: Annotated[str, Field(pattern=r"^[/~]")] | None = Field(
        default=None,
        description=N_(
            "file of the authority that signed the server's certificate, from the root on: then TLS is a must"
        ),
    )


class SipAccess(Access):
    """A SIP peer."""

    port: Port = 5060
    transport: Literal["udp", "tcp", "tls"] = "udp"
    user: str | None = None
    password: Hidden | None = None


WAYS: dict[str, type[Access]] = {
    "snmp": SnmpAccess,
    "nut": NutAccess,
    "modbus": ModbusAccess,
    "ssh": SshAccess,
    "winrm": WinrmAccess,
    "sql": SqlAccess,
    "sip": SipAccess,
}
"""Key of a device in the inventory -> what it may hold. Order = preference where a check names no `via`."""
