"""PDF: words, columns, headings, cut words, forms, locks, and what is wrong with a page."""

import pytest
from rag_files import Words, locked_pdf, pdf, pdf_of, read, read_shared, sections

from inloop.runtime.errors import BadInput
from inloop.tools.documents import Chunker, Hints
from inloop.tools.documents.readers.page_layout import Letter, lines_of

pytest.importorskip("pypdfium2", reason="the extra rag is not installed: pip install 'inloop[rag]'")

LEFT = ["The harbour of Brunmoor", "was dredged in 1902.", "The cost was 12,000", "crowns, paid by the", "town alone."]
RIGHT = [
    "The mill of Osterby",
    "burned down in 1911.",
    "The owner, Carl Lund,",
    "rebuilt it in brick",
    "within two years.",
]


def column(lines: list[str], x: float, top: float = 700, size: float = 10) -> list[Words]:
    return [Words(x, top - 14 * place, line, size) for place, line in enumerate(lines)]


def read_pdf(*pages: list[Words], **given):
    return read(pdf_of(*pages, **given), "application/pdf")


def test_pages_and_their_numbers():
    document = read(pdf("First page (with) words.", "", "Third page.", title="Report"), "application/pdf")
    assert document.title == "Report"
    assert document.notes == ("no text on page 2: --ocr rapidocr recognises it",)
    found = Chunker().passages(document)
    assert [(p.page, p.text) for p in found] == [(1, "First page (with) words."), (3, "Third page.")]


def test_a_scan_says_what_would_help():
    with pytest.raises(
        BadInput, match=r"no text on its 2 pages: it is a scan.*--ocr rapidocr \(pip install 'inloop\[ocr\]'\)"
    ):
        read(pdf("", ""), "application/pdf")


def test_pages_that_were_recognised_are_text():
    data = pdf("Words.", "")
    document = read(data, "application/pdf", hints=Hints(recognised={2: "Seen words."}))
    assert "Seen words." in document.text and document.notes == ()


def test_damaged_files():
    for broken in (b"", b"no pdf", pdf("words")[:200], pdf("words").replace(b"/Pages 2 0 R", b"/Pages 9 0 R")):
        with pytest.raises(BadInput, match="'file' is damaged"):
            read(broken, "application/pdf")


def test_columns_are_read_one_after_the_other():
    mixed = [words for pair in zip(column(LEFT, 60), column(RIGHT, 320), strict=True) for words in pair]
    text = read_pdf(mixed).text
    assert text == "\n".join(LEFT) + "\n\n" + "\n".join(RIGHT)


def test_columns_below_a_line_across_the_page():
    across = [Words(60, 740, "News of two towns, their harbours, mills and owners, as they were told on the pier", 10)]
    below = [Words(60, 600, "Printed by the harbour office, which takes complaints on every working day at 8.", 10)]
    text = read_pdf([*across, *column(LEFT, 60), *column(RIGHT, 320), *below]).text
    assert text.index("pier") < text.index("town alone") < text.index("mill of Osterby") < text.index("complaints")


def test_three_columns():
    third = [
        "The school of Falk",
        "opened its doors in",
        "1923 with two rooms",
        "and forty pupils of",
        "both parishes.",
    ]
    rows = zip(column(LEFT, 40), column(RIGHT, 220), column(third, 400), strict=True)
    text = read_pdf([words for row in rows for words in row]).text
    assert text == "\n\n".join("\n".join(lines) for lines in (LEFT, RIGHT, third))


def test_a_table_is_read_row_by_row():
    cells = [
        ("Boat", "Length", "Owner"),
        ("Tern", "7 m", "Ida Holst"),
        ("Gull", "9 m", "Carl Lund"),
        ("Auk", "5 m", "Jon Falk"),
    ]
    page = [Words(60 + 150 * x, 700 - 14 * y, cell, 10) for y, row in enumerate(cells) for x, cell in enumerate(row)]
    assert read_pdf(page).text.split("\n") == [" | ".join(row) for row in cells]


