"""Books, notebooks and mail: files that hold texts of other kinds."""

import io
import json
import zipfile
from email.message import EmailMessage

import pytest
from rag_files import read, sections

from inloop.runtime.errors import BadInput
from inloop.tools.documents.readers.kinds import KINDS

MEDIA = {kind.words: kind.media for kind in KINDS}


def book(*chapters: str) -> bytes:
    items = "".join(
        f'<item id="c{n}" href="text/c%20{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    package = (
        '<package><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Boats</dc:title><dc:creator>Ida Holst</dc:creator>'
        f'</metadata><manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>{items}</manifest>'
        f'<spine><itemref idref="nav"/>{spine}</spine></package>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        )
        file.writestr("OEBPS/book.opf", package)
        file.writestr("OEBPS/nav.xhtml", "<p>contents</p>")
        for number, chapter in enumerate(chapters):
            file.writestr(f"OEBPS/text/c {number}.xhtml", chapter)
    return out.getvalue()


def test_books():
    pytest.importorskip("bs4", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    document = read(
        book("<h1>One</h1><p>The tern.</p>", "<h1>Two</h1><p>The gull.</p><h2>More</h2><p>The auk.</p>"), MEDIA["EPUB"]
    )
    assert document.title == "Boats" and document.meta == {"author": "Ida Holst"}
    assert sections(document) == [(("One",), "The tern."), (("Two",), "The gull."), (("Two", "More"), "The auk.")]


def notebook(*cells: dict) -> str:
    return json.dumps({"nbformat": 4, "metadata": {"kernelspec": {"language": "python"}}, "cells": cells})


def test_notebooks():
    pytest.importorskip("markdown_it", reason="reading Markdown: pip install markdown-it-py")
    stream = {"output_type": "stream", "text": ["7\n", "9\n"]}
    picture = {"output_type": "display_data", "data": {"image/png": "iVBO", "text/plain": ["<Figure>"]}}
    wrong = {"output_type": "error", "ename": "ValueError", "evalue": "no boat", "traceback": ["..."]}
    document = read(
        notebook(
            {"cell_type": "markdown", "source": ["# Boats\n", "\n", "How long they are."]},
            {"cell_type": "code", "source": "print(7)\nprint(9)", "outputs": [stream, picture, wrong]},
            {"cell_type": "markdown", "source": "## End\n\nThat is all."},
        ),
        MEDIA["notebooks"],
    )
    assert document.title == "Boats" and document.meta == {"language": "python"}
    assert sections(document) == [
        (
            (),
            "How long they are.\n\n```python\nprint(7)\nprint(9)\n```\n\n```\n7\n9\n```\n\n```\n<Figure>\n```\n\n```\nValueError: no boat\n```",
        ),
        (("End",), "That is all."),
    ]
    for broken in ("{}", "[]", '{"cells": 3}', '{"cells": [3]}', "no json"):
        with pytest.raises(BadInput, match=r"no Jupyter notebook|no text"):
            read(broken, MEDIA["notebooks"])


def message(subject: str, text: str, html: str = "", charset: str = "utf-8") -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "Ida Holst <ida@osterby.example>", "harbour@brunmoor.example"
    mail["Date"] = "Mon, 04 May 2026 09:30:00 +0200"
    if text:
        mail.set_content(text, charset=charset)
    if html:
        mail.add_alternative(html, subtype="html") if text else mail.set_content(html, subtype="html")
    return mail


def test_mail():
    mail = message(
        "Mooring für die Möwe", "Can I moor tonight?\n\n> It costs 30 crowns.\n", "<p>other</p>", "iso-8859-1"
    )
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="boat.pdf")
    document = read(mail.as_bytes(), MEDIA["e-mail"])
    assert document.title == "Mooring für die Möwe" and document.notes == ("not read, attached: boat.pdf",)
    assert document.meta == {
        "from": "Ida Holst <ida@osterby.example>",
        "to": "harbour@brunmoor.example",
        "date": "2026-05-04",
    }
    assert document.text == "Can I moor tonight?\n\n> It costs 30 crowns."


def test_mail_that_is_a_page():
    pytest.importorskip("bs4", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    document = read(message("Fees", "", "<h1>Fees</h1><ul><li>30 crowns</li></ul>").as_bytes(), MEDIA["e-mail"])
    assert document.text == "Fees\n\n- 30 crowns"


def test_boxes_of_mail():
    parts = [
        message("Fees", "It costs 30 crowns.\n\n>From here on free.\n"),
        message("Boats", "The tern is 7 m long.\n"),
    ]
    box = b"".join(b"From ida Mon May  4 09:30:00 2026\n" + part.as_bytes() + b"\n" for part in parts)
    who = "Ida Holst <ida@osterby.example>, 2026-05-04"
    assert sections(read(box, MEDIA["mail boxes"])) == [
        (("Fees",), f"{who}\n\nIt costs 30 crowns.\n\nFrom here on free."),
        (("Boats",), f"{who}\n\nThe tern is 7 m long."),
    ]


def test_what_is_no_mail():
    for media in (MEDIA["e-mail"], MEDIA["mail boxes"]):
        with pytest.raises(BadInput, match=r"no e-mail|no text"):
            read(b"\0\1 no message", media)
