"""Votes on real SQLite files: kept through SIGKILL at every write boundary, one vote however often it is sent, tied to bytes."""

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import votes_killed
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from votes_killed import vote

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.store import Shown, Vote, Votes, standing


def cast(path: Path, boundary: int, first: int, count: int) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, votes_killed.__file__, str(path), str(boundary), str(first), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout.split()


def test_a_vote_is_kept_once_however_often_it_is_sent(database: Path | str) -> None:
    votes = Votes(database)
    assert votes.of() == []
    assert not isinstance(database, Path) or not database.parent.exists()  # looking makes nothing
    assert votes.add([vote(1), vote(2)]) == 2
    assert votes.add([vote(2), vote(3)]) == 1
    assert votes.of(text="two cats") == [vote(1), vote(2), vote(3)] and votes.of(text="a dog") == []
    other = vote(2).model_copy(update={"winner": "right"})
    with pytest.raises(BadInput, match="another vote"):
        votes.add([vote(4), other])
    assert votes.of() == [vote(1), vote(2), vote(3)]  # all or none


def test_killed_at_every_write_boundary_no_acknowledged_vote_is_lost(tmp_path: Path) -> None:
    """The process dies before and after each statement of making the file and of two votes; then the same votes are sent again."""
    boundary, kills = 1, 0
    while True:
        path = tmp_path / f"{boundary}.sqlite"
        code, acknowledged = cast(path, boundary, 1, 2)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        kept = [each.id for each in Votes(path).of()]
        assert kept[: len(acknowledged)] == acknowledged and len(kept) <= len(acknowledged) + 1
        Votes(path).add([vote(1), vote(2)])  # as a page does that got no answer
        assert Votes(path).of() == [vote(1), vote(2)]
        boundary += 3  # every third one: all kinds of statements, in a third of the time
    assert kills >= 10


@pytest.mark.slow
def test_killed_at_any_time_with_others_voting(tmp_path: Path) -> None:
    path = tmp_path / "votes.sqlite"
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda at: cast(path, at, 100 * at, 30), [0, 40, 95, 130, 0, 111]))
    kept = {each.id for each in Votes(path).of()}
    assert {id for _, acknowledged in ended for id in acknowledged} <= kept
    assert [code for code, _ in ended].count(-signal.SIGKILL) == 4
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_of_several_votes_on_a_pair_the_last_stands_whichever_side() -> None:
    first = vote(1)
    turned = first.model_copy(update={"id": "vote-turned", "left": first.right, "right": first.left, "at": 5.0})
    other = first.model_copy(update={"id": "vote-other-1", "who": "Grace", "at": 9.0})
    assert standing([turned, other, first]) == [turned, other]
    assert standing([first.model_copy(update={"text": "a dog"}), first]) != [first]


@given(st.text(max_size=90))
def test_a_name_is_one_line_that_can_be_printed(who: str) -> None:
    content = vote(1).model_dump() | {"who": who}
    try:
        taken = Vote.model_validate(content)
    except ValidationError:
        return
    assert taken.who and taken.who.isprintable() and len(taken.who) <= 80
    assert Vote.model_validate_json(taken.model_dump_json()) == taken


@pytest.mark.parametrize("wrong", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_what_is_no_hash_is_no_picture(wrong: str) -> None:
    with pytest.raises(ValidationError, match="sha256"):
        Shown(picture=wrong, candidate="p1.0.0", seed=0)


def test_a_picture_is_not_compared_with_itself() -> None:
    with pytest.raises(ValidationError, match="with itself"):
        Vote.model_validate(vote(1).model_dump() | {"right": vote(1).left.model_dump()})


def test_a_file_of_another_version_or_a_damaged_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "votes.sqlite"
    Votes(path).add([vote(1)])
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(PrerequisiteError, match=r"the votes .* schema version 9"):
        Votes(path).of()
    junk = tmp_path / "junk.sqlite"
    junk.write_text("no database, and long enough to be seen as none" * 40, encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="damaged"):
        Votes(junk).of()
