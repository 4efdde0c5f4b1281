"""MLflow's autolog sees the steps of a run and its chats, offline."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import serving

from inloop import opt2i
from inloop.runtime.settings import Settings

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: pip install mlflow-skinny sqlalchemy alembic")


def test_autolog_sees_steps_and_chats(settings: Settings, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'traces.db'}")
    mlflow.set_experiment("inloop")
    mlflow.langchain.autolog()
    mlflow.openai.autolog()
    try:
        with serving() as server:
            llm = f"{server.url}#m"
            opt2i("two red stars", llm=llm, iterations=1, candidates=2, heldout_seeds=1, settings=settings)
        mlflow.flush_trace_async_logging()
        traces = mlflow.search_traces(return_type="list")
    finally:
        mlflow.langchain.autolog(disable=True)
        mlflow.openai.autolog(disable=True)
    seen = {(span.name, span.span_type) for trace in traces for span in trace.data.spans}
    assert {("realise", "CHAIN"), ("score", "CHAIN"), ("AsyncCompletions", "CHAT_MODEL")} <= seen
