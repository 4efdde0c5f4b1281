"""Votes by mail: one HTML file with pairs of pictures in it, and the small JSON file that comes back.

The file needs nothing else and reaches nothing: pictures are data URIs, the script is named by its hash in the page's policy. What comes back is
checked like everything from outside; read twice it is read once; a vote on a picture that is another one now is kept and void.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from ...graphs.opt2i import Ballot, Opt2iTask, Pair, ballot_of
from ...runtime.display import environment
from ...runtime.errors import BadInput
from ...runtime.folder import RunFolder
from ...runtime.records import options_checked
from ...runtime.store import BlobStore, Vote, Votes
from .pictures import media_type

__all__ = ["Read", "mail_page", "read_votes"]

_APP = __name__.rsplit(".", 2)[0]
_VERSION = 1
_MOST_BYTES = 20_000_000
_ANYONE = ""


class Read(NamedTuple):
    """What a file brought: `new` votes, those that were there already, and the ones of all of these that are void."""

    new: int
    known: int
    void: int


def mail_page(folder: RunFolder, tasks: Sequence[Opt2iTask], votes: Votes, blobs: BlobStore, *, most: int) -> str:
    """The file, with up to `most` pairs over all searches, the most telling first.

    Raises:
        BadInput: no search has two prompts with different pictures of one seed.
        PrerequisiteError: a picture is not in the store.
    """
    ballots = [ballot_of(folder.id, task, votes.of(text=task.text)) for task in tasks]
    each = math.ceil(most / max(1, len(ballots)))
    pairs = [(ballot, pair) for ballot in ballots for pair in ballot.plan(_ANYONE, each)][:most]
    if not pairs:
        raise BadInput(
            f"the run {folder.id!r} has no two prompts with different pictures of one seed: there is nothing to vote on."
        )
    pictures = {shown.picture: _uri(blobs, shown.picture) for _, pair in pairs for shown in (pair.left, pair.right)}
    shown = [_pair(ballot, pair) for ballot, pair in pairs]
    page = hashlib.sha256(json.dumps([folder.id, shown]).encode()).hexdigest()[:16]
    script = "\n".join((Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8") for name in ("vote", "mail"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    content = {"run": folder.id, "page": page, "pairs": shown, "pictures": pictures}
    # "<" would end the script element that holds it, wherever a prompt has it
    ballot = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    html: str = (
        environment(_APP)
        .get_template("view/mail.html.j2")
        .render(
            title="Which picture is better?",
            pairs=len(shown),
            hash=Markup(f"sha256-{digest}"),
            ballot=Markup(ballot),
            script=Markup(script),
        )
    )
    return html


def read_votes(folder: RunFolder, tasks: Sequence[Opt2iTask], votes: Votes, path: Path) -> Read:
    """Take in what came back.

    Raises:
        BadInput: the file is none of these, is of another run, or a vote in it is not one; nothing of it is kept then.
    """
    content = _content(path)
    if content.get("inloop_votes") != _VERSION or not isinstance(content.get("votes"), list):
        raise BadInput(f"{str(path)!r} holds no votes: give the file that the page of `inloop votes --page` saved.")
    if content.get("run") != folder.id:
        raise BadInput(f"{str(path)!r} holds votes on the run {content.get('run')!r:.80}: name that run.")
    texts = {task.id: task.text for task in tasks}
    given = []
    for number, each in enumerate(content["votes"], start=1):
        try:
            with options_checked():
                vote = Vote.model_validate(each)
        except BadInput as error:
            raise BadInput(f"vote {number} of {str(path)!r}: {error}") from None
        if vote.run != folder.id or texts.get(vote.task) != vote.text:
            raise BadInput(
                f"vote {number} of {str(path)!r} is on {vote.text!r:.80}, which is no search of {folder.id!r}."
            )
        given.append(vote)
    new = votes.add(given)
    ids = {vote.id for vote in given}
    void = sum(vote.id in ids for task in tasks for vote in ballot_of(folder.id, task, votes.of(text=task.text)).void)
    return Read(new=new, known=len(given) - new, void=void)


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput(f"{str(path)!r} has more than {_MOST_BYTES:,} bytes: that is no file of votes.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is no JSON: {error}.") from None
    return content if isinstance(content, dict) else {}


def _pair(ballot: Ballot, pair: Pair) -> dict[str, Any]:
    return {
        "task": ballot.task.id,
        "text": ballot.task.text,
        "left": pair.left.model_dump(mode="json"),
        "right": pair.right.model_dump(mode="json"),
    }


def _uri(blobs: BlobStore, sha: str) -> str:
    """The very bytes that are voted on, however large."""
    data = blobs.get(sha)
    return f"data:{media_type(data)};base64,{base64.b64encode(data).decode('ascii')}"
