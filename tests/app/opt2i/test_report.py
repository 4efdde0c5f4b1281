"""The report: one file, nothing from outside, readable and complete.

The pages are opened in a real browser where there is one.
"""

import re
from html.parser import HTMLParser

import chromium
import pytest
from drawn import make_outcome
from pages import looked_at

from inloop.app.opt2i.report import render
from inloop.runtime.records import BlobRef
from inloop.runtime.store import BlobStore, StoreLocation


class Elements(HTMLParser):
    """All tags with their attributes, and the text of the page."""

    VOID = ("meta", "link", "img", "br", "wbr")

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.text = ""
        self.open = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text += f" {data}"

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return BlobStore(tmp_path_factory.mktemp("store") / "blobs")


@pytest.fixture(scope="module")
def one(blobs):
    return make_outcome(blobs, iterations=3, candidates=3)


@pytest.fixture(scope="module")
def many(blobs):
    return make_outcome(blobs, prompts=24, iterations=3, candidates=3)


def words(page):
    return " ".join(Elements(page).text.split())


def test_shows_both_prompts_gain_interval_baselines_and_cost(one, blobs):
    said = words(render(one, blobs))
    mine = next(c for c in one.comparisons if c.way == "inloop")
    assert one.tasks[0].text in said and one.tasks[0].best_text in said
    assert f"+{mine.gain:.1f}" in said
    assert f"+{mine.ci[0]:.1f} to +{mine.ci[1]:.1f}" in said
    assert "blind paraphrases" in said and "more seeds of your prompt" in said
    assert "tokens in 18 200" in said  # input tokens
    assert "mini-writer" in said and "inloop resume opt2i-20260101-093000-ab12" in said


