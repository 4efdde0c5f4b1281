"""Word, PowerPoint and Excel files, and tables of rows as text."""

import datetime
import io

import pytest
from rag_files import read, sections

from inloop.runtime.errors import BadInput
from inloop.tools.documents import Chunker, Hints, media_of, parse
from inloop.tools.documents.readers.kinds import KINDS

MEDIA = {kind.words: kind.media for kind in KINDS}
LACKING = "the extra office is not installed: pip install 'inloop[office]'"


def saved(document) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def word():
    docx = pytest.importorskip("docx", reason=LACKING)
    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "Harbour rules", "Ida Holst"
    document.add_heading("Fees", level=1)
    document.add_paragraph("Thirty crowns a night.")
    document.add_paragraph("a rope", style="List Bullet")
    document.add_paragraph("long", style="List Bullet 2")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip([c for row in table.rows for c in row.cells], ["Boat", "Length", "Tern", "7 m"], strict=True):
        cell.text = text
    document.add_heading("Boats", level=2)
    document.add_paragraph("Not more than 12 m.")
    return document


def test_word():
    document = read(saved(word()), MEDIA["Word"])
    assert document.title == "Harbour rules" and document.meta["author"] == "Ida Holst"
    assert sections(document) == [
        (("Fees",), "Thirty crowns a night.\n\n- a rope\n  - long\n\nBoat | Length\nTern | 7 m"),
        (("Fees", "Boats"), "Not more than 12 m."),
    ]


def test_what_was_struck_out_of_a_word_file_is_not_read():
    from docx.oxml import parse_xml

    document = word()
    paragraph = document.add_paragraph("It is ")
    names = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    paragraph._p.append(parse_xml(f"<w:del {names}><w:r><w:delText>closed</w:delText></w:r></w:del>"))
    paragraph._p.append(parse_xml(f"<w:ins {names}><w:r><w:t>open</w:t></w:r></w:ins>"))
    text = read(saved(document), MEDIA["Word"]).text
    assert "It is open" in text and "closed" not in text


def test_slides_are_pages():
    pptx = pytest.importorskip("pptx", reason=LACKING)
    presentation = pptx.Presentation()
    for title, lines in (("Fees", ["Thirty crowns.", "Paid at night."]), ("Boats", ["Tern is 7 m long."])):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, "\n".join(lines)
    slide.notes_slide.notes_text_frame.text = "Ask Ida."
    table = slide.shapes.add_table(2, 2, 0, 9_000_000, 100, 100).table
    for place, text in enumerate(["Boat", "Length", "Auk", "5 m"]):
        table.cell(place // 2, place % 2).text = text
    document = read(saved(presentation), MEDIA["PowerPoint"])
    assert [(p.page, p.headings, p.text) for p in Chunker(least=0).passages(document)] == [
        (1, ("Fees",), "- Thirty crowns.\n- Paid at night."),
        (2, ("Boats",), "Tern is 7 m long.\n\nBoat | Length\nAuk | 5 m\n\nAsk Ida."),
    ]


def test_every_row_of_a_sheet_says_its_columns():
    openpyxl = pytest.importorskip("openpyxl", reason=LACKING)
    book = openpyxl.Workbook()
    book.active.title = "Boats"
    for row in (
        ["Boat", "Length", "Built"],
        ["Tern", 7.0, datetime.datetime(1902, 5, 1)],
        ["Gull", 9.25, None],
        [None] * 3,
    ):
        book.active.append(row)
    sheet = book.create_sheet("Fees")
    sheet.append(["Fees of the harbour"])
    sheet.append(["Night", "Price"])
    sheet.append(["first", 30])
    document = read(saved(book), MEDIA["Excel"])
    assert sections(document) == [
        (("Boats",), "Boat: Tern; Length: 7; Built: 1902-05-01\nBoat: Gull; Length: 9.25"),
        (("Fees",), "Fees of the harbour\n\nNight: first; Price: 30"),
    ]
    assert [section.page for section in document.sections if section.headings] == [1, 2]


@pytest.mark.parametrize("kind", ["Word", "PowerPoint", "Excel", "EPUB"])
def test_broken_and_locked_files(kind):
    pytest.importorskip("docx", reason=LACKING)
    for broken in (b"", b"no file", saved(word())[:300], b"PK\5\6" + bytes(18)):
        with pytest.raises(BadInput, match="'file' is damaged"):
            read(broken, MEDIA[kind])
    with pytest.raises(BadInput, match=r"locked with a password.*save it anew"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), MEDIA[kind])


TABLES = {
    "Boat,Length\nTern,7 m\n\"Gull, grey\",9 m\n": "Boat: Tern; Length: 7 m\nBoat: Gull, grey; Length: 9 m",
    "Boot;Länge\nTern;7,5\nAuk;5,0\n": "Boot: Tern; Länge: 7,5\nBoot: Auk; Länge: 5,0",
    "Boat\tLength\nTern\t7 m\n": "Boat: Tern; Length: 7 m",
    "1,2\n3,4\n": "1; 2\n3; 4",
    "Boat,Length\n": "Boat; Length",
    "one column\nand more\n": "one column\nand more",
    "Boat,Length\nTern,7 m,white\n": "Boat: Tern; Length: 7 m; white",
}  # fmt: skip


@pytest.mark.parametrize("source", TABLES)
def test_tables_of_rows(source):
    assert read(source, "text/csv").text == TABLES[source]


def test_rows_in_another_encoding(tmp_path):
    path = tmp_path / "boats.tsv"
    document = parse(
        "Boot\tLänge, m\nTërn\t7".encode("cp1252"),
        media_of(path),
        id="d",
        name=path.name,
        hints=Hints(encoding="cp1252"),
    )
    assert document.text == "Boot: Tërn; Länge, m: 7"
