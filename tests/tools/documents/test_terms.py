"""Words of every script: what a search counts, and how many there are."""

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.passages import Passage
from inloop.tools.documents import SEGMENTED, TERMS, check_terms, terms, terms_here, word_count
from inloop.tools.index import open_index

pytest.importorskip("Stemmer", reason="the extra rag is not installed: pip install 'inloop[rag]'")

TEXTS = {
    "Chinese": ("灯塔由工程师建成。灯塔高四十一米。", "灯塔有多高", "水"),
    "a single ideograph": ("水很冷。", "水", "灯"),
    "Japanese": ("この灯台は1874年に建てられた。", "灯台", "港"),
    "katakana": ("コーヒーを飲む。", "コーヒー", "ビール"),
    "Thai": ("ประภาคารบรุนมัวร์สร้างเสร็จในปี 1874", "ประภาคาร", "น้ำ"),
    "Lao": ("ປະພາຄານສູງ 41 ແມັດ", "ປະພາຄານ", "ທ່າເຮືອ"),
    "Khmer": ("ប៉មភ្លើងហ្វារមានកម្ពស់ ៤១ ម៉ែត្រ", "ប៉មភ្លើង", "កំពង់ផែ"),
    "Burmese": ("မီးပြတိုက်သည် ၄၁ မီတာမြင့်သည်", "မီးပြတိုက်", "ဆိပ်ကမ်း"),
    "Korean with a particle": ("등대는 1874년에 세워졌다.", "등대", "항구"),
    "Arabic with vowel signs": ("بُنِيَت المَنارة", "المنارة", "ميناء"),
    "Arabic, stretched": ("منـــارة عالية", "منارة", "ميناء"),
    "Arabic with the article": ("ارتفاع المنارة", "منارة", "ميناء"),
    "Arabic by another keyboard": ("إرتفاع", "ارتفاع", "ميناء"),
    "Hindi": ("प्रकाशस्तंभ ऊँचा है।", "प्रकाशस्तंभ", "बंदरगाह"),
    "Russian": ("Маяки построены в 1874 году.", "маяк", "порт"),
    "Greek": ("Οι φάροι", "φάρος", "λιμάνι"),
    "a soft hyphen": ("Hafen\u00admeister", "Hafenmeister", "Segel"),
    "a zero-width space": ("harbour\u200bmaster", "harbourmaster", "sail"),
    "full width": ("ＡＢＣ　１２", "abc", "def"),
    "English": ("The keepers were rowing", "keeper rows", "harbour"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_word_is_found_in_its_text_and_another_is_not(case):
    text, there, elsewhere = TEXTS[case]
    assert set(terms(text)) & set(terms(there)) and not set(terms(text)) & set(terms(elsewhere))


def test_terms_of_english():
    assert terms("The Keepers' 41 boats, and don't_stop") == ["keeper", "41", "boat", "don", "t_stop"]
    assert terms("und für B2 灯塔2号") == ["und", "für", "b2", "灯", "塔", "灯塔", "2", "号"]
    assert terms("x" * 100) == ["x" * 64]


COUNTS = {
    "": 0,
    "The harbour opens at 8.": 5,
    "灯塔高四十一米。": 4,
    "この灯台は高い。": 4,
    "ประภาคารบรุนมัวร์": 5,
    "등대는 1874년에 세워졌다.": 3,
    "प्रकाशस्तंभ ऊँचा है।": 3,
    "بُنِيَت المَنارة": 2,
    "灯塔 (lighthouse)": 2,
}


@pytest.mark.parametrize("text", COUNTS)
def test_words_are_counted_in_every_script(text):
    assert word_count(text) == COUNTS[text]


@settings(deadline=None)
@given(st.text(st.sampled_from("ab 1灯塔รุั.ーका등\u200d\u0301\u00ad") | st.characters(), max_size=60))
def test_any_text_has_terms_and_a_count(text):
    found = terms(text)
    assert all(term and not term.isspace() for term in found)
    if text.isascii():
        assert (word_count(text) > 0) == any(letter.isalnum() for letter in text)
    assert terms(f"{text} {text}")[: len(found)] == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("灯塔高四十一米", ["灯塔", "高"]),
        ("港は1952年に開かれました", ["港", "1952", "年"]),
        ("ประภาคารสูง The Lamps", ["ประภาคาร", "สูง", "lamp"]),
        ("등대의", ["등대", "대의"]),
    ],
)
def test_by_icu_words_are_those_of_its_dictionaries(text, words):
    pytest.importorskip("icu4py", reason="the extra segment is not installed: pip install 'inloop[segment]'")
    assert terms_here() == SEGMENTED and set(words) <= set(terms(text, SEGMENTED))
    assert not {"塔高", "ระ"} & set(terms(text, SEGMENTED))


async def test_an_index_stays_with_the_rules_that_it_was_made_with(tmp_path, monkeypatch):
    pytest.importorskip("icu4py", reason="the extra segment is not installed: pip install 'inloop[segment]'")
    pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    text = "灯塔高四十一米。"
    for name, rules in (("icu", SEGMENTED), ("pairs", TERMS)):
        monkeypatch.setattr("inloop.tools.index.base.terms_here", lambda rules=rules: rules)
        index = await open_index(f"lancedb:{tmp_path}/{name}")
        await index.upsert([Passage(id="1", document="d", text=text)])
        await index.close()
    monkeypatch.undo()
    for name, rules in (("icu", SEGMENTED), ("pairs", TERMS)):
        index = await open_index(f"lancedb:{tmp_path}/{name}", create=False)
        assert index.manifest.terms == rules
        found, of_a_pair = await index.search(["灯塔", "十一"], mode="bm25")
        assert [hit.passage.id for hit in found] == ["1"] and bool(of_a_pair) == (rules == TERMS)
        await index.close()
    monkeypatch.setattr(importlib.import_module("inloop.tools.documents.terms"), "terms_here", lambda: TERMS)
    with pytest.raises(PrerequisiteError, match=r"made with the words of ICU"):
        await open_index(f"lancedb:{tmp_path}/icu", create=False)


def test_other_rules_are_refused():
    check_terms(TERMS, "the index")
    with pytest.raises(BadInput, match="counted by other rules"):
        check_terms("terms 1", "the index")
