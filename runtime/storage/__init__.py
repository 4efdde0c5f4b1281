"""What a store stands on: databases by URL, files that are there whole or not at all, locks, and processes told apart."""

from .database import Connection, Database, Tables
from .databases import database_at, is_postgres
from .disk import disk_problem, draft_of, write_whole
from .file_systems import network_file_system
from .locks import open_locked, take
from .postgres import PostgresDatabase
from .process import Process
from .sqlite import SqliteDatabase

__all__ = [
    "Connection",
    "Database",
    "PostgresDatabase",
    "Process",
    "SqliteDatabase",
    "Tables",
    "database_at",
    "disk_problem",
    "draft_of",
    "is_postgres",
    "network_file_system",
    "open_locked",
    "take",
    "write_whole",
]
