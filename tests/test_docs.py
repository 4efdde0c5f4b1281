"""The documentation: its code runs, its commands are read, its links lead somewhere, and its site can be built.

A block of Python after the comment `<!-- runs -->` (`<!-- runs slow -->`: with the bundled models) is run; the blocks of a page share
their names, as a reader's would who types one after the other. One that is not run says why: `<!-- not run: REASON -->`.
"""

import ast
import importlib.util
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import chromium
import pytest
from pages import BROKEN, CONTRAST

from inloop.app.cli.commands import parser
from inloop.runtime import models
from inloop.runtime.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINKING = [
    *PAGES,
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    ROOT / "examples" / "README.md",
]
BLOCK = re.compile(r"^<!-- runs( slow)? -->\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
UNMARKED = re.compile(r"(?<!-->\n)^```python\n(.*?)\n", re.MULTILINE)
COMMAND = re.compile(r"^    (?:\.venv/bin/)?inloop ((?:.*\\\n)*.*)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(page):
    return str(page.relative_to(ROOT))


def running_blocks():
    return {
        page: [(bool(slow), code) for slow, code in BLOCK.findall(page.read_text(encoding="utf-8"))] for page in PAGES
    }


async def run_blocks(page, codes):
    names = {"__name__": "page"}
    for code in codes:
        running = eval(compile(code, name(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.isawaitable(running):
            await running
    return names


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A folder of the reader's, without settings of the user's but the cache of models; the example package is installed."""
    for variable in [*os.environ]:
        if variable.startswith("INLOOP_") and variable != "INLOOP_CACHE_DIR":
            monkeypatch.delenv(variable)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "plugin"))
    monkeypatch.chdir(tmp_path)


QUICK = [page for page, blocks in running_blocks().items() if any(not slow for slow, _ in blocks)]
SLOW = [page for page, blocks in running_blocks().items() if any(slow for slow, _ in blocks)]


@pytest.mark.parametrize("page", QUICK, ids=name)
async def test_the_code_of_a_page_runs(page, at_home):
    await run_blocks(page, [code for slow, code in running_blocks()[page] if not slow])


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=name)
async def test_the_code_of_a_page_runs_with_the_bundled_models(page, at_home):
    for model in ("smollm2", "minilm"):
        if models.find(model, Settings.load().cache_dir) is None:
            pytest.skip(f"the model {model} is not fetched: inloop models --fetch {model}")
    await run_blocks(page, [code for _, code in running_blocks()[page]])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_that_is_not_run_says_why(page):
    assert UNMARKED.findall(page.read_text(encoding="utf-8")) == []
    assert "<!-- not run: -->" not in page.read_text(encoding="utf-8")


def commands_of(page):
    """The arguments of every `inloop ...` line of a page; those of the example package are its own test's."""
    for line in COMMAND.findall(page.read_text(encoding="utf-8")):
        arguments = shlex.split(line.replace("\\\n", " "), comments=True)
        if arguments[0] != "shorten":
            yield arguments


@pytest.mark.parametrize("page", [page for page in LINKING if [*commands_of(page)]], ids=name)
def test_the_commands_of_a_page_are_read(page, capsys):
    """Every flag is there and takes what stands behind it."""
    for arguments in commands_of(page):
        try:
            parser(arguments[0]).parse_args(arguments)
        except SystemExit as end:
            assert end.code == 0, f"inloop {shlex.join(arguments)}: {capsys.readouterr().err}"


def anchors(page):
    """The anchors of a page's headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def broken(page):
    """The links of a page that lead nowhere; those to other machines are not followed."""
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = unquote(link).partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link
        elif DOCS in page.parents and DOCS not in target.parents:
            yield f"{link} (outside of docs/: the site does not have it)"


@pytest.mark.parametrize("page", LINKING, ids=name)
def test_links_lead_somewhere(page):
    assert [*broken(page)] == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A title\n[a](#a-title) [b](#b) [c](c.md) [d](https://d) [e](page.md#a-title)\n", encoding="utf-8"
    )
    assert [*broken(page)] == ["#b", "c.md"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly: a name that the reference does not find, or a page that the navigation lacks, is an error."""
    for package in ("mkdocs", "material", "mkdocstrings", "griffe_pydantic"):
        if importlib.util.find_spec(package) is None:
            pytest.skip("the generator of the site is not installed: pip install 'inloop[docs]'")
    if not (ROOT / "build" / "view" / "inloop").is_dir():
        pytest.skip("the package by links to the code folders is not there: make view")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_are_included_as_the_site_reads_it(page):
    """A formatter takes the line for Python, and the site then shows the line in the place of the file."""
    text = page.read_text(encoding="utf-8")
    included = re.findall(r'^--8<-- "(.+)"$', text, re.MULTILINE)
    assert text.count("--8") == len(included) and all((ROOT / name).is_file() for name in included)


@pytest.mark.slow
def test_the_site_has_what_is_written_elsewhere(site):
    own_loop = (site / "own_loop.html").read_text(encoding="utf-8")
    assert "conditional_edges" in own_loop, "the loop is included from its file"
    loops = (site / "reference" / "loops.html").read_text(encoding="utf-8")
    assert "rounds of rewriting" in loops, "options have the descriptions of their fields"
    assert "inloop.graphs.opt2i.config.Opt2iConfig</" not in loops, (
        "names are shown without where they are behind the front door"
    )


@pytest.mark.slow
@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
def test_the_site_is_read_on_a_desk_a_phone_and_in_the_dark(site):
    """No page is wider than its window, no table breaks a word, text stands out from its ground."""
    cells = BROKEN.replace("'th, td, caption, dt, dd, .forest span'", "'.md-content th, .md-content td'")
    text = CONTRAST.replace("document.body, ", "document.querySelector('.md-content'), ")
    assert cells != BROKEN and text != CONTRAST
    with chromium.Page() as browser:
        for page in sorted(site.rglob("*.html")):
            if page.name == "404.html":  # its links begin at the root of a server
                continue
            for width, dark in ((1400, False), (1400, True), (390, False)):
                where = f"{page.relative_to(site)} at {width}{' dark' if dark else ''}"
                browser.open(page, width=width, height=900, dark=dark)
                browser.ask("localStorage.clear()")  # where the scheme is that was shown last
                browser.open(page, width=width, height=900, dark=dark)
                assert browser.ask("document.body.dataset.mdColorScheme") == ("slate" if dark else "default"), where
                assert browser.ask("document.documentElement.scrollWidth") <= width, where
                assert (where, browser.ask(cells)) == (where, [])
                assert (where, browser.ask(text)) == (where, [])
