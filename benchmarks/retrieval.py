"""What an index costs: time to fill, time to ask, memory; beside plain bm25s + NumPy, and LlamaIndex or Haystack if installed.

Every contender runs in a process of its own, on the same passages, with the same vectors (384 numbers, made from a hash:
what is measured is the store, not the embedder), one query at a time, hybrid with reciprocal rank fusion over 100 of
each. Passages come from BEIR SciFact (`../shared/data/rag/scifact`, or the folder INLOOP_DATA): its documents, and its
sentences cut and recombined to 100,000.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import importlib.util
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inloop.runtime.errors import PrerequisiteError

from .figures import Figure, Options

__all__ = ["measure"]

_SIZE = 384
_QUERIES = 200
_CONTENDERS = {
    "inloop, lancedb": ("lancedb.index", "lancedb.query", "inloop.tools.index.lancedb"),
    "inloop, memory": ("bm25s", "inloop.tools.index.memory"),
    "plain bm25s + numpy": ("bm25s", "Stemmer"),
    "haystack": ("haystack.components.retrievers.in_memory", "haystack.components.joiners"),
    "llama_index": ("llama_index.core.indices", "llama_index.core.llms", "llama_index.retrievers.bm25"),
}
"""What each imports: before its time and its memory are measured."""


def measure(options: Options) -> list[Figure]:
    """Fill and ask each contender with SciFact's documents, and ours with 100,000 passages."""
    figures: list[Figure] = []
    large = int(os.environ.get("INLOOP_BENCH_PASSAGES", "100000"))
    for name, modules in _CONTENDERS.items():
        missing = [module for module in modules if not _installed(module)]
        if missing:
            print(f"  {name}: {missing[0]} is not installed, left out", file=sys.stderr)
            continue
        sizes = (0, large) if name in ("inloop, lancedb", "plain bm25s + numpy") else (0,)
        for size in sizes:
            command = [sys.executable, "-m", "benchmarks.retrieval", name, str(size)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                print(f"  {name}: failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
                continue
            told = json.loads(done.stdout.splitlines()[-1])
            label = f"{name}, {told['passages']:,} passages"
            figures += [
                Figure(name=f"{label}: filled in", value=told["fill"], unit="s"),
                Figure(name=f"{label}: a query, median", value=told["p50"], unit="ms"),
                Figure(name=f"{label}: a query, 95 %", value=told["p95"], unit="ms"),
                Figure(name=f"{label}: a query, processor time of all threads", value=told["cpu"], unit="ms"),
                Figure(name=f"{label}: filled, processor time of all threads", value=told["fill_cpu"], unit="s"),
                Figure(name=f"{label}: memory beyond the imports", value=told["memory"], unit="MB"),
            ]
    return figures


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


def vectors(texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A unit vector a text, from its hash."""
    rows = [
        np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")).standard_normal(
            _SIZE, dtype=np.float32
        )
        for text in texts
    ]
    matrix = np.array(rows)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def passages(size: int) -> tuple[list[tuple[str, str, str]], list[str]]:
    """(id, title, text) of SciFact's documents, or of `size` pieces of its sentences; and queries."""
    here = Path(__file__).parent.parent
    data = Path(os.environ.get("INLOOP_DATA", here.parent / "shared" / "data")) / "rag" / "scifact"
    if not data.is_dir():
        raise PrerequisiteError(f"{data} is not there", remedy="set INLOOP_DATA to the folder that holds rag/scifact.")
    documents = [json.loads(line) for line in (data / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = (data / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [json.loads(line)["text"] for line in lines[:_QUERIES]]
    if not size:
        return [(one["_id"], one["title"], one["text"]) for one in documents], queries
    sentences = [part for one in documents for part in re.split(r"(?<=[.]) ", one["text"]) if len(part) > 40]
    rng = random.Random(0)
    return [(f"{n:07}", "", " ".join(rng.sample(sentences, 3))) for n in range(size)], queries


class _Hashed:
    model, revision = "hashed", "1"

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]:
        return vectors(texts).tolist()  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        return None


def _inloop(url: str) -> Callable[[list[tuple[str, str, str]]], Callable[[str], object]]:
    def fill(rows: list[tuple[str, str, str]]) -> Callable[[str], object]:
        from inloop.runtime.passages import Passage
        from inloop.tools.index import open_index

        loop = asyncio.new_event_loop()

        async def put() -> Any:
            index = await open_index(url, text=_Hashed())
            for start in range(0, len(rows), 2000):
                await index.upsert(
                    [Passage(id=i, document=i, title=t, text=x) for i, t, x in rows[start : start + 2000]]
                )
            await index.optimise()
            return index

        index = loop.run_until_complete(put())
        return lambda query: loop.run_until_complete(index.search([query], k=10, mode="hybrid"))

    return fill


def _plain(rows: list[tuple[str, str, str]]) -> Callable[[str], object]:
    import bm25s
    import Stemmer

    texts = [f"{title}\n{text}" for _, title, text in rows]
    stemmer = Stemmer.Stemmer("english")
    bm25 = bm25s.BM25()
    bm25.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)
    matrix = vectors(texts)

    def ask(query: str) -> object:
        depth = min(100, len(rows))
        words = bm25s.tokenize([query], stopwords="en", stemmer=stemmer, show_progress=False)
        worded, _ = bm25.retrieve(words, k=depth, show_progress=False)
        cosines = matrix @ vectors([query])[0]
        near = np.argpartition(-cosines, depth - 1)[:depth]
        near = near[np.argsort(-cosines[near])]
        scores: dict[int, float] = {}
        for ranking in (worded[0], near):
            for rank, place in enumerate(ranking, start=1):
                scores[int(place)] = scores.get(int(place), 0) + 1 / (60 + rank)
        return sorted(scores, key=lambda place: -scores[place])[:10]

    return ask


def _haystack(rows: list[tuple[str, str, str]]) -> Callable[[str], object]:
    from haystack import Document
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    texts = [f"{title}\n{text}" for _, title, text in rows]
    store = InMemoryDocumentStore()
    store.write_documents(
        [
            Document(id=row[0], content=text, embedding=vector)
            for row, text, vector in zip(rows, texts, vectors(texts).tolist(), strict=True)
        ]
    )
    worded, near = InMemoryBM25Retriever(store, top_k=100), InMemoryEmbeddingRetriever(store, top_k=100)
    joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=10)

    def ask(query: str) -> object:
        first = worded.run(query=query)["documents"]
        second = near.run(query_embedding=vectors([query])[0].tolist())["documents"]
        return joiner.run(documents=[first, second])

    return ask


def _llama_index(rows: list[tuple[str, str, str]]) -> Callable[[str], object]:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.indices import VectorStoreIndex
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import TextNode
    from llama_index.retrievers.bm25 import BM25Retriever

    class Hashed(BaseEmbedding):  # type: ignore[misc]
        def _get_text_embedding(self, text: str) -> list[float]:
            return vectors([text])[0].tolist()  # type: ignore[no-any-return]

        _get_query_embedding = _get_text_embedding

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    texts = [f"{title}\n{text}" for _, title, text in rows]
    nodes = [
        TextNode(id_=row[0], text=text, embedding=vector)
        for row, text, vector in zip(rows, texts, vectors(texts).tolist(), strict=True)
    ]
    near = VectorStoreIndex(nodes, embed_model=Hashed()).as_retriever(similarity_top_k=100)
    worded = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=100)
    both = QueryFusionRetriever(  # one query: the language model is never asked, and still has to be there
        [near, worded], llm=MockLLM(), num_queries=1, similarity_top_k=10, mode="reciprocal_rerank", use_async=False
    )
    return lambda query: both.retrieve(query)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)


def main(name: str, size: int) -> None:
    """One contender, in this process: a line of JSON."""
    rows, queries = passages(size)
    for module in _CONTENDERS[name]:
        importlib.import_module(module)
    gc.collect()
    with tempfile.TemporaryDirectory() as folder:
        fills: dict[str, Callable[[list[tuple[str, str, str]]], Callable[[str], object]]] = {
            "inloop, lancedb": _inloop(f"lancedb://{folder}/index"),
            "inloop, memory": _inloop("memory:"),
            "plain bm25s + numpy": _plain,
            "haystack": _haystack,
            "llama_index": _llama_index,
        }
        before, started, cpu = _peak(), time.perf_counter(), time.process_time()
        ask = fills[name](rows)
        fill, fill_cpu = time.perf_counter() - started, time.process_time() - cpu
        ask(queries[0])  # what is loaded at the first question is not a question's time
        took, cpu = [], time.process_time()
        for query in queries:
            started = time.perf_counter()
            ask(query)
            took.append((time.perf_counter() - started) * 1000)
        cpu = (time.process_time() - cpu) * 1000 / len(queries)
        took.sort()
        told = {
            "passages": len(rows),
            "fill": fill,
            "fill_cpu": fill_cpu,
            "cpu": cpu,
            "p50": took[len(took) // 2],
            "p95": took[int(0.95 * len(took))],
        }
        print(json.dumps({**told, "memory": _peak() - before}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
