"""Pages as they are read: what is navigation goes, lists, tables and code keep their form."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rag_files import read, read_shared, sections

pytest.importorskip("bs4", reason="the extra rag is not installed: pip install 'inloop[rag]'")


def page(body: str, head: str = "") -> str:
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"


def test_a_page_has_a_title_and_sections():
    document = read(
        page(
            """<nav>menu</nav><h1>Head <em>line</em></h1><p>One <b>bold</b> word,<br>next line.</p>
            <h2>Under</h2><p>caf&eacute;</p><script>alert(1)</script><!-- hidden --><p hidden>secret</p>""",
            '<title>A  page</title><style>p {}</style><meta name="author" content="Ida Holst">',
        ).encode("latin-1"),
        "text/html",
    )
    assert document.title == "A page" and document.meta == {"author": "Ida Holst"}
    assert sections(document) == [
        (("Head line",), "One bold word,\nnext line."),
        (("Head line", "Under"), "café"),
    ]


def test_lists_tables_code_and_definitions():
    document = read(
        page(
            """<p>Bring:</p><ul><li>a rope<ul><li>long</li></ul></li><li><p>a lamp</p><p>with oil</p></li></ul>
            <ol start="3"><li>row</li><li>sail</li></ol>
            <table><thead><tr><th>Boat</th><th>Length</th></tr></thead><tr><td>Tern</td><td><p>7 m</p></td></tr></table>
            <pre>  x =
  1</pre><dl><dt>BHA</dt><dd>Brunmoor Harbour Authority</dd><dt>VTS</dt><dt>Traffic</dt><dd>Watch</dd>
            <dt>Ebb</dt><dd><p>Low water.</p><p>Wait:</p><ul><li>six hours</li></ul><pre>tide</pre></dd></dl><p>Then row.</p>"""
        ),
        "text/html",
    )
    assert document.text.split("\n\n") == [
        "Bring:",
        "- a rope\n  - long\n- a lamp\n  with oil\n3. row\n4. sail",
        "Boat | Length\nTern | 7 m",
        "```\n  x =\n  1\n```",
        "BHA: Brunmoor Harbour Authority",
        "VTS / Traffic: Watch",
        "Ebb: Low water.",
        "  Wait:",
        "  - six hours",
        "  ```\n  tide\n  ```",
        "Then row.",
    ]


NAVIGATION = {
    "nav": "<nav><ul><li><a href='/a'>gone</a></li></ul></nav>",
    "a role": "<div role='navigation'>gone</div>",
    "a sidebar": "<div class='sphinxsidebar'><a href='/a'>gone</a> <a href='/b'>gone</a></div>",
    "links in a header": "<header><a href='/'>gone</a> <a href='/docs'>gone too</a></header>",
    "links in a footer": "<footer><ul><li><a href='/'>gone</a></li></ul></footer>",
    "a way to skip": "<a class='skip-link' href='#main'>gone: skip to content</a>",
    "contents of the page": "<ul><li><a href='#a'>gone</a></li><li><a href='#b'>gone</a></li><li><a href='#c'>gone</a></li></ul>",
    "permanent links": "<h2>Here<a class='headerlink' href='#here'>gone</a></h2>",
    "what is not shown": "<p style='display: none'>gone</p>",
    "what nobody sees": "<div aria-hidden='true'>gone</div>",
}


@pytest.mark.parametrize("case", NAVIGATION)
def test_navigation_is_left_out(case):
    assert "gone" not in read(page(f"{NAVIGATION[case]}<p>What is said.</p>"), "text/html").text


KEPT = {
    "a header with words": "<header><h1>Kept</h1><p>kept words of the page</p></header>",
    "a list of links": "<ul><li><a href='/a'>kept one</a></li><li><a href='/b'>kept two</a></li></ul>",
    "an aside with words": "<aside>kept beside, <a href='/b'>with a link</a></aside>",
    "a class that is called so": "<div class='menu'><p>kept: soup, bread, fish</p></div>",
    "a table that only lays out": "<table role='presentation'><tr><td><h2>Kept</h2><p>kept words</p></td></tr></table>",
}


@pytest.mark.parametrize("case", KEPT)
def test_what_only_looks_like_navigation_is_kept(case):
    assert "kept" in read(page(f"{KEPT[case]}<p>What is said.</p>"), "text/html").text


def test_the_main_part_is_the_page():
    text = read(page("<div>around</div><main><p>The harbour opens at 8.</p></main><div>below</div>"), "text/html").text
    assert text == "The harbour opens at 8."


def test_contents_that_say_the_headings_once_more_are_left_out():
    document = read(
        page(
            """<h1>Mooring</h1><p>Contents</p><p>1. What does it cost?</p><p>2. Where is the office?</p>
            <h2>1. What does it cost?</h2><p>Thirty crowns.</p><h2>2. Where is the office?</h2><p>On the pier.</p>"""
        ),
        "text/html",
    )
    assert sections(document) == [
        (("1. What does it cost?",), "Thirty crowns."),
        (("2. Where is the office?",), "On the pier."),
    ]
    assert sections(read_shared("toc.html"))[-1][1].startswith("Execute the command:\n\n```\napt-mark hold")


def test_titles_of_notes_are_no_sentences():
    text = read(
        page("<div class='admonition'><p class='admonition-title'>How to?</p><p>So.</p></div>"), "text/html"
    ).text
    assert text == "**How to?**\n\nSo."


def test_soft_hyphens_and_signs_without_width_go():
    assert (
        "Hafenmeister von\nBrunmoor"
        in read(page("Der Ha&shy;fen&#8203;meis&shy;ter von<br>Brun\u2060moor"), "text/html").text
    )
    assert "Hafenmeister" in read_shared("html/c.html").text


def test_deep_pages():
    assert read("<div>" * 3000 + "deep words" + "</div>" * 3000, "text/html").text == "deep words"


WORDS = st.text(st.sampled_from("abcdefgh"), min_size=1, max_size=8)
INLINE = WORDS | WORDS.map(lambda word: f"<b>{word}</b>")
BLOCK = st.tuples(
    st.sampled_from("p div h2 li td dd pre blockquote section".split()), st.lists(INLINE, min_size=1, max_size=4)
)


@settings(deadline=None, max_examples=100)
@given(st.lists(BLOCK, min_size=1, max_size=6))
def test_every_word_of_a_page_is_in_a_section(blocks):
    source = "".join(f"<{name}>{' '.join(words)}</{name}>" for name, words in blocks)
    words = [word.removeprefix("<b>").removesuffix("</b>") for _, inline in blocks for word in inline]
    document = read(page(source), "text/html")
    shown = {document.title, *" ".join(" ".join((*headings, text)) for headings, text in sections(document)).split()}
    shown |= set(document.title.split())
    assert set(words) <= {word.strip(":") for word in shown}
