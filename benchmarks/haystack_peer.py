"""Haystack's documented pipeline over a folder, in its own environment: `python haystack_peer.py JOB RESULTS`, both JSON.

Its converters by file type, cleaner, splitter (200 words), in-memory store, embedding retriever and prompt builder as its first
tutorial puts them together; the prompt allows "no answer" as its prompt hub's question-answering prompt does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from haystack import Pipeline
from haystack.components.builders import ChatPromptBuilder
from haystack.components.converters import HTMLToDocument, MarkdownToDocument, PyPDFToDocument, TextFileToDocument
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.components.preprocessors import DocumentCleaner, DocumentSplitter
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.utils import Secret
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

PROMPT = """Given the following information, answer the question. If the answer is not contained in the information, \
say "no answer".

Context:
{% for document in documents %}
    {{ document.content }}
{% endfor %}

Question: {{question}}
Answer:"""
CONVERTERS = {".rst": TextFileToDocument, ".md": MarkdownToDocument, ".html": HTMLToDocument, ".pdf": PyPDFToDocument}


def main(job_path: str, results_path: str) -> None:
    """Index the job's folder, ask its questions."""
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    store = InMemoryDocumentStore()
    documents = []
    for suffix, converter in CONVERTERS.items():
        if files := sorted(Path(job["folder"]).rglob(f"*{suffix}")):
            documents += converter().run(sources=files)["documents"]
    documents = DocumentCleaner().run(documents=documents)["documents"]
    documents = DocumentSplitter().run(documents=documents)["documents"]
    embedder = SentenceTransformersDocumentEmbedder(model=job["embedder"], progress_bar=False)
    store.write_documents(embedder.run(documents=documents)["documents"])

    pipeline = Pipeline()
    pipeline.add_component("embedder", SentenceTransformersTextEmbedder(model=job["embedder"], progress_bar=False))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=job["passages"]))
    pipeline.add_component(
        "prompt", ChatPromptBuilder(template=[ChatMessage.from_user(PROMPT)], required_variables="*")
    )
    generator = OpenAIChatGenerator(
        api_key=Secret.from_token("none"), model=job["model"], api_base_url=job["url"],
        generation_kwargs={"temperature": 0, "max_tokens": 128}, timeout=300,
    )  # fmt: skip
    pipeline.add_component("llm", generator)
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    pipeline.connect("retriever", "prompt.documents")
    pipeline.connect("prompt.prompt", "llm.messages")
    rows = []
    for question in job["questions"]:
        given = {"embedder": {"text": question}, "prompt": {"question": question}}
        outcome = pipeline.run(given, include_outputs_from={"retriever"})
        passages = [document.content for document in outcome["retriever"]["documents"]]
        rows.append({"reply": outcome["llm"]["replies"][0].text or "", "passages": passages})
    Path(results_path).write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
