"""The examples of docs/retrieval_for_vision.md, run as they stand, one after the other, with the bundled CLIP."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from inloop.mini.world.drawing import Group, Spec, draw, place
from inloop.mini.world.grammar import plain
from inloop.runtime.store.open import Store

PAGE = Path(__file__).parent.parent / "docs" / "retrieval_for_vision.md"


@pytest.mark.slow
async def test_the_examples_run(settings, tmp_path, capsys):
    pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    with Store.open(settings) as store:
        album = []
        for number, kind in enumerate(["cat", "car"] * 3 + ["moon"] * 2):
            spec = Spec(groups=(Group(kind=kind),))
            album.append((store.blobs.put_image(draw(place(spec, number))), plain(spec).text))
        told = {
            "store": store,
            "settings": settings,
            "album": album,
            "folder": tmp_path,
            "url": f"lancedb://{tmp_path}/index",
        }
        for example in examples:
            code = compile(example, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            running = eval(code, told)
            if inspect.isawaitable(running):
                await running
        await told["clip"].aclose()
        await told["adapted"].aclose()
        await told["index"].close()
    lines = capsys.readouterr().out.splitlines()
    assert told["shots"] and all(shot.passage.id != "0" for shot in told["shots"]) and len(lines) == 3
    assert told["classifier"].classes == ("car", "cat", "moon") and (tmp_path / "classifier" / "memory.json").is_file()
    assert told["card"].layers == (2, 3) and len(told["card"].losses) == 2 and told["said"].text == "cat"
