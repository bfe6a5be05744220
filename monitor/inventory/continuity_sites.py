"""The sites and how leases are kept between them: `sites:` and `leases:` of the inventory."""

from __future__ import annotations

from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from failover.model import Etcd, Leases, Site, SiteId
from failover.vantage import RESERVED
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import N_, Text, say
from monitor.inventory.continuity_keys import EtcdKeys, LeasesKeys, PlaceKeys
from monitor.inventory.problems import Level, nearest
from monitor.inventory.scope import Scope, names_in, refer
from monitor.inventory.secrets_in import anchored, look_at
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import ListNode, Node, ScalarNode, TableNode, is_null
from monitor.secret import Secret

THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
_PATTERN = "*?["


def sites(scope: Scope) -> dict[SiteId, Site]:
    """Return the sites that are right; what is wrong with the others, or between them, is noted."""
    found: dict[SiteId, Site] = {}
    for name, entry in scope.sections["sites"].items():
        where = f"sites.{name}"
        keys = shaped(PlaceKeys, entry.value, entry.at, where, scope.problems)
        if keys is None or not isinstance(entry.value, TableNode):
            continue
        standing = _devices(entry.value.get("devices"), f"{where}.devices", scope)
        if keys.releve is not None and not _address(keys.releve, ("https",)):
            message = say("{url} is no address of a Relève: https://HOST:PORT", url=keys.releve)
            scope.problems.error(entry.value.entries["releve"].value.at, f"{where}.releve", message)
        _look_at_vantages(entry.value, keys.witness, where, scope)
        found[SiteId(name)] = Site(
            SiteId(name),
            keys.title or name,
            keys.here,
            keys.witness,
            keys.releve or "",
            frozenset(standing),
            {
                by: tuple(CheckId(check) for check in dict.fromkeys(checks))
                for by, checks in (keys.seen_by or {}).items()
            },
        )
    _look_at_titles(found, scope)
    _look_at_devices(found, scope)
    _look_at_here(found, scope)
    return found


def _devices(node: Node | None, where: str, scope: Scope) -> set[NodeId]:
    """The devices that names and patterns mean; what means none is noted."""
    found: set[NodeId] = set()
    for word in names_in(node):
        if word.text in scope.devices:
            found.add(NodeId(word.text))
            continue
        meant = {NodeId(name) for name in scope.devices if fnmatchcase(name, word.text)}
        found |= meant
        if not meant and any(sign in word.text for sign in _PATTERN):
            message = say("no device has a name such as {pattern}", pattern=word.text)
            scope.problems.error(word.at, where, message, nearest(word.text, scope.devices))
        elif not meant:
            message = say("there is no device {name}", name=word.text)
            scope.problems.error(word.at, where, message, nearest(word.text, scope.devices))
    return found


def _look_at_vantages(table: TableNode, witness: bool, where: str, scope: Scope) -> None:
    """Whoever looks at a site is told from all others by name, looks by checks that there are, and has a reason to."""
    node = table.get("seen_by")
    if not isinstance(node, TableNode):
        return
    if witness:
        message = say("a witness runs nothing, so that nobody needs to see whether it is lost")
        hint = say("name the checks at a site that can run the service")
        scope.problems.error(table.entries["seen_by"].at, f"{where}.seen_by", message, hint)
    for name, entry in node.entries.items():
        if name in scope.sections["sites"] or name in RESERVED:
            message = say("{name} already is the name of a vantage point of its own", name=name)
            hint = say("another name, such as that of the client")
            scope.problems.error(entry.at, f"{where}.seen_by.{name}", message, hint)
        refer(entry.value, scope.checks, f"{where}.seen_by.{name}", N_("there is no check {name}"), scope.problems)


def _look_at_titles(found: dict[SiteId, Site], scope: Scope) -> None:
    """At night people are told a site by its title: two of the same would be one to them."""
    named: dict[str, SiteId] = {}
    for name, site in found.items():
        words = site.title.casefold().split()
        first = named.setdefault(" ".join(words), name)
        if first != name:
            message = say("{one} and {other} are both called {title}", one=first, other=name, title=site.title)
            at = scope.sections["sites"][name].at
            scope.problems.error(at, f"sites.{name}", message, say("give each a title of its own"))


def _look_at_devices(found: dict[SiteId, Site], scope: Scope) -> None:
    standing: dict[NodeId, SiteId] = {}
    for name, site in found.items():
        twice = sorted(device for device in site.devices if standing.setdefault(device, name) != name)
        if twice:
            message = say("{device} stands at {site} already", device=twice[0], site=standing[twice[0]])
            scope.problems.error(
                scope.sections["sites"][name].at, f"sites.{name}.devices", message, say("take it away at one of them")
            )