def test_is_well_formed_and_every_picture_has_words(one, blobs):
    page = Elements(render(one, blobs))
    assert page.open == []
    assert len(page.all("img")) >= 8 * 2 + 4 * 10
    assert all(image["alt"].strip() for image in page.all("img"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_nothing_comes_from_outside(one, blobs):
    page = render(one, blobs)
    addresses = re.findall(r"""(?:src|href|url|action|srcset)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert addresses and all(a.startswith(("data:", "#")) for a in addresses)
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_text_from_outside_cannot_become_markup(one, blobs):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>"
    first = one.tasks[0]
    trials = tuple(t.model_copy(update={"text": evil, "note": evil}) for t in first.trials)
    questions = tuple(q.model_copy(update={"question": evil, "tuple": evil}) for q in first.questions)
    task = first.model_copy(
        update={"text": evil, "trials": trials, "questions": questions, "warnings": (evil,), "stop": evil}
    )
    changed = one.model_copy(
        update={"tasks": (task,), "notes": (evil,), "config": {evil: evil}, "models": {evil: {evil: evil}}}
    )
    page = render(changed, blobs)
    assert "<script" not in page and "<img src=x" not in page
    assert evil in Elements(page).text


def test_same_result_same_bytes(one, blobs):
    assert render(one, blobs) == render(one, blobs)


def test_what_was_not_scored_is_not_zero(one, blobs):
    page = words(render(one, blobs))
    assert "2 of 4 images have no answer: CallFailed" in page
    assert "dCS not scored 0" in page


def test_without_a_gain_it_says_so(one, blobs):
    user = one.tasks[0].trials[0]
    task = one.tasks[0].model_copy(update={"best": user.id, "accepted": False, "heldout": {}})
    page = words(render(one.model_copy(update={"tasks": (task,), "comparisons": ()}), blobs))
    assert "no gain was measured on unseen seeds" in page
    assert "No candidate was better than your own prompt" in page
    assert "made no comparison with baselines" in page


def test_an_interval_that_reaches_zero_is_no_confirmed_gain(one, blobs):
    change = {"ci": (-1.0, 9.0), "verdict": "unclear"}
    rows = tuple(c.model_copy(update=change) if c.way == "inloop" else c for c in one.comparisons)
    assert "no confirmed gain on unseen seeds" in words(render(one.model_copy(update={"comparisons": rows}), blobs))


def test_a_task_that_was_not_accepted_warns(one, blobs):
    task = one.tasks[0].model_copy(update={"accepted": False})
    assert "do not confirm the gain" in words(render(one.model_copy(update={"tasks": (task,)}), blobs))


def test_missing_images_are_counted_and_no_error(one, blobs):
    gone = BlobRef(sha256="0" * 64, media_type="image/png", bytes=9)
    first = one.tasks[0]
    trial = first.trials[1]
    images = tuple(i.model_copy(update={"image": gone}) for i in trial.images)
    task = first.model_copy(update={"trials": (first.trials[0], trial.model_copy(update={"images": images}))})
    assert "1 pictures are missing" in words(render(one.model_copy(update={"tasks": (task,)}), blobs))


def test_a_small_limit_keeps_the_unseen_seeds_and_counts_the_rest(one, blobs):
    full, small = render(one, blobs), render(one, blobs, limit=12_000)
    assert len(small) < len(full) * 0.6
    assert "--all-images" in small and "--all-images" not in full
    alts = [i["alt"] for i in Elements(small).all("img")]
    assert any(a.startswith("your prompt") for a in alts)


def test_large_images_become_thumbnails(one, blobs):
    from PIL import Image

    noise = Image.effect_noise((768, 768), 80).convert("RGB")
    big = blobs.put_image(noise)
    assert big.bytes > 500_000
    held = one.tasks[0].heldout
    images = tuple(i.model_copy(update={"image": big}) for i in held["best"].images)
    task = one.tasks[0].model_copy(
        update={"heldout": {**held, "best": held["best"].model_copy(update={"images": images})}}
    )
    page = render(one.model_copy(update={"tasks": (task,)}), blobs)
    assert "data:image/webp" in page
    assert len(page) < 1_500_000


def test_many_prompts_share_one_page(many, blobs):
    page = render(many, blobs)
    said = words(page)
    assert all(task.text in said for task in many.tasks)
    assert "24 prompts: +" in said
    assert len(Elements(page).all("details")) >= 24


def test_a_run_without_any_score_still_has_a_report(one, blobs):
    first = one.tasks[0]
    bare = [t.model_copy(update={"objective": None, "scores": {}, "parts": {}, "images": ()}) for t in first.trials]
    task = first.model_copy(
        update={"trials": tuple(bare), "heldout": {}, "questions": (), "best": "", "accepted": False}
    )
    page = render(one.model_copy(update={"tasks": (task,), "calls": {}, "models": {}, "config": {}}), blobs)
    assert "not scored" in page and Elements(page).open == []


def test_the_headline_has_the_strongest_baseline_even_where_it_wins(one, blobs):
    def gains(own, paraphrases):
        rows = {"inloop": own, "blind paraphrases": paraphrases, "more seeds": 0.3}
        changed = [row.model_copy(update={"gain": rows[row.way], "ci": (1.0, 20.0)}) for row in one.comparisons]
        return one.model_copy(update={"comparisons": tuple(changed)})

    assert gains(11.6, 12.3).finding() == "One prompt: +11.6 points DSG on unseen seeds, blind paraphrases +12.3"
    assert gains(11.6, None).finding() == "One prompt: +11.6 points DSG on unseen seeds, more seeds of your prompt +0.3"
    assert f"<h1>{gains(11.6, 12.3).finding()}</h1>" in render(gains(11.6, 12.3), blobs)


def test_a_result_shows_itself(one, many, blobs):
    frame = many.to_pandas()
    assert len(frame) == 24 and list(frame["confirmed"]) == [True] * 24
    assert frame["DSG of the best"][0] == pytest.approx(100 * many.tasks[0].heldout["best"].scores["dsg"], abs=0.01)
    curve, dsg, dcs = one.plot().axes
    dots, line = curve.lines
    assert len(dots.get_xdata()) == sum(trial.objective is not None for trial in one.tasks[0].trials)
    assert sorted(line.get_ydata()) == list(line.get_ydata())
    assert next(label.get_text() for label in dsg.get_yticklabels()) == "inloop (best prompt)"
    assert [text.get_text() for text in dcs.texts] == ["not scored"]
    html = one.kept_in(StoreLocation.of(blobs.root.parent))._repr_html_()
    assert html.count("data:image") == 4 and "blind paraphrases" in html and len(html) < 200_000


@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
@pytest.mark.parametrize("name", ["one", "many"])
def test_in_a_browser(name, blobs, tmp_path, request):
    result = request.getfixturevalue(name)
    looked_at(render(result, blobs), tmp_path / "report.html", images=40)


def test_too_few_unseen_seeds_are_said_in_page_and_finding(one, blobs):
    few = {"ci": None, "n": 2, "verdict": "too few"}
    rows = tuple(c.model_copy(update=few) if c.way == "inloop" else c for c in one.comparisons)
    task = one.tasks[0].model_copy(update={"accepted": False, "verdict": "too few"})
    result = one.model_copy(update={"comparisons": rows, "tasks": (task,)})
    assert "too few unseen seeds to say whether there is a gain" in result.finding() and "2 of 6" in result.finding()
    said = words(render(result, blobs))
    assert "Too few unseen seeds were scored to say whether there is a gain" in said and "gain holds" not in said


def test_a_result_of_before_there_were_verdicts_has_them_from_its_intervals(one):
    old = one.model_dump(mode="json")
    for row in old["comparisons"]:
        del row["verdict"]
    old["comparisons"][0] |= {"n": 2}
    read = type(one).model_validate(old)
    assert [row.verdict for row in read.comparisons][:2] == ["too few", "unclear"]
