"""What survives: events, notices and the audit in one database, samples in another."""

from monitor.store.audit import AuditEntry, AuditReport, BadHead
from monitor.store.batch import Batch, Loaded
from monitor.store.errors import (
    Corrupt,
    DiskFailed,
    DiskFull,
    HistoryUnavailable,
    Locked,
    MissingStore,
    NetworkFileSystem,
    NewerSchema,
    OlderSchema,
    ReadOnlyFolder,
    StoreError,
    WriterBusy,
    disk_hangs,
)
from monitor.store.folder import Writer, current_writer
from monitor.store.history import Sample, Series
from monitor.store.moves import move_id
from monitor.store.opening import open_store
from monitor.store.rows import health_from_json, health_to_json
from monitor.store.runs import run_id, run_number
from monitor.store.store import Store

__all__ = [
    "AuditEntry",
    "AuditReport",
    "BadHead",
    "Batch",
    "Corrupt",
    "DiskFailed",
    "DiskFull",
    "HistoryUnavailable",
    "Loaded",
    "Locked",
    "MissingStore",
    "NetworkFileSystem",
    "NewerSchema",
    "OlderSchema",
    "ReadOnlyFolder",
    "Sample",
    "Series",
    "Store",
    "StoreError",
    "Writer",
    "WriterBusy",
    "current_writer",
    "disk_hangs",
    "health_from_json",
    "health_to_json",
    "move_id",
    "open_store",
    "run_id",
    "run_number",
]
