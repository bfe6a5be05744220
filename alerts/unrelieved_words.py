"""The words for people when the active Relève is gone and the one that stood by cannot go on in its place."""

from __future__ import annotations

from alerts.context import Context
from alerts.sheet import RED, Sheet
from alerts.unrelieved import Unrelieved
from monitor.core.text import say


def unrelieved_sheet(about: Unrelieved, context: Context) -> Sheet:
    """Return the parts of the message: what is lost, and why, which says what to do."""
    title = context.t(say("Nobody watches any more"))
    return Sheet(
        subject=context.t(say("{site}: nobody watches any more", site=context.site)),
        title=title,
        what=context.t(
            say(
                "CRITICAL: since {at}, the Relève at {other} gives no sign of life, and the one at {here} cannot go on "
                "in its place.",
                at=context.at(about.since),
                other=about.other,
                here=about.here,
            )
        ),
        impact=context.t(
            say("Impact: nothing is watched or repaired, and nobody is told of anything, the client included.")
        ),
        following=context.t(say("Next message: in an hour, as long as it lasts.")),
        short=lambda shown: context.t(
            say(
                "{title} at {site}: the Relève at {other} is silent, the one at {here} cannot go on.",
                title=shown,
                site=context.site,
                other=about.other,
                here=about.here,
            )
        ),
        facts=((context.t(say("Why:")), context.t(about.why)),),
        colour=RED,
        todo=("releve peer status",),  # what helps stands in the why: a backup put back would undo a take-over
    )