def _look_at_here(found: dict[SiteId, Site], scope: Scope) -> None:
    """This Relève stands at one site, and not at one that only holds a voter."""
    entries = scope.sections["sites"]
    if len(found) < len(entries) or not found:
        return  # what is wrong with one of them was told
    here = [site for site in found.values() if site.here]
    if not here:
        message = say("at which of these sites this Relève stands is not said")
        able = next((site.id for site in found.values() if not site.witness), SiteId("..."))
        at = scope.tree.entries["sites"].at
        scope.problems.error(at, "sites", message, say("write here: true at one of them, as at {site}", site=able))
    for site in here[1:]:
        message = say("this Relève stands at {site} already", site=here[0].id)
        _at_here(site, message, scope)
    for site in here:
        if site.witness:
            _at_here(site, say("a witness holds a voter alone: no Relève stands there"), scope)


def _at_here(site: Site, message: Text, scope: Scope) -> None:
    table = scope.sections["sites"][site.id].value
    at = table.entries["here"].value.at if isinstance(table, TableNode) else table.at
    hint = say("write here: true at one site alone, where the service can run")
    scope.problems.error(at, f"sites.{site.id}.here", message, hint)


def leases(scope: Scope) -> Leases | None:
    """Return how leases are kept; None where the inventory does not say, or says it wrongly, which is noted."""
    entry = scope.tree.entries.get("leases")
    if entry is None or is_null(entry.value):
        return None
    keys = shaped(LeasesKeys, entry.value, entry.at, "leases", scope.problems)
    table = entry.value
    if keys is None or not isinstance(table, TableNode):
        return None
    if keys.etcd is not None and keys.local is not None:
        message = say("these exclude each other: {names}", names="etcd, local")
        scope.problems.error(table.entries["local"].at, "leases.local", message, say("keep one of them"))
    usual, etcd = Leases(), table.get("etcd")
    read = Leases(
        _etcd(keys.etcd, etcd, scope) if keys.etcd is not None and isinstance(etcd, TableNode) else None,
        keys.ttl or usual.ttl,
        keys.loop or usual.loop,
        keys.retry or usual.retry,
    )
    if read.ttl < read.shortest:
        message = say(
            "a lease of {ttl} ends before one lost answer is made good: loop + 2 retry = {loop} + 2 × {retry} = {sum}",
            ttl=read.ttl,
            loop=read.loop,
            retry=read.retry,
            sum=read.shortest,
        )
        at = next((table.entries[key].value.at for key in ("ttl", "loop", "retry") if key in table.entries), entry.at)
        scope.problems.error(
            at, "leases.ttl", message, say("write {better}", better=f"ttl: {read.shortest.total_seconds():g}s")
        )
    return read


def _etcd(keys: EtcdKeys, table: TableNode, scope: Scope) -> Etcd:
    where = "leases.etcd"
    listed = table.get("endpoints")
    for node in names_in(listed):
        _look_at_voter(node, f"{where}.endpoints", scope)
    told = len(set(keys.endpoints))
    if told < len(keys.endpoints) and isinstance(listed, ListNode):
        scope.problems.error(listed.at, f"{where}.endpoints", say("a voter stands here twice"), say("name each once"))
    elif told % 2 == 0:
        message = say(
            "{voters} voters bear the loss of {lost}, as {fewer} do", voters=told, lost=(told - 1) // 2, fewer=told - 1
        )
        scope.problems.warn(table.entries["endpoints"].at, f"{where}.endpoints", message, say("name three, or five"))
    if (keys.cert is None) is not (keys.key is None):
        message = say("a certificate and its key belong together")
        scope.problems.error(table.at, where, message, say("write both, or none: {names}", names="cert, key"))
    return Etcd(tuple(keys.endpoints), *(_pem(keys, name, table, scope) for name in ("ca", "cert", "key")))


def _look_at_voter(node: ScalarNode, where: str, scope: Scope) -> None:
    if not _address(node.text, ("https", "http")):
        scope.problems.error(node.at, where, say("{url} is no address of a voter: https://HOST:PORT", url=node.text))
    elif node.text.startswith("http:") and urlsplit(node.text).hostname not in THIS_MACHINE:
        message = say("without TLS whoever is on the way can take the lease")
        scope.problems.warn(node.at, where, message, say("write https:// and give ca:, cert: and key:"))


def _pem(keys: EtcdKeys, name: str, table: TableNode, scope: Scope) -> Secret | None:
    given: Secret | None = getattr(keys, name)
    if given is None:
        return None
    held = anchored(given, scope.folder.root)
    look_at(held, Level.ERROR, table.entries[name].value.at, f"leases.etcd.{name}", scope.problems)
    return held


def _address(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether it is the address of a host with its port, and nothing behind."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment and not parts.username
    return parts.scheme in schemes and bool(parts.hostname) and port is not None and bare
