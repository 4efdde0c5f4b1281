"""What people found the better one of two pictures: who, when, of which bytes, for which text.

Invariants:

- A vote is on the disk before `add` returns; what was acknowledged survives a SIGKILL.
- A vote has an id that its maker gave it: sent twice, or read twice from a file, it is one vote.
- A vote is about bytes (sha256), and says where they stood. Whoever counts votes asks whether these bytes still stand there.
- Nothing is overwritten. Of several votes of one person on one pair the last stands (`standing`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ..errors import BadInput
from ..records import Record
from ..storage import Connection, Tables, database_at

__all__ = ["TABLES", "Shown", "Vote", "Votes", "Winner", "standing"]

Winner = Literal["left", "right", "tie"]

TABLES = Tables(
    name="votes",
    what="the votes",
    version=1,
    lost="the votes in it are lost",
    statements="""
CREATE TABLE IF NOT EXISTS votes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, run TEXT NOT NULL,
    who TEXT NOT NULL, at REAL NOT NULL, received REAL NOT NULL, vote TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS votes_text ON votes (text);
CREATE INDEX IF NOT EXISTS votes_run ON votes (run);
""",
)
_ID = re.compile(r"[A-Za-z0-9_.:-]{8,80}")
_SHA = re.compile(r"[0-9a-f]{64}")


class Shown(Record):
    """A picture as a person saw it: the sha256 of its bytes, and where it stood: the picture of `candidate` from `seed`."""

    picture: str
    candidate: str
    seed: int

    @field_validator("picture")
    @classmethod
    def _is_a_hash(cls, given: str) -> str:
        if not _SHA.fullmatch(given):
            raise BadInput(f"the picture {given!r:.80} of a vote is no sha256: 64 hexadecimal digits.")
        return given


class Vote(Record):
    """Which of two pictures shows `text` better, as `who` said `at` a time (UNIX seconds).

    `id` is made by whoever asked the person, once a vote. `run` and `task` say where the pictures were shown.
    """

    id: str
    text: str
    left: Shown
    right: Shown
    winner: Winner
    who: str = Field(min_length=1, max_length=80)
    at: float
    run: str = ""
    task: str = ""

    @field_validator("id")
    @classmethod
    def _is_an_id(cls, given: str) -> str:
        if not _ID.fullmatch(given):
            raise BadInput(f"the id {given!r:.80} of a vote: give 8 to 80 letters, digits or -_.:")
        return given

    @field_validator("who")
    @classmethod
    def _is_a_name(cls, given: str) -> str:
        said = " ".join(given.split())
        if not said or not said.isprintable():
            raise BadInput(f"the name {given!r:.80} of who voted is empty or has signs that cannot be printed.")
        return said

    @model_validator(mode="after")
    def _are_two(self) -> Vote:
        if self.left.picture == self.right.picture:
            raise BadInput(f"the vote {self.id!r} compares a picture with itself.")
        return self


class Votes:
    """The votes in an SQLite file or a PostgreSQL (see `database_at`), made with the first one; any number of processes may use it."""

    def __init__(self, place: Path | str) -> None:
        self._database = database_at(place, TABLES)

    def add(self, votes: Sequence[Vote]) -> int:
        """Keep votes, all or none; how many of them are new. They are on the disk when this returns.

        Raises:
            BadInput: an id that another vote has.
            PrerequisiteError: the file cannot be written; none of the votes is kept.
        """
        with self._database.work() as connection:
            return self._database.write(connection, lambda inside: sum(_inserted(inside, vote) for vote in votes))

    def of(self, *, text: str | None = None, run: str | None = None) -> list[Vote]:
        """All votes on a text, or cast on a run, in the order in which they came in."""
        if not self._database.there():
            return []
        wanted = [("text", text)] if text is not None else [("run", run)] if run is not None else []
        where = f" WHERE {wanted[0][0]} = ?" if wanted else ""
        with self._database.work() as connection:
            rows = connection.execute(
                f"SELECT vote FROM votes{where} ORDER BY seq", tuple(value for _, value in wanted)
            ).fetchall()
        return [Vote.model_validate_json(vote) for (vote,) in rows]

    def newest(self) -> int:
        """A number that grows with every vote; 0 where there is none."""
        if not self._database.there():
            return 0
        with self._database.work() as connection:
            return int(connection.execute("SELECT COALESCE(MAX(seq), 0) FROM votes").fetchone()[0])


def standing(votes: Sequence[Vote]) -> list[Vote]:
    """The votes that stand: of those of one person on one pair of pictures for one text the last, whichever side each was shown on."""
    last: dict[tuple[str, str, frozenset[str]], Vote] = {}
    for vote in sorted(votes, key=lambda vote: vote.at):  # stable: of the same time the one that came in later
        last[vote.text, vote.who, frozenset((vote.left.picture, vote.right.picture))] = vote
    return list(last.values())


def _inserted(connection: Connection, vote: Vote) -> int:
    text = vote.model_dump_json()
    made = connection.execute(
        "INSERT INTO votes (id, text, run, who, at, received, vote) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (vote.id, vote.text, vote.run, vote.who, vote.at, time.time(), text),
    ).rowcount
    if made:
        return 1
    (kept,) = connection.execute("SELECT vote FROM votes WHERE id = ?", (vote.id,)).fetchone()
    if Vote.model_validate_json(kept) != vote:
        raise BadInput(f"the id {vote.id!r} is that of another vote: an id belongs to one vote.")
    return 0
