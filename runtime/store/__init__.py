"""What outlives a run: blobs by content, the ledger of paid calls, the votes of people, claims and pulses of processes, hashes."""

from .blobs import BlobStore, MemoryBlobs
from .calls import CALL_KINDS, CallKind, canonical_json
from .claims import Claims, Owner
from .hashes import SUMS, copy_hashed, file_sha256, folder_revision, read_sums, remember, sha256
from .ledger import Call, Ledger
from .ledger_rows import NEVER
from .ledger_rows import TABLES as LEDGER_TABLES
from .location import StoreLocation
from .open import Store
from .pulses import Pulses, Seen, pulses_in
from .votes import TABLES as VOTES_TABLES
from .votes import Shown, Vote, Votes, Winner, standing

__all__ = [
    "BlobStore",
    "CALL_KINDS",
    "Call",
    "CallKind",
    "Claims",
    "LEDGER_TABLES",
    "Ledger",
    "MemoryBlobs",
    "NEVER",
    "Owner",
    "Pulses",
    "SUMS",
    "Seen",
    "Shown",
    "Store",
    "StoreLocation",
    "VOTES_TABLES",
    "Vote",
    "Votes",
    "Winner",
    "canonical_json",
    "copy_hashed",
    "file_sha256",
    "folder_revision",
    "pulses_in",
    "read_sums",
    "remember",
    "sha256",
    "standing",
]
