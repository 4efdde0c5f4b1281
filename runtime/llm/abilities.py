"""What the servers of a model can do together: each is probed before the first request that has to be sent to it.

Invariants: which form a request takes does not depend on the server that gets it, so what one of them cannot do is asked of none.
A server that is down when the others are probed is left out, and probed before it is taken in. Servers that tell of other weights under
the model's name are refused before anything is paid.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence

from ..errors import PrerequisiteError
from ..transport import Balancer, Server
from .capabilities import Capabilities
from .probes import FEATURES, Finding

__all__ = ["Abilities", "common"]

_LOG = logging.getLogger(__name__)
_AGAIN = 60.0  # seconds after a probe that failed
_WORST = ("yes", "unknown", "no", "ignored", "refused")


class Abilities:
    """The abilities of the servers behind `balancer`; `probe` tells (blocking) those of the server at a URL."""

    def __init__(self, balancer: Balancer, probe: Callable[[str], Capabilities]) -> None:
        self._balancer, self._probe = balancer, probe
        self._found: dict[str, Capabilities] = {}
        self._common: Capabilities | None = None
        self._guard = threading.Lock()
        self._after = 0.0
        self._asking: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()
        self.notes: list[str] = []
        balancer.check = self._ask

    async def get(self) -> Capabilities | None:
        """What all can do that are up; None where none can be asked now: the request itself will say what is wrong.

        Raises `PrerequisiteError` where they serve different models under one name.
        """
        if not self._missing():
            return self._common
        async with self._asking.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            asked = self._missing()
            probes = [asyncio.to_thread(self._ask, server.url) for server in asked]
            for server, answer in zip(asked, await asyncio.gather(*probes, return_exceptions=True), strict=True):
                if isinstance(answer, PrerequisiteError) and not isinstance(answer, _OtherWeights):
                    self._after = time.monotonic() + _AGAIN
                    self._balancer.failed(server, answer.problem, gone=True)
                elif isinstance(answer, BaseException):
                    raise answer
        return self._common

    def _missing(self) -> list[Server]:
        """The servers that are up and were not probed."""
        if self._common is None and time.monotonic() < self._after:
            return []
        return [server for server in self._balancer.servers if server.url not in self._found and not server.is_out]

    def _ask(self, url: str) -> Capabilities:
        able = self._probe(url)
        with self._guard:
            for other in self._found.values():
                self._compare(other, able)
            self._found[url] = able
            self._common = common(list(self._found.values()))
        return able

    def _compare(self, one: Capabilities, other: Capabilities) -> None:
        """Raise for weights that are certainly others, note what only looks so."""
        for told in one.weights.keys() & other.weights.keys():
            values = one.weights[told], other.weights[told]
            if values[0] == values[1]:
                continue
            differ = f"{one.url} serves {one.model!r} with {told} {values[0]}, {other.url} with {told} {values[1]}"
            if told != "root":
                raise _OtherWeights(
                    f"the servers do not serve one model: {differ}",
                    remedy="serve the same file at all addresses, or give one address",
                )
            if differ not in self.notes:
                _LOG.warning("%s: see that these are the same weights", differ)
                self.notes.append(f"{differ}: whether these are the same weights cannot be told from here")


class _OtherWeights(PrerequisiteError):
    """Servers that differ in what they serve."""


def common(found: Sequence[Capabilities]) -> Capabilities:
    """What all of these can do: of each feature the worst finding, of contexts the shortest."""
    if len(found) == 1:
        return found[0]
    contexts = [able.context for able in found if able.context is not None]
    return found[0].model_copy(
        update={
            **{feature: _worst([(able.url, able.finding(feature)) for able in found]) for feature in FEATURES},
            "thinks": next((able.thinks for able in found if able.thinks.state == "yes"), found[0].thinks),
            "url": " and ".join(able.url for able in found),
            "server": " and ".join(dict.fromkeys(able.server for able in found if able.server)),
            "untaken": tuple(sorted({name for able in found for name in able.untaken})),
            "context": min(contexts, default=None),
            "requests": sum(able.requests for able in found),
        }
    )


def _worst(findings: Sequence[tuple[str, Finding]]) -> Finding:
    """The worst of one feature's findings; a feature that works in different forms has none in common."""
    url, worst = max(findings, key=lambda each: _WORST.index(each[1].state))
    if worst.state != "yes":
        return worst.model_copy(update={"how": f"{url}: {worst.how}" if worst.how else url})
    forms = dict.fromkeys(finding.how for _, finding in findings)
    return worst if len(forms) == 1 else Finding(state="no", how=f"in different forms: {' and '.join(forms)}")
