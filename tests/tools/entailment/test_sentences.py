"""Where sentences end, in the marks of many scripts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.tools.entailment import sentences

THAI = "ประภาคารบรุนมัวร์สร้างเสร็จในปี 1874 โดยวิศวกรไอดา โฮลสต์ มีความสูง 41 เมตร"

TEXTS = {
    "English": [
        "It was built in 1874 by Dr. Holst.",
        "It is 41 m high (see Fig. 3).",
        "He asked “why?”",
        "Then he left.",
        "Run `gate . --lock` or `gate . Lock` at night.",
    ],
    "Chinese": ["灯塔于1874年建成。", "灯塔高四十一米。", "有多高？"],
    "Japanese, with a quotation that goes on": ["「行く。」と言った。", "とても高い。", "「はい！」", "彼は笑った。"],
    "Arabic": ["متى بُنيت المنارة؟", "بُنيت سنة 1874.", "ارتفاعها 41 مترا."],
    "Urdu": ["یہ ایک مینار ہے۔", "یہ اونچا ہے۔"],
    "Hindi": ["प्रकाशस्तंभ ऊँचा है।", "वह 1874 में बना।", "क्या वह पुराना है?", "हाँ।"],
    "Korean": ["등대는 높다.", "항구는 넓다.", "언제 지었나?", "1874년이다."],
    "Burmese": ["မီးပြတိုက်မြင့်သည်။", "ဆိပ်ကမ်းကျယ်သည်။"],
    "Armenian": ["Փարոսը բարձր է։", "Նավահանգիստը մեծ է։"],
    "Amharic": ["ማማው ረጅም ነው።", "ወደቡ ሰፊ ነው።"],
    "Czech": ["Maják je vysoký.", "Žádný jiný není."],
    "Hebrew": ["המגדלור גבוה.", "הנמל רחב."],
}


@pytest.mark.parametrize("language", TEXTS)
def test_sentences_end_at_the_marks_of_the_script(language):
    assert [span.text for span in sentences(" ".join(TEXTS[language]))] == TEXTS[language]


@pytest.mark.parametrize("language", ["Chinese", "Burmese", "Japanese, with a quotation that goes on"])
def test_some_marks_need_no_blank(language):
    assert [span.text for span in sentences("".join(TEXTS[language]))] == TEXTS[language]


def test_thai_ends_at_lines_and_a_long_line_at_blanks():
    assert [span.text for span in sentences(f"{THAI}\n{THAI}")] == [THAI, THAI]
    pieces = [span.text for span in sentences(" ".join([THAI] * 4))]
    assert len(pieces) > 1 and all(60 <= len(piece) <= 200 for piece in pieces)
    assert " ".join(pieces) == " ".join([THAI] * 4)


def test_initials_belong_to_the_name_behind_them():
    text = "It is a system by D.J. Bernstein. He lives in the U.S. It is old."
    assert [span.text for span in sentences(text)] == [
        "It is a system by D.J. Bernstein.",
        "He lives in the U.S.",
        "It is old.",
    ]


def test_other_lines_go_on():
    assert len(sentences("灯塔高\n四十一米。")) == 1 and len(sentences("It is\nhigh.")) == 1
    assert [span.text for span in sentences("Bring:\n- a rope\n- a lamp\n\nThen wait.")] == [
        "Bring:", "- a rope", "- a lamp", "Then wait.",
    ]  # fmt: skip


@settings(deadline=None)
@given(st.text(st.sampled_from("aA .!?。」”\nกข ।؟1") | st.characters(), max_size=300))
def test_sentences_are_the_text_in_order_and_lose_no_letter(text):
    spans, end = sentences(text), 0
    for span in spans:
        assert span.text == text[span.start : span.end] == span.text.strip() != "" and span.start >= end
        assert not text[end : span.start].strip()
        end = span.end
    assert not text[end:].strip()
