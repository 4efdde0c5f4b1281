"""The package that LanceDB imports and no folder of files needs: imported when somebody asks for a part of it."""

import importlib
import sys

import pytest

from inloop.tools.index import lancedb_table

NAME = "rest_client_of_this_test"


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Make the package with this content; `seen` is a list that it has."""

    def make(content):
        (tmp_path / NAME).mkdir()
        (tmp_path / NAME / "__init__.py").write_text(content, encoding="utf-8")
        importlib.invalidate_caches()
        lancedb_table._postpone_rest_client()
        return sys.modules[NAME]

    monkeypatch.setattr(lancedb_table, "_REST_CLIENT", NAME)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield make
    sys.modules.pop(NAME, None)


def test_a_thread_that_asks_meanwhile_waits(client):
    package = client(
        "import sys, threading\nseen = []\nme = sys.modules[__name__]\n"
        "thread = threading.Thread(target=lambda: seen.append(me.late))\n"
        "thread.start()\nthread.join(0.2)\nlate = 'there'\n"
    )
    assert "late" not in vars(package) and package.late == "there"
    package.thread.join()
    assert package.seen == ["there"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


def test_one_that_cannot_be_imported_is_not_left_half(client):
    package = client("first = 1\nraise ImportError('a part is missing')\n")
    with pytest.raises(ImportError, match="a part is missing"):
        _ = package.second
    assert NAME not in sys.modules
