"""What the inventory may hold, key by key: the models that check its shape, and from which its JSON Schema is made.

They hold what was written; what it refers to is looked up by the loader. Keys that the contract names and that this
version does not act on are accepted, so that an inventory written for a later version is not refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from monitor.core.incident import Interruption
from monitor.core.text import N_
from monitor.inventory.continuity_keys import DataSetKeys, LeasesKeys, PlaceKeys, PlanKeys
from monitor.inventory.message_keys import MessagesKeys
from monitor.inventory.notation import Names, Part, PerCent, Span, Times, Word, Words, notation_of
from monitor.inventory.people_keys import ChannelKeys, ContactKeys, Language, OperationsKeys, ProtocolKeys
from monitor.inventory.rota_keys import RotaKeys
from monitor.inventory.service_keys import MaintenanceKeys, ServiceKeys
from probes.access import WAYS, Hidden
from probes.params import Duration, Rate
from runbooks.book import Budget

ROLES = ("router", "switch", "server", "ups", "generator")
NOT_ACTED_ON = ("users", "rounds", "baseline")
"""Top-level keys of the contract that this version accepts and does not look into."""


class SiteKeys(Part):
    """The site itself."""

    name: Word = Field(description=N_("the name in messages"))
    timezone: Word = Field(default="UTC", description=N_("IANA name, such as Africa/Douala: people read this time"))
    language: Language = Field(default="fr", description=N_("language of messages"))
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")] | None = Field(
        default=None, description=N_("base of the links in messages, where the console is reached from outside")
    )


class _DeviceKeys(Part):
    """A device, or many alike: `range` or `csv` in the place of `address`."""

    address: Word | None = Field(default=None, description=N_("host name or IP address, without port"))
    role: Literal["router", "switch", "server", "ups", "generator"] | None = Field(
        default=None, description=N_("brings a sensible set of checks")
    )
    parent: Names | None = Field(
        default=None, description=N_("the device or link through which it is reached; a list: any one of them suffices")
    )
    legacy_crypto: list[Word] | None = Field(
        default=None, description=N_("old algorithms that this device still needs")
    )


DeviceKeys: type[_DeviceKeys] = create_model(
    "DeviceKeys",
    __base__=_DeviceKeys,
    __doc__=_DeviceKeys.__doc__,
    **{way: (access | None, None) for way, access in WAYS.items()},  # type: ignore[call-overload]
)


class ManyKeys(Part):
    """What makes many devices out of one entry; all else in it is what they have in common."""

    range: Annotated[str, Field(pattern=r"^[^\[\]]*\[\d{1,5}-\d{1,5}\][^\[\]]*$")] | None = Field(
        default=None, description=N_("addresses, as 10.0.1.[11-110]")
    )
    name: Word | None = Field(
        default=None,
        description=N_('name of each, as "poste-{n:03}"; n counts from 1, host is the number in the range'),
    )
    csv: Word | None = Field(
        default=None, description=N_("file with a device a line; its header names keys: name,address")
    )


class LinkKeys(Part):
    """A link to the client; it stands behind its device."""

    technology: Word = Field(description=N_("FO (fibre), FH (microwave) or another word"))
    device: Word
    interface: Word
    capacity: Annotated[Rate, Field(gt=0)] = Field(description=N_("as contracted: 4 Mbit/s"))
    peer: Word | None = Field(default=None, description=N_("the far end, as HOST, or HOST:PORT where ping is dropped"))
    radio: Word | None = Field(default=None, description=N_("the device that is its radio"))


class FlappingKeys(Part):
    """From when on a check wavers: the weighted share of changes among its last results."""

    low: PerCent | None = Field(default=None, description=N_("share at which it wavers no more; 25%, if absent"))
    high: PerCent | None = Field(default=None, description=N_("share from which on it wavers; 30%, if absent"))


Flapping = Annotated[
    Annotated[bool, Tag("word")] | Annotated[FlappingKeys, Tag("table")],
    Discriminator(notation_of),
]


class CheckKeys(BaseModel):
    """The keys of every check; all others are the parameters of its probe."""

    model_config = ConfigDict(extra="allow", frozen=True)

    probe: Word | None = Field(
        default=None, description=N_("kind of probe; absent to change a check that a role brings")
    )
    device: Word | None = None
    link: Word | None = None
    every: Span | None = Field(default=None, description=N_("60s, if absent"))
    timeout: Span | None = Field(default=None, description=N_("10s, if absent"))
    confirm: Times | None = Field(
        default=None, description=N_("failures in a row before it is believed; 3, if absent, or 1 for a heartbeat")
    )
    recover: Times | None = Field(
        default=None, description=N_("successes in a row before it is believed; 1, if absent")
    )
    retry: Span | None = Field(
        default=None, description=N_("pace while a failure is being confirmed; a quarter of every")
    )
    incident: Word | None = Field(default=None, description=N_("kind of incident that it opens; other, if absent"))
    gate: bool | None = Field(default=None, description=N_("whether its failure explains those behind its device"))
    needs: Names | None = Field(
        default=None,
        description=N_(
            "the checks that must be well for this one to be; of services also the order in which they start"
        ),
    )
    flapping: Flapping | None = Field(
        default=None, description=N_("from when on it wavers, as low: 25%, high: 30%; false: it never does")
    )
    title: Words | None = None


COMMON_KEYS = frozenset(CheckKeys.model_fields)
"""Keys of a check that are not its probe's. `via` is the probe's: not every kind has a choice."""


class KindKeys(Part):
    """An incident kind."""

    title: Words | None = Field(default=None, description=N_("what the client reads; a text, or one a language"))
    cause: Words | None = Field(default=None, description=N_("the cause as far as the kind tells it"))
    interruption: Interruption | None = Field(default=None, description=N_("does it interrupt the client's service"))
    target: Span | None = Field(default=None, description=N_("time within which it is to be resolved"))
    runbook: Word | None = Field(default=None, description=N_("what is done about it: the name of a runbook"))


class ArchiveKeys(Part):
    """Where copies are kept."""

    device: Word
    folder: Word


class RecordingsKeys(Part):
    """A folder of recordings that is archived, and emptied only of what is proven to be in the archive."""

    device: Word = Field(description=N_("the device that writes them; it needs ssh:"))
    folder: Word = Field(description=N_("where they are; on Windows in single quotes: 'D:\\Recordings'"))
    match: Names | None = Field(default=None, description=N_("names of the files, as *.wav; all, if absent"))
    archive: ArchiveKeys = Field(description=N_("where the copies go: a device and a folder there"))
    keep: Annotated[Duration, Field(ge=timedelta(0))] | None = Field(
        default=None, description=N_("none is deleted that is younger than this; 7 days, if absent")
    )
    every: Span | None = Field(default=None, description=N_("how often new ones are archived; 15 min, if absent"))
    closed_after: Span | None = Field(
        default=None, description=N_("for how long a file must not have changed to count as complete; 60s, if absent")
    )
    rate: Annotated[Rate, Field(gt=0)] | None = Field(default=None, description=N_("at most, while archiving"))
    mirror: bool = Field(
        default=False,
        description=N_(
            "true: files that change in place; a changed one replaces its copy, and none is ever deleted. Between the "
            "two sites of a plan each direction is an entry of its own, and both stand under checks of the data set: "
            "only the one from where the group runs copies"
        ),
    )


class AutomationKeys(Part):
    """What Relève may do by itself."""

    live: bool = Field(default=False, description=N_("true: runbooks act; false: they only say what they would do"))
    runbooks: Word | None = Field(
        default=None, description=N_("folder of runbooks of the site's own; runbooks beside this file, if absent")
    )
    per_device: Budget | None = Field(
        default=None, description=N_("attempts of all runbooks together on one device before a person is called")
    )


class HeartbeatKeys(Part):
    """The sign of life that Relève gives while it is well, so that somebody notices when it is not."""

    url: Hidden = Field(description=N_("what is asked for, by GET: env:NAME or file:PATH"))
    every: Span = Field(default=timedelta(seconds=60), description=N_("60s, if absent"))
    source: Word | None = Field(
        default=None, description=N_("address of this machine to send it from, where it is to take another link")
    )


class PeerKeys(Part):
    """Relève's own state at the other site, so that the Relève there can go on with it."""

    ca: Hidden = Field(description=N_("what the certificates of the two Relèves are signed by, as PEM: file:PATH"))
    cert: Hidden = Field(
        description=N_("our own certificate, as PEM: file:PATH; made for the host of this site's releve:")
    )
    key: Hidden = Field(description=N_("the key of that certificate, as PEM: file:PATH"))
    warning: Span | None = Field(default=None, description=N_("how old the copy may be; 60s, if absent"))
    critical: Span | None = Field(default=None, description=N_("an older one is CRITICAL; 5 min, if absent"))


