"""The report: one file, nothing from outside, readable and complete.

The pages are opened in a real browser where there is one.
"""

import re
from html.parser import HTMLParser

import chromium
import pytest
from drawn import make_outcome

from inloop.app.opt2i.format import best_text
from inloop.app.opt2i.report import render
from inloop.runtime.records import BlobRef
from inloop.runtime.store.blobs import BlobStore


class Elements(HTMLParser):
    """All tags with their attributes, and the text of the page."""

    VOID = ("meta", "link", "img", "br")

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
    return BlobStore(tmp_path_factory.mktemp("blobs"))


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
    assert one.tasks[0].text in said and best_text(one.tasks[0]) in said
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
    rows = tuple(c.model_copy(update={"ci": (-1.0, 9.0)}) if c.way == "inloop" else c for c in one.comparisons)
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
    assert "1 images are missing" in words(render(one.model_copy(update={"tasks": (task,)}), blobs))


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


@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
@pytest.mark.parametrize("name", ["one", "many"])
def test_in_a_browser(name, blobs, tmp_path, request):
    path = tmp_path / "report.html"
    path.write_text(render(request.getfixturevalue(name), blobs), encoding="utf-8")
    with chromium.Page() as page:
        for width, dark in ((390, False), (390, True), (1200, False)):
            page.open(path, width=width, height=900, dark=dark)
            page.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
            page.ask("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
            page.ask("Promise.all([...document.images].map(i => i.decode()))")
            assert page.errors == []
            assert page.ask("document.documentElement.scrollWidth") <= width
            assert page.ask("[...document.images].filter(i => !i.alt.trim() || !i.naturalWidth).length") == 0
            assert page.ask("document.images.length") > 40
        assert [r for r in page.requests if not r.startswith(("file:", "data:"))] == []


@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
def test_text_stands_out_in_light_and_dark(one, blobs, tmp_path):
    """WCAG AA: 4.5 between text and what it stands on, for every text on the page."""
    path = tmp_path / "report.html"
    path.write_text(render(one, blobs), encoding="utf-8")
    measure = """(() => {
      const rgb = s => (s.match(/[\\d.]+/g) || []).map(Number);
      const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
      const light = c => { const f = c.slice(0, 3).map(linear);
        return .2126 * f[0] + .7152 * f[1] + .0722 * f[2] };
      const bad = [];
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let n; n = walk.nextNode();) {
        const e = n.parentElement;
        if (!n.data.trim() || !e.getClientRects().length || e.closest('svg')) continue;
        let under = e, ground = null;
        for (; under && !ground; under = under.parentElement) {
          const c = rgb(getComputedStyle(under).backgroundColor);
          if (c.length === 3 || c[3] > .99) ground = c;
        }
        const a = light(rgb(getComputedStyle(e).color)), b = light(ground || [255, 255, 255]);
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < 4.5) bad.push(e.className + ': ' + n.data.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
      }
      return bad })()"""
    with chromium.Page() as page:
        for dark in (False, True):
            page.open(path, width=1200, height=900, dark=dark)
            page.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert page.ask(measure) == []
