"""Bytes as text, whatever is said of their encoding."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rag_files import png, read, read_shared

from inloop.runtime.errors import BadInput
from inloop.tools.documents import Hints, known_encoding

GERMAN = "Der Bär läuft über die Straße und grüßt höflich die Jäger im Wald."
TEXTS = {
    "cp1252": [GERMAN, "The café serves crème brûlée for 6 €.", "Señor Núñez vive en la montaña.", "São José não é só pão.",
               "Blåbær og fløde på øen.", "“Curly quotes” – and a dash…", "Crème brûlée für Ängstliche in Malmö"],
    "cp1250": ["Příliš žluťoučký kůň úpěl ďábelské ódy.", "Zażółć gęślą jaźń.", "Árvíztűrő tükörfúrógép"],
    "cp1254": ["İğde ağacı, Şişli'de bir çınarın yanında gölge yapıyordu"],
    "cp1251": ["Маяк Брунмора был построен в 1874 году инженером Идой Хольст. Высота маяка сорок один метр. " * 3],
    "cp932": ["ブルンモアの灯台は千八百七十四年に技師によって建てられた。灯台の高さは四十一メートルである。" * 3],
    "gb18030": ["布伦莫尔灯塔由工程师建成。灯塔高四十一米。港口在去年疏浚，费用为一万二千克朗。" * 3],
}  # fmt: skip
CASES = [(encoding, text) for encoding, texts in TEXTS.items() for text in texts]


@pytest.mark.parametrize(("encoding", "text"), CASES)
def test_an_encoding_that_nobody_says_is_told_by_its_letters(encoding, text):
    document = read(text.encode(encoding), "text/plain")
    assert document.text == text and "not UTF-8: read as" in document.notes[0] and "--encoding" in document.notes[0]


@pytest.mark.parametrize(("encoding", "text"), CASES)
def test_what_a_person_says_is_followed(encoding, text):
    document = read(text.encode(encoding), "text/plain", hints=Hints(encoding=encoding))
    assert document.text == text and document.notes == ()


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_marks(mark):
    document = read(GERMAN.encode(mark), "text/plain", hints=Hints(encoding="cp1251"))
    assert document.text == GERMAN and document.notes == ()


def test_wide_text_without_a_mark():
    for encoding in ("utf-16-le", "utf-16-be"):
        document = read(GERMAN.encode(encoding), "text/plain")
        assert document.text == GERMAN and encoding.upper() in document.notes[0]


def page(charset: str, body: str) -> str:
    return f'<html><head><meta charset="{charset}"></head><body><p>{body}</p></body></html>'


def test_a_page_that_says_its_encoding():
    pytest.importorskip("bs4", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    for encoding, text in CASES:
        document = read(page(encoding, text).encode(encoding), "text/html")
        assert document.text == text.strip() and document.notes == ()
    old = '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>Маяк высокий'
    assert read(old.encode("koi8-r"), "text/html").text == "Маяк высокий"


def test_a_page_that_says_another_encoding_than_it_has():
    pytest.importorskip("bs4", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    document = read(page("utf-8", "Menü für 6 €").encode("cp1252"), "text/html")
    assert document.text == "Menü für 6 €" and "declared as utf-8, which it is not: read as cp1252" in document.notes[0]
    document = read(page("iso-8859-1", "Menü für 6 €").encode(), "text/html")
    assert document.text == "Menü für 6 €" and document.notes == ("declared as iso-8859-1, but it is UTF-8",)
    document = read(page("no-such-charset", "Menü").encode(), "text/html")
    assert document.text == "Menü"
    document = read_shared("html/declared_utf8_is_1252.html")
    assert "serves crème brûlée for 6 €" in document.text and document.title == "Café" and "utf-8" in document.notes[0]


def test_a_file_of_two_encodings():
    mixed = read("utf é line\n".encode() + "latin é line\n".encode("latin-1"), "text/plain")
    assert mixed.text == "utf é line\nlatin é line\n" and "the first is 2" in mixed.notes[0]


def test_a_person_who_errs_is_told():
    document = read(b"A caf\x81\x8d in 1902", "text/plain", hints=Hints(encoding="ascii"))
    assert "given as ascii, which it is not" in document.notes[0]


def test_binary_files_are_refused():
    for binary in (b"\x00\x01\x02" * 100, bytes(range(1, 32)) * 20 + b"\xff\xfe\xfd" * 300, png()):
        with pytest.raises(BadInput, match="binary file"):
            read(binary, "text/plain")
    with pytest.raises(BadInput, match="no text"):
        read(b"  \n", "text/plain")


def test_names_of_encodings():
    assert known_encoding("Windows-1252") == "cp1252" and known_encoding("latin1") == "cp1252"
    assert known_encoding("no-such") is None and known_encoding("hex") is None and known_encoding("\0") is None


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Cn", "Co"]), min_size=1).filter(
        lambda text: text.strip()
    )
)
def test_valid_utf8_is_read_as_it_is(text):
    assert read(text, "text/plain").text == text.replace("\u00a0", " ")