class SftpKeys(Part):
    """A folder on a host that is reached by SSH."""

    device: Word = Field(description=N_("the host; it needs ssh:"))
    folder: Word = Field(description=N_("what its web server shows; it must be there"))


class S3Keys(Part):
    """A bucket of S3, or of a store that speaks as S3 does."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = Field(
        description=N_("the name of the bucket; it must be there")
    )
    key: Hidden = Field(description=N_("the access key: env:NAME or file:PATH"))
    secret: Hidden = Field(description=N_("the secret access key: env:NAME or file:PATH"))
    folder: Word | None = Field(default=None, description=N_("what the names of its objects begin with, such as etat"))
    url: Word | None = Field(default=None, description=N_("of another store than Amazon's, beginning with https://"))
    region: Word = Field(default="us-east-1", description=N_("where the bucket is; us-east-1, if absent"))


class PushKeys(Part):
    """Where to the public status is sent, as files: one of the two."""

    sftp: SftpKeys | None = None
    s3: S3Keys | None = None


class PublicKeys(Part):
    """What anybody may read of the service: its state and what the client was told, without any internals."""

    title: Words | None = Field(default=None, description=N_("of the page; the site's name, if absent"))
    serve: bool = Field(default=False, description=N_("true: everybody who reaches Relève may read it at /public"))
    push: Annotated[list[PushKeys], Field(min_length=1)] | None = Field(
        default=None,
        description=N_("where to it is sent when it changes: [{sftp: {device: ..., folder: ...}}, {s3: {...}}]"),
    )
    every: Span | None = Field(
        default=None, description=N_("written anew at least as often, and stale after two and a half; 5 min, if absent")
    )
    degraded_below: PerCent | None = Field(
        default=None, description=N_("a service of which less works is degraded; 90%, if absent")
    )


class RepliesKeys(Part):
    """Where people's answers to messages come in. An answer can only say that somebody is on it."""

    imap: Hidden | None = Field(
        default=None, description=N_("the mailbox, as imaps://user:pass@host/INBOX: env:NAME or file:PATH")
    )
    every: Span = Field(default=timedelta(seconds=30), description=N_("how often it is looked into; 30s, if absent"))
    sms: Word | None = Field(
        default=None,
        description=N_("the gammu: channel whose inbox is read; SMS to our own people then end with a code"),
    )


