"""A store copied into another one: blobs first, so that whatever the ledger there names is there; killed at any time, the same again goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.llm import BATCH_TABLES
from ...runtime.records import Record
from ...runtime.run import SHARED_TABLES
from ...runtime.session import QUESTIONS_TABLES
from ...runtime.storage import Connection, Tables, database_at
from ...runtime.store import LEDGER_TABLES, NEVER, VOTES_TABLES, BlobStore, StoreLocation, Vote
from .check import AT_ONCE
from .rows import opened, pages, slices

__all__ = ["Copied", "copy"]


class _Calls(NamedTuple):
    copied: int
    there: int
    other: tuple[str, ...]


class Copied(Record):
    """What was copied and what was there already. `other`: calls that have another value there, which stays. `runs`: shared ones, in the target
    from now on; `batches`: of requests, in the book of what was handed in.
    """

    source: str
    target: str
    blobs: int
    blobs_there: int
    bytes: int
    calls: int
    calls_there: int
    uses: int
    votes: int
    runs: int
    batches: int
    questions: int
    other: tuple[str, ...]


def copy(source: StoreLocation, target: StoreLocation, progress: Callable[[str], None]) -> Copied:
    """Copy whatever the target lacks, and look whether it is there afterwards. Each blob is checked as it is read, each value compared.

    Raises:
        BadInput: the two are one store.
        PrerequisiteError: a store cannot be used, a blob was altered, or is not there afterwards.
    """
    if source.database == target.database and source.blobs == target.blobs:
        raise BadInput(f"{source} is both the store to copy and where to: name two.")
    target.open_blobs().prepare()
    blobs, calls, uses, votes = (0, 0, 0), _Calls(0, 0, ()), 0, 0
    runs = batches = questions = 0
    if source.blobs != target.blobs:
        blobs = _blobs(source.open_blobs(), target.open_blobs(), progress)
    if source.database != target.database:
        calls, uses = _ledger(source, target, progress)
        votes = _votes(source, target)
        batches = _rows(source, target, BATCH_TABLES, "batches", "id, place, handed_in, host, pid, at")
        _rows(source, target, BATCH_TABLES, "batch_lines", "line, batch")
        asked = "key, run, interrupt, task, question, asked, answer, who, answered, taken"
        questions = _rows(source, target, QUESTIONS_TABLES, "questions", asked)
        runs = _shared_runs(source, target)
    return Copied(
        source=str(source), target=str(target), blobs=blobs[0], blobs_there=blobs[1], bytes=blobs[2], calls=calls.copied,
        calls_there=calls.there, other=calls.other, uses=uses, votes=votes, runs=runs, batches=batches, questions=questions,
    )  # fmt: skip


def _blobs(source: BlobStore, target: BlobStore, progress: Callable[[str], None]) -> tuple[int, int, int]:
    there = dict(target.listed())
    done = present = size = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for page in slices(source.listed()):
            lacking = [(sha, bytes_) for sha, bytes_ in page if there.get(sha) != bytes_]
            list(pool.map(lambda each: target.put(source.get(each[0]), ""), lacking))
            done, present = done + len(lacking), present + len(page) - len(lacking)
            size += sum(bytes_ for _, bytes_ in lacking)
            progress(f"{done:,} blobs copied, {present:,} were there")
    there = dict(target.listed())
    for page in slices(source.listed()):
        if lost := [sha for sha, bytes_ in page if there.get(sha) != bytes_]:
            raise PrerequisiteError(
                f"{len(lost)} blobs are not in {target.place} after they were put there, such as {lost[0]}",
                remedy="see that nothing else removes what is put there, and run the same command again.",
            )
    return done, present, size


def _ledger(source: StoreLocation, target: StoreLocation, progress: Callable[[str], None]) -> tuple[_Calls, int]:
    """How many results were copied, were there, and which are others there; how many uses were copied."""
    done, present, uses = 0, 0, 0
    other: list[str] = []
    with opened(source, LEDGER_TABLES) as (_, from_), opened(target, LEDGER_TABLES) as (database, to):
        for rows in pages(from_, "key, kind, model, revision, call, value, cost, at", "results", "seq"):

            def write(inside: Connection, rows: list[tuple[Any, ...]] = rows) -> int:
                return sum(
                    inside.execute(
                        "INSERT INTO results (key, kind, model, revision, call, value, cost, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                        " ON CONFLICT (key) DO NOTHING",
                        row[1:],
                    ).rowcount
                    for row in rows
                )

            new = database.write(to, write)
            done, present = done + new, present + len(rows) - new
            held = _column(to, "value", [row[1] for row in rows])
            other += [row[1] for row in rows if held.get(row[1]) != row[6]]
            progress(f"{done:,} calls copied, {present:,} were there")
        for rows in pages(from_, "run_id, key, kind, paid, result, cost, at", "uses", "id"):
            numbers = _column(to, "seq", [row[2] for row in rows])

            def book(inside: Connection, rows: list[tuple[Any, ...]] = rows, numbers: dict[str, Any] = numbers) -> int:
                return sum(_booked(inside, row, numbers) for row in rows)

            uses += database.write(to, book)
        for rows in pages(from_, "kind, model, call, reason, attempts, at", "failures", "key", ""):

            def fail(inside: Connection, rows: list[tuple[Any, ...]] = rows) -> None:
                for row in rows:
                    inside.execute(
                        "INSERT INTO failures (key, kind, model, call, reason, attempts, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                        " ON CONFLICT (key) DO NOTHING",
                        row,
                    )

            database.write(to, fail)
    return _Calls(done, present, tuple(other)), uses


def _booked(inside: Connection, row: tuple[Any, ...], numbers: dict[str, Any]) -> int:
    """Book a use where it is not booked yet: nothing else is done by one run with one call at the same microsecond.

    What a payer could see there has another number here: 0, before all of them.
    """
    _, run_id, key, kind, paid, result, cost, at = row
    number = NEVER if result == NEVER else numbers.get(key, 0)
    return inside.execute(
        "INSERT INTO uses (run_id, key, kind, paid, seen, result, cost, at) SELECT CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT),"
        " CAST(? AS BIGINT), 0, CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS DOUBLE PRECISION)"
        " WHERE NOT EXISTS (SELECT 1 FROM uses WHERE key = ? AND run_id = ? AND at = ? AND paid = ?)",
        (run_id, key, kind, paid, number, cost, at, key, run_id, at, paid),
    ).rowcount


def _column(connection: Connection, name: str, keys: list[str]) -> dict[str, Any]:
    places = ", ".join("?" * len(keys))
    return dict(connection.execute(f"SELECT key, {name} FROM results WHERE key IN ({places})", keys).fetchall())


def _votes(source: StoreLocation, target: StoreLocation) -> int:
    if not database_at(source.tables(VOTES_TABLES.name), VOTES_TABLES).there():
        return 0
    with opened(source, VOTES_TABLES) as (_, from_):
        return sum(
            target.votes().add([Vote.model_validate_json(vote) for _, vote in rows])
            for rows in pages(from_, "vote", "votes", "seq")
        )


def _rows(source: StoreLocation, target: StoreLocation, tables: Tables, table: str, columns: str) -> int:
    """Copy the rows of a table that the target lacks; how many those are. No other row has the key and the first of the `columns` of one."""
    if not database_at(source.tables(tables.name), tables).there():
        return 0
    key, _, more = columns.partition(", ")
    insert = f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * (more.count(',') + 2))}) ON CONFLICT DO NOTHING"
    with opened(source, tables) as (_, from_), opened(target, tables) as (database, to):
        return sum(
            database.write(to, partial(_inserted, insert, rows)) for rows in pages(from_, more, table, key, first="")
        )


def _shared_runs(source: StoreLocation, target: StoreLocation) -> int:
    """Copy what workers share: runs, what became of their tasks, and their events, which have other numbers there. How many runs that are."""
    if not database_at(source.tables(SHARED_TABLES.name), SHARED_TABLES).there():
        return 0
    with opened(source, SHARED_TABLES) as (_, from_), opened(target, SHARED_TABLES) as (database, to):
        runs = from_.execute("SELECT run, head, inputs, models, result FROM shared_runs").fetchall()
        database.write(to, partial(_inserted, _RUN, runs))
        for rows in pages(from_, "run, task, outcome, value, notes, worker, at", "outcomes", "seq"):
            database.write(to, partial(_inserted, _OUTCOME, [row[1:] for row in rows]))
        there: Counter[str] = Counter(dict(to.execute("SELECT run, COUNT(*) FROM events GROUP BY run").fetchall()))
        seen: Counter[str] = Counter()
        for rows in pages(from_, "run, event", "events", "seq"):
            new = []
            for _, run, event in rows:
                seen[run] += 1
                if seen[run] > there[run]:
                    new.append((run, event))
            database.write(to, partial(_inserted, "INSERT INTO events (run, event) VALUES (?, ?)", new))
    return len(runs)


_RUN = (
    "INSERT INTO shared_runs (run, head, inputs, models, result) VALUES (?, ?, ?, ?, ?) ON CONFLICT (run) DO UPDATE SET"
    " models = COALESCE(shared_runs.models, excluded.models), result = COALESCE(shared_runs.result, excluded.result)"
)
_OUTCOME = (
    "INSERT INTO outcomes (run, task, outcome, value, notes, worker, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (run, task) DO NOTHING"
)


def _inserted(statement: str, rows: list[tuple[Any, ...]], inside: Connection) -> int:
    return sum(max(0, inside.execute(statement, row).rowcount) for row in rows)
