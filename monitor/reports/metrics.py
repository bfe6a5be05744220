"""What the metrics of the probes are called by people; by their names scripts and `releve history` know them."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.core.text import Text, say

METRICS: Mapping[str, Text] = {
    "age": say("time since the last report"),
    "battery": say("voltage of the battery"),
    "behind": say("log that the copy does not have"),
    "charge": say("charge of the battery"),
    "cpu": say("use of the processor"),
    "discards": say("discarded packets"),
    "errors": say("transmission errors"),
    "flaps": say("changes of state"),
    "free": say("free space"),
    "frequency": say("frequency"),
    "fuel": say("fuel"),
    "input_voltage": say("voltage at the input"),
    "jitter": say("jitter"),
    "lag": say("delay of the copy"),
    "load": say("load at the output"),
    "loss": say("loss"),
    "mains_voltage": say("voltage of the mains"),
    "memory": say("use of the memory"),
    "occupancy_in": say("inbound occupancy"),
    "occupancy_out": say("outbound occupancy"),
    "rate_in": say("inbound rate"),
    "rate_out": say("outbound rate"),
    "replay_behind": say("log that the copy has not replayed"),
    "replay_lag": say("delay of the replay"),
    "rtt": say("round-trip time"),
    "run_time": say("time it ran"),
    "runtime": say("time left on battery"),
    "size": say("total size"),
    "speed": say("speed"),
    "temperature": say("temperature"),
    "time": say("time to answer"),
    "uptime": say("time since its start"),
    "used": say("share in use"),
}
"""By the name that a probe gives it. What may mean two things alone (`speed`) stands behind its check here."""


def metric_label(name: str) -> Text | None:
    """Return what people call the metric `name`, None for one that only its probe knows (a plugin's)."""
    return METRICS.get(name)