class InventoryKeys(Part):
    """The whole file, for the JSON Schema; the loader looks at its parts one by one."""

    site: SiteKeys
    contacts: Mapping[str, ContactKeys] | None = None
    channels: Mapping[str, ChannelKeys] | None = None
    devices: Mapping[str, DeviceKeys] | None = None  # type: ignore[valid-type]
    links: Mapping[str, LinkKeys] | None = None
    checks: Mapping[str, CheckKeys] | None = None
    incidents: Mapping[str, KindKeys] | None = None
    recordings: Mapping[str, RecordingsKeys] | None = None
    automation: AutomationKeys | None = None
    heartbeat: HeartbeatKeys | None = None
    public: PublicKeys | None = None
    replies: RepliesKeys | None = None
    protocol: ProtocolKeys | None = None
    operations: OperationsKeys | None = None
    messages: MessagesKeys | None = None  # type: ignore[valid-type]
    include: list[Word] | None = Field(default=None, description=N_("further files, relative to this one: *.yaml"))
    services: Mapping[str, ServiceKeys] | None = None
    maintenance: Mapping[str, MaintenanceKeys] | None = None  # type: ignore[valid-type]
    sites: Mapping[str, PlaceKeys] | None = None
    leases: LeasesKeys | None = None
    datasets: Mapping[str, DataSetKeys] | None = None
    plans: Mapping[str, PlanKeys] | None = None
    rota: Mapping[str, RotaKeys] | None = None  # type: ignore[valid-type]
    peer: PeerKeys | None = None
    users: Any = None
    rounds: Any = None
    baseline: Any = None


SECTIONS = (
    "contacts", "channels", "devices", "links", "checks", "incidents", "recordings", "services", "maintenance",
    "rota", "sites", "datasets", "plans",
)  # fmt: skip
"""Tables of named entries, which may be spread over several files."""
