"""The local page's server: what `Runs` gives as JSON, pictures by their hash, changes as server-sent events; votes and answers go in.

Invariant: a vote or an answer is on the disk before it is acknowledged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ...graphs import label
from ...graphs.opt2i import Offer, Pair, Review
from ...runtime.display import environment
from ...runtime.errors import BadInput, InloopError, PrerequisiteError
from ...runtime.records import options_checked
from ...runtime.store import Vote
from .guard import Guarded
from .pictures import media_type
from .runs import Runs

__all__ = ["view_app"]

_APP = __name__.rsplit(".", 2)[0]
_MOST_BYTES = 200_000
_POLL, _SILENCE = 0.5, 15.0  # seconds


def view_app(runs: Runs, *, token: str, start: str = "") -> Starlette:
    """The application. `start`: the id of the run that the page begins with; "": the list of runs."""
    routes = [
        Route("/", _page),
        Route("/view.css", _style),
        Route("/{name}.js", _script),
        Route("/api/runs", _runs),
        Route("/api/runs/{run}", _run),
        Route("/api/runs/{run}/changes", _changes),
        Route("/api/runs/{run}/answers", _answer, methods=["POST"]),
        Route("/api/runs/{run}/tasks/{task}", _task),
        Route("/api/runs/{run}/tasks/{task}/pair", _pair),
        Route("/api/runs/{run}/votes", _vote, methods=["POST"]),
        Route("/runs/{run}/pictures/{sha}", _picture),
        Route("/runs/{run}/report", _report),
    ]
    handlers: dict[Any, Any] = {InloopError: _refused}
    app = Starlette(routes=routes, middleware=[Middleware(Guarded, token=token)], exception_handlers=handlers)
    app.state.runs, app.state.start = runs, start
    return app


async def _page(request: Request) -> Response:
    page = environment(_APP).get_template("view/view.html.j2").render(start=request.app.state.start)
    return Response(page, media_type="text/html")


async def _style(request: Request) -> Response:
    style = environment(_APP).get_template("view/style.css.j2").render()
    return Response(style, media_type="text/css")


async def _script(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ("view", "vote", "masks"):
        return Response(status_code=404)
    text = await run_in_threadpool((Path(__file__).parent / f"{name}.js").read_text, encoding="utf-8")
    return Response(text, media_type="text/javascript")


async def _runs(request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(_known(request).listed))


async def _run(request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(_known(request).run, request.path_params["run"]))


async def _task(request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(_known(request).task, *_named(request)))


async def _pair(request: Request) -> Response:
    who = " ".join(request.query_params.get("who", "").split())[:80]

    def found() -> dict[str, Any]:
        ballot = _known(request).ballot(*_named(request))
        pair = ballot.next(who)
        said = ballot.said() if len(ballot.trials) > 1 else None
        return {
            "text": ballot.task.text,
            "pair": None if pair is None else _shown(pair),
            "counted": len(ballot.votes),
            "sure": bool(said and said.sure),
            "chosen": said.chosen if said else "",
            "probability": round(100 * said.probability) if said else 0,
        }

    return JSONResponse(await run_in_threadpool(found))


def _shown(pair: Pair) -> dict[str, Any]:
    return {
        "left": pair.left.model_dump(mode="json"),
        "right": pair.right.model_dump(mode="json"),
        "bits": round(pair.bits, 4),
    }


async def _vote(request: Request) -> Response:
    content = await _body(request)

    def kept() -> int:
        runs, run = _known(request), request.path_params["run"]
        with options_checked():
            vote = Vote.model_validate({**content, "run": run})
        ballot = runs.ballot(run, vote.task)
        here = {(image.sha256, seed) for by_seed in ballot.pictures.values() for seed, image in by_seed.items()}
        if vote.text != ballot.task.text or not {(s.picture, s.seed) for s in (vote.left, vote.right)} <= here:
            raise BadInput("the pictures of this vote are not those of the run any more: load the page again.")
        return runs.votes(runs.folder(run)).add([vote])

    return JSONResponse({"new": await run_in_threadpool(kept)})


async def _answer(request: Request) -> Response:
    content = await _body(request)

    def kept() -> None:
        runs = _known(request)
        folder = runs.folder(request.path_params["run"])
        questions, key, answer = runs.questions(folder), str(content.get("key", "")), content.get("answer")
        if folder.loop == "opt2i":
            with options_checked():
                review = Review.model_validate(answer)
            for asked in questions.waiting():
                if asked.key == key:
                    Offer.model_validate(asked.question).check(review)
            answer = review.model_dump(mode="json")
        elif folder.loop == "label":
            with options_checked():
                said = label.Review.model_validate(answer)
            for asked in questions.waiting():
                if asked.key == key:
                    label.Offer.model_validate(asked.question).check(said)
            answer = said.model_dump(mode="json")
        questions.answer(key, answer, who=str(content.get("who", ""))[:80])

    await run_in_threadpool(kept)
    return JSONResponse({"kept": True})


async def _picture(request: Request) -> Response:
    data = await run_in_threadpool(_known(request).picture, request.path_params["run"], request.path_params["sha"])
    kind = media_type(data)
    if kind is None:
        return Response("this is no picture.", 415)
    return Response(data, media_type=kind, headers={"cache-control": "private, max-age=31536000, immutable"})


async def _report(request: Request) -> Response:
    path = _known(request).folder(request.path_params["run"]).report_path
    if not path.is_file():
        raise BadInput("there is no report yet: it is drawn when the run is finished.")
    text = await run_in_threadpool(path.read_text, encoding="utf-8")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return Response(text, media_type="text/html", headers={"content-security-policy": policy})


async def _changes(request: Request) -> Response:
    runs, id = _known(request), request.path_params["run"]
    await run_in_threadpool(runs.folder, id)

    async def events() -> AsyncIterator[str]:
        before, silent = "", 0.0
        while not await request.is_disconnected():
            now = await run_in_threadpool(runs.stamp, id)
            if now != before:
                yield f"data: {json.dumps(now)}\n\n"
                before, silent = now, 0.0
            elif silent >= _SILENCE:
                yield ": nothing new\n\n"
                silent = 0.0
            await asyncio.sleep(_POLL)
            silent += _POLL

    return StreamingResponse(events(), media_type="text/event-stream")


async def _body(request: Request) -> dict[str, Any]:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MOST_BYTES:
            raise BadInput(f"the body has more than {_MOST_BYTES:,} bytes.")
    try:
        body = json.loads(data)
    except ValueError as error:
        raise BadInput(f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadInput("the body is no JSON object.")
    return body


def _known(request: Request) -> Runs:
    runs: Runs = request.app.state.runs
    return runs


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["run"], request.path_params["task"]


async def _refused(request: Request, error: InloopError) -> Response:
    status = 400 if isinstance(error, BadInput) else 503 if isinstance(error, PrerequisiteError) else 500
    return JSONResponse({"error": str(error)}, status_code=status)
