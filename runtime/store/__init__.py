"""What outlives a run: blobs by content, the ledger of paid calls, the votes of people, locks and hashes."""

from .blobs import BlobStore, MemoryBlobs, disk_problem, draft_of, write_whole
from .calls import CALL_KINDS, CallKind, canonical_json
from .claims import Claims, Owner
from .database import Connection, Database, Tables
from .databases import database_at, is_postgres
from .file_systems import network_file_system
from .hashes import SUMS, copy_hashed, file_sha256, folder_revision, read_sums, remember, sha256
from .ledger import Call, Ledger
from .ledger_rows import NEVER
from .ledger_rows import TABLES as LEDGER_TABLES
from .location import StoreLocation
from .locks import open_locked, take
from .open import Store
from .postgres import PostgresDatabase
from .process import Process
from .pulses import Pulses, Seen, pulses_in
from .sqlite import SqliteDatabase
from .votes import TABLES as VOTES_TABLES
from .votes import Shown, Vote, Votes, Winner, standing

__all__ = [
    "BlobStore",
    "CALL_KINDS",
    "Call",
    "CallKind",
    "Claims",
    "Connection",
    "Database",
    "LEDGER_TABLES",
    "Ledger",
    "MemoryBlobs",
    "NEVER",
    "Owner",
    "PostgresDatabase",
    "Process",
    "Pulses",
    "SUMS",
    "Seen",
    "Shown",
    "SqliteDatabase",
    "Store",
    "StoreLocation",
    "Tables",
    "VOTES_TABLES",
    "Vote",
    "Votes",
    "Winner",
    "canonical_json",
    "copy_hashed",
    "database_at",
    "disk_problem",
    "draft_of",
    "file_sha256",
    "folder_revision",
    "is_postgres",
    "network_file_system",
    "standing",
    "open_locked",
    "pulses_in",
    "read_sums",
    "remember",
    "sha256",
    "take",
    "write_whole",
]
