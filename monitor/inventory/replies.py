"""Where people's answers to messages come in."""

from __future__ import annotations

from monitor.core.text import N_, say
from monitor.inventory.model import Replies
from monitor.inventory.problems import Level
from monitor.inventory.schema import RepliesKeys
from monitor.inventory.scope import Scope, refer
from monitor.inventory.secrets_in import anchored, look_at
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import Node, TableNode, is_null


def replies(scope: Scope) -> Replies | None:
    """Return where answers come in; None where none are read, or what is wrong with it is noted."""
    entry = scope.tree.entries.get("replies")
    if entry is None or is_null(entry.value):
        return None
    keys = shaped(RepliesKeys, entry.value, entry.at, "replies", scope.problems)
    if keys is None or not isinstance(entry.value, TableNode):
        return None
    if keys.imap is None and keys.sms is None:
        message = say("no answer comes in: there is neither a mailbox nor a modem")
        scope.problems.error(entry.at, "replies", message, say('write imap: "env:NAME", or sms: and a channel'))
        return None
    imap = None if keys.imap is None else anchored(keys.imap, scope.folder.root)
    if imap is not None:
        look_at(imap, Level.ERROR, entry.value.entries["imap"].value.at, "replies.imap", scope.problems)
    if keys.sms is not None:
        _look_at_channel(keys.sms, entry.value.entries["sms"].value, scope)
    return Replies(imap, keys.every, keys.sms or "")


def _look_at_channel(name: str, node: Node, scope: Scope) -> None:
    """Note a channel that there is not, or by which no SMS comes in; one by reference says so only at run time."""
    declared = scope.sections["channels"]
    refer(node, declared, "replies.sms", N_("there is no channel {name}"), scope.problems)
    channel = declared[name].value if name in declared else None
    url = channel.get("url") if isinstance(channel, TableNode) else None
    written = getattr(url, "text", "")
    if written and not written.startswith(("gammu:", "env:", "file:")):
        message = say("no SMS comes in by the channel {name}", name=name)
        scope.problems.error(node.at, "replies.sms", message, say("it has to be a gammu: channel"))