def test_words_cut_at_line_ends_are_whole():
    lines = [
        "The municipal water adminis-",
        "tration replaced its pump-",
        "ing station, a well-",
        "known one, in 1956-",
        "1957.",
    ]
    text = read_pdf([*column(lines, 60), Words(60, 500, "It is well-known.", 10)]).text
    assert "administration" in text and "pumping" in text and "a well-known one" in text
    assert "1956-\n1957" in text
    assert "administration" in read_shared("hyphen.pdf").text


def test_larger_lines_are_headings():
    page = [Words(60, 740, "Harbour rules", 20), *column(LEFT, 60), Words(60, 600, "Fees", 14), *column(RIGHT, 60, 580)]
    document = read_pdf(page, [Words(60, 700, "The fee is due at the end of the month.", 10)])
    assert document.title == "Harbour rules"
    assert [headings for headings, _ in sections(document)] == [(), ("Fees",), ("Fees",)]
    assert [section.page for section in document.sections] == [1, 1, 2]


def test_running_heads_and_numbers_of_pages_are_no_text():
    pages = [
        [
            Words(60, 760, "Annual report"),
            *column([f"It tells of {word} boats.", *LEFT, f"{word.title()} came back."], 60),
            Words(300, 30, f"- {number} -"),
        ]
        for number, word in enumerate(("one", "two", "three", "four"), 1)
    ]
    text = read_pdf(*pages).text
    assert text.count("Annual report") == 1 and not any(f"- {number} -" in text for number in range(5))
    assert text.count("town alone.") == 4


def test_values_of_forms():
    document = read_pdf([Words(60, 700, "Name of the boat:")], field=("boat", "Seabird of Osterby"))
    assert document.text == "Name of the boat:\n\nboat: Seabird of Osterby"
    assert "boat: Seabird of Osterby" in read_shared("form.pdf").text


def test_locks():
    assert read(locked_pdf(""), "application/pdf").text == "The mill of Osterby burned down in 1911."
    with pytest.raises(BadInput, match="locked with a password: save it without one"):
        read(locked_pdf("secret"), "application/pdf")
    assert "41 metres tall" in read_shared("locked_owner_aes256.pdf").text


def test_text_that_looks_broken_is_noted():
    apart = " ".join("the lighthouse keeper")
    for words in (apart, "thelighthousekeeperofbrunmoorwentouttotheharbour"):
        notes = read_pdf([Words(60, 700 - 20 * place, words) for place in range(3)]).notes
        assert notes == ("the text of page 1 looks broken: --ocr rapidocr recognises it",)
    assert read_pdf(column(LEFT, 60)).notes == ()
    with pytest.raises(BadInput, match="no text on its 1 pages"):
        read_pdf([Words(60, 700, "\x80\x8d" * 20)])


def test_the_two_columns_and_the_composite_font_that_were_given():
    text = read_shared("two_columns.pdf").text
    assert "paid by the\ntown alone." in text and text.index("town alone") < text.index("The mill")
    document = read_shared("xelatex_page.pdf")
    assert ("7.4 What is a Debian control file?",) in [headings for headings, _ in sections(document)]
    assert "The VVV component is the version number specified by the upstream developer." in " ".join(
        document.text.split()
    )
    assert document.notes == ()


def test_letters_of_any_direction_make_lines():
    hebrew = [Letter(sign, 100 - 6 * place, 0, 106 - 6 * place, 10) for place, sign in enumerate("שלום")]
    assert [line.text for line in lines_of(hebrew)] == ["שלום"]
    upright = [Letter(sign, 0, -12 * place, 10, 10 - 12 * place) for place, sign in enumerate("縦書きの文章" * 5)]
    assert lines_of(upright) == [], "no lines: the order of the file is taken"
    assert lines_of([]) == []
