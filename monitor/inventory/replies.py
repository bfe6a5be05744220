"""Where people's answers to messages come in."""

from __future__ import annotations

from monitor.core.text import say
from monitor.inventory.model import Replies
from monitor.inventory.problems import Level
from monitor.inventory.schema import RepliesKeys
from monitor.inventory.scope import Scope
from monitor.inventory.secrets_in import anchored, look_at
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import TableNode, is_null


def replies(scope: Scope) -> Replies | None:
    """Return where answers come in; None where none are read, or what is wrong with it is noted."""
    entry = scope.tree.entries.get("replies")
    if entry is None or is_null(entry.value):
        return None
    keys = shaped(RepliesKeys, entry.value, entry.at, "replies", scope.problems)
    if keys is None or not isinstance(entry.value, TableNode):
        return None
    if keys.imap is None:
        message = say("no answer comes in: there is no mailbox")
        scope.problems.error(entry.at, "replies", message, say('write imap: "env:NAME"'))
        return None
    at, where = entry.value.entries["imap"].value.at, "replies.imap"
    imap = anchored(keys.imap, scope.folder.root)
    look_at(imap, Level.ERROR, at, where, scope.problems)
    return Replies(imap, keys.every)
