"""`inloop vqa` and `inloop vqa-eval` as a person uses them: files on the disk, a server on loopback, exit codes, reports, kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from servers import completion, serving

from inloop.app.cli.main import main
from inloop.mini.world import draw, scenes
from inloop.runtime.store.open import Store

ANIMALS = {"cow": "calf", "sheep": "lamb", "dog": "puppy", "cat": "kitten", "horse": "foal", "goose": "gosling"}
PAUSE = 0.0


def knowing(handler, body):
    """Says what a passage in the context says of an animal that the caption names; else it guesses from the examples."""
    text = body["messages"][-1]["content"]
    time.sleep(PAUSE)
    if "Proposed answer" in text:
        return handler.json(completion(["Yes" if "calf" in text.partition("Question:")[0] else "No"], output_tokens=1))
    query = text.rpartition("Context: ")[2]
    said = next(
        (young for animal, young in ANIMALS.items() if f"a {animal} in" in query and f"is {young}" in query), None
    )
    if said is None:
        if "its is calf" in query:
            said = "calf"
        said = said or next(
            (line[3:] for line in reversed(text.splitlines()) if line.startswith("A: ")), "something else"
        )
    handler.json(completion([said], output_tokens=2, logprobs=bool(body.get("logprobs"))))


@pytest.fixture
def server(tmp_path, monkeypatch):
    for name in [*os.environ]:
        if name.startswith("INLOOP_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("INLOOP_DEVICE", "cpu")
    with serving() as endpoint:
        endpoint.behaviours = [knowing]
        monkeypatch.setenv("INLOOP_LLM", f"{endpoint.url}#m")
        yield endpoint


@pytest.fixture
def files(tmp_path, bert_folder):
    """12 questions about 6 animals (of which half have a caption that names it), and what has to be known."""
    questions, annotations, captions, oracle = [], [], [], []
    for number in range(12):
        animal, young = list(ANIMALS.items())[number % 6]
        key, image = 100 + number, 10 + number
        questions.append({"question_id": key, "image_id": image, "question": f"what is the young {number}?"})
        answers = [{"answer_id": n, "answer": young} for n in range(10)]
        annotations.append({"question_id": key, "image_id": image, "question_type": "eight", "answers": answers})
        captions.append(
            {"question_id": key, "caption": f"a {animal} in a field" if number % 2 else "something in a field"}
        )
        oracle.append({"question_id": key, "caption": f"a {animal} in a field", "passage": f"k-{animal}"})
    corpus = [
        {"_id": f"k-{a}", "title": "", "text": f"The young of a {a} is {y}."}
        for a, y in ANIMALS.items()
        if a != "goose"
    ]
    corpus.append({"_id": "k-goose", "title": "", "text": "Geese are birds."})
    (tmp_path / "q.json").write_text(json.dumps({"data_subtype": "val2014", "questions": questions}), encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps({"annotations": annotations}), encoding="utf-8")
    (tmp_path / "c.json").write_text(json.dumps(captions), encoding="utf-8")
    (tmp_path / "o.jsonl").write_text("\n".join(map(json.dumps, oracle)), encoding="utf-8")
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)), encoding="utf-8")
    return ("--questions", "q.json", "--annotations", "a.json", "--captions", "c.json", "--embedder", str(bert_folder))


def text_of(path):
    return Path(path).read_text(encoding="utf-8")


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_an_answer_from_a_caption(server, tmp_path, capsys):
    asked = [
        "vqa",
        "-",
        "what is its <young> called?",
        "--caption",
        "a cow & its is calf",
        "--tags",
        "grass",
        "--ocr",
        "MOO",
    ]
    assert main(asked) == 0
    prompts = [body["messages"][-1]["content"] for body in server.seen if "messages" in body]
    assert any("Context: a cow & its is calf. grass. Text in the picture: MOO.\n" in prompt for prompt in prompts)
    shown = capsys.readouterr()
    assert "calf   (borne out)" in shown.out and "a cow & its is calf" in shown.out and "caption" in shown.err
    [page] = tmp_path.glob("runs/promptcap-*/report.html")
    text = page.read_text(encoding="utf-8")
    assert "what is its &lt;young&gt; called?" in text and "a cow &amp; its is calf" in text
    asked_before = len(server.seen)
    assert main(["resume", "--json"]) == 0
    assert told(capsys)["answers"][0]["answer"] == "calf" and len(server.seen) == asked_before
    text = page.read_text(encoding="utf-8")
    page.unlink()
    assert main(["report"]) == 0 and page.read_text(encoding="utf-8") == text


def test_several_questions_with_choices_and_a_picture(server, tmp_path, capsys):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "p.png")
    from inloop.runtime.errors import InloopError
    from inloop.runtime.models.cache import bundled

    try:
        bundled("promptcap")
    except InloopError as error:
        pytest.skip(f"the bundled captioner is not trained yet: {error}")
    server.behaviours = [lambda handler, body: handler.json(completion(["It is the blue one."], output_tokens=5))]
    assert main(["vqa", "p.png", "what is this?", "what colour is it?", "--choices", "red, blue", "--json"]) == 0
    found = told(capsys)
    assert [answer["answer"] for answer in found["answers"]] == ["blue", "blue"]
    assert found["answers"][0]["image"]["media_type"] == "image/png"
    [note] = [note for note in found["notes"] if "drawn world" in note]
    assert "mini-promptcap and mini-vqa know nothing but the drawn world" in note and "--captioner and --vqa" in note
    draw(next(iter(scenes(1)))).save(tmp_path / "drawn.png")
    assert main(["vqa", "drawn.png", "what is this?", "--json"]) == 0
    assert not any("drawn world" in note for note in told(capsys)["notes"])


@pytest.mark.parametrize(
    ("choices", "answer"), [("two, three", "two"), ("2, 1", "2"), ("7, 5, 3", ""), ("one, none", "")]
)
def test_a_number_is_a_choice_before_it_is_a_place(server, capsys, choices, answer):
    server.behaviours = [lambda handler, body: handler.json(completion(["2"], output_tokens=1))]
    asked = ["vqa", "-", "how many bikes?", "--caption", "bikes", "--choices", choices]
    assert main([*asked, "--json"]) == 0
    task = told(capsys)["answers"][0]
    assert (
        task["answer"] == answer and task["told"] is bool(answer) and task["reason"] == ("" if answer else "no_choice")
    )
    assert main(asked) == 0
    shown = answer or "No answer: what was answered is none of the choices ('2')."
    assert f"\n  {shown}" in capsys.readouterr().out


def test_the_words_of_the_question_bear_nothing_out(server, capsys):
    server.behaviours = [lambda handler, body: handler.json(completion(["orange circle"], output_tokens=2))]
    asked = ["vqa", "-", "can you name the thing above the orange circle?", "--caption", "a cat above an orange circle"]
    assert main([*asked, "--judge", "words"]) == 0
    assert "orange circle   (nothing that is known bears it out)" in capsys.readouterr().out
    assert main([*asked, "--strict", "--json"]) == 0
    assert told(capsys)["answers"][0]["reason"] == "unsupported"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vqa", "nothing.png", "what?"], "there is no picture 'nothing.png'"),
        (["vqa", "text.png", "what?"], "no picture that Pillow can read"),
        (["vqa", "-", "what?"], "there is no picture to 'what?'"),
        (["vqa", "-", " ?", "--caption", "x"], "has no word in it"),
        (["vqa", "-", "why " * 501, "--caption", "x"], "2004 characters"),
        (["vqa", "-", "what?", "--caption", " "], "--caption is empty"),
        (["vqa", "p.png", "what?", "--caption", "x", "--captions-are", "both"], "so --captions-are means nothing"),
        (["vqa", "p.png", "what?", "--caption", "x", "--captioner", "mini-promptcap"], "so --captioner means nothing"),
        (["vqa", "-", "what?", "--caption", "x", "--ocr", "rapidocr"], "'rapidocr' looks at pictures"),
        (["vqa", "-", "what?", "--caption", "x", "--tags", "hustvl/yolos-tiny"], "'hustvl/yolos-tiny' looks at pictures"),
        (["vqa", "p.png", "what?", "--caption", "x", "--tags", "ssd?wish=1"], "takes threshold"),
        (["vqa-eval", "okvqa", "--questions", "q.json", "--annotations", "a.json", "--captions", "c.json", "--ocr",
          "rapidocr"], "give --images DIR"),
        (["vqa-eval", "okvqa", "--questions", "q.json", "--annotations", "a.json", "--captions", "c.json", "--tags",
          "given"], "none of the 12 questions has 'tags'"),
        (["vqa", "-", "what?", "--caption", "x", "--choices", "one"], "give at least two"),
        (["vqa", "-", "what?", "--caption", "x", "--shots", "33"], "--shots 33 cannot be used"),
        (["vqa", "-", "what?", "--caption", "x", "--shots", "2"], "no worked examples"),
        (["vqa", "-", "what?", "--caption", "x", "--index", "memory:nothing"], "there is no index"),
        (["vqa-eval", "okvqa", "--questions", "q.json", "--annotations", "a.json"], "neither pictures nor captions"),
        (["vqa-eval", "okvqa", "--questions", "q.json", "--annotations", "a.json", "--images", "."], "12 pictures of 12"),
        (["vqa-eval", "okvqa", "--questions", "q.json", "--annotations", "c.json"], "no answers"),
        (["vqa-eval", "okvqa", "--questions", "q.json"], "give --annotations"),
        (["vqa-eval", "aokvqa", "--questions", "q.json", "--annotations", "a.json", "--captions", "c.json",
          "--multiple-choice"], "have no choices"),
        (["vqa-eval", "okvqa", "--questions", "q.json", "--annotations", "a.json", "--captions", "c.json", "--baselines",
          "direct"], "'direct' needs pictures"),
        (["vqa-eval", "okvqa", "--questions", "q.json", "--annotations", "a.json", "--captions", "c.json", "--shots", "1"],
         "give --examples"),
        (["vqa-eval", "okvqa", "--questions", "q.json", "--annotations", "a.json", "--captions", "c.json", "--budget", "x"],
         "name=limit"),
    ],
)  # fmt: skip
def test_bad_input_is_said_before_anything_is_asked(server, files, tmp_path, capsys, arguments, message):
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not [body for body in server.seen if "messages" in body]
    assert not list(tmp_path.glob("runs/*-*/config.json")), "a refused command leaves no run behind"


EVAL = ("vqa-eval", "okvqa", "--index", "corpus.jsonl", "--passages", "6")


def test_the_ladder_with_every_rule_and_the_causes(server, files, tmp_path, capsys):
    assert main([*EVAL, *files, "--oracle", "o.jsonl", "--json"]) == 0
    report = told(capsys)
    by_way = {each["way"]["name"]: each for each in report["ways"]}
    assert list(by_way) == ["blind", "caption", "ours", "oracle caption"]
    scores = {name: each["rules"]["official_leave_one_out"]["value"] for name, each in by_way.items()}
    # with all passages shown: right where the caption names the animal, but for the goose, of which no passage says it
    assert scores == {
        "blind": 0.0,
        "caption": 0.0,
        "ours": pytest.approx(4 / 12),
        "oracle caption": pytest.approx(10 / 12),
    }
    assert len(by_way["ours"]["rules"]) == 6 and by_way["ours"]["rules"]["official_leave_one_out"]["ci"]
    assert report["causes"] == {"right": 4, "caption": 6, "reasoning": 2}
    assert by_way["ours"]["slices"]["plants and animals"]["n"] == 12
    pairs = {(pair["before"], pair["after"]): pair["comparison"] for pair in report["pairs"]}
    assert pairs["caption", "ours"]["better"] == 4 and pairs["oracle caption", "ours"]["worse"] == 6
    rows = [json.loads(line) for line in text_of(f"{report['path']}/items.jsonl").splitlines()]
    assert len(rows) == 12 and {row["cause"] for row in rows} == set(report["causes"])
    page = text_of(report["report"])
    assert "the caption lacked it" in page and "squad norm" in page
    assert main(["resume"]) == 0
    shown = capsys.readouterr().out
    assert "why (ours): right 4, caption 6, reasoning 2" in shown and "in pairs" in shown
    assert main(["report"]) == 0 and text_of(report["report"]) != ""


def test_an_oracle_of_another_index_is_refused_before_anything_is_asked(server, files, tmp_path, capsys):
    wrong = text_of("o.jsonl").replace("k-cow", "k-yak")
    (tmp_path / "o.jsonl").write_text(wrong, encoding="utf-8")
    assert main([*EVAL, *files, "--oracle", "o.jsonl"]) == 2
    assert "1 of the 6 passages" in capsys.readouterr().err and not [b for b in server.seen if "messages" in b]
    assert main([*EVAL, *files, "--oracle", "o.jsonl", "--no-causes", "--baselines", "none", "--json"]) == 0


def test_a_budget_that_ends_among_the_causes_is_told(server, files, capsys):
    assert main([*EVAL, *files, "--oracle", "o.jsonl", "--baselines", "none", "--budget", "calls=60", "--json"]) == 0
    whole = told(capsys)
    calls = whole["cost"]["calls"]
    asked = [
        *EVAL,
        *files,
        "--oracle",
        "o.jsonl",
        "--baselines",
        "none",
        "--in-flight",
        "1",
        "--out",
        "other",
        "--json",
    ]
    assert main([*asked, "--budget", f"calls={calls - 3}"]) == 4
    report = told(capsys)
    assert report["stopped"] and "budget ended" in report["unexplained"] and report["causes"]["unknown"]


def test_examples_without_captions_are_told(server, files, tmp_path, capsys):
    rows = [{"question_id": n, "question": f"what is {n}?", "answers": ["ox"]} for n in range(3)]
    (tmp_path / "e.json").write_text(json.dumps(rows), encoding="utf-8")
    how = ["--examples", "e.json", "--shots", "1", "--selection", "random", "--baselines", "none", "--limit", "2"]
    assert main(["vqa-eval", "okvqa", *files, *how, "--json"]) == 0
    assert any("3 of 3 worked examples have no caption" in note for note in told(capsys)["notes"])


def test_a_run_goes_on_from_another_folder(server, files, tmp_path, capsys, monkeypatch):
    (tmp_path / "e.json").write_text(
        json.dumps([{"question_id": 1, "question": "what is it?", "answers": ["ox"], "caption": "an ox"}]),
        encoding="utf-8",
    )
    how = ["--examples", "e.json", "--shots", "1", "--selection", "random", "--index", "corpus.jsonl", *files[-2:]]
    assert main(["vqa", "-", "what is it?", "--caption", "a cow in a field", *how, "--json"]) == 0
    path = told(capsys)["path"]
    assert main(["runs"]) == 0 and "what is it?" in capsys.readouterr().out
    (tmp_path / "elsewhere").mkdir()
    path = Path(path).resolve()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["resume", str(path)]) == 0


def test_examples_votes_and_one_at_a_time_are_the_same(server, files, tmp_path, capsys):
    asked = [*EVAL, *files, "--limit", "6", "--shots", "2", "--votes", "2", "--json"]
    assert main([*asked, "--out", "one", "--in-flight", "1"]) == 0
    one = told(capsys)
    assert main([*asked, "--out", "many"]) == 0
    many = told(capsys)
    strip = ("run_id", "created", "seconds", "cost", "config", "path", "result", "resume", "report", "calls")
    assert {k: v for k, v in one.items() if k not in strip} == {k: v for k, v in many.items() if k not in strip}
    assert [each["way"]["name"] for each in many["ways"]] == [
        "blind", "blind with examples", "caption", "random examples", "similar examples", "knowledge", "ours",
        "ours, no knowledge",
    ]  # fmt: skip
    assert many["questions"] == 6 and any("other 6 questions" in note for note in many["notes"])


def test_a_budget_ends_it_with_a_result(server, files, capsys):
    assert main([*EVAL, *files, "--budget", "calls=40", "--in-flight", "1", "--json"]) == 4
    report = told(capsys)
    assert "budget" in report["stopped"]
    unscored = {each["way"]["name"]: each["rules"]["official_leave_one_out"]["unscored"] for each in report["ways"]}
    assert unscored["ours"] > 0, "what was not answered is not scored, and no 0"


@pytest.mark.slow
def test_killed_and_resumed_nothing_is_paid_twice(server, files, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PAUSE", 0.05)
    command = [
        sys.executable,
        "-m",
        "inloop.app.cli.main",
        *EVAL,
        *files,
        "--shots",
        "1",
        "--limit",
        "8",
        "--votes",
        "2",
        "--json",
    ]

    def go(arguments):
        return subprocess.run(arguments, capture_output=True, text=True, timeout=300, cwd=tmp_path)

    unbroken = go([*command, "--out", "unbroken"])
    assert unbroken.returncode == 0, unbroken.stderr[-2000:]
    expected = json.loads(unbroken.stdout)
    asked = len([body for body in server.seen if "messages" in body])
    server.seen.clear()
    killed = [3, asked // 3, asked // 2]
    again = [*command, "--out", "killed"]
    for at in killed:
        process = subprocess.Popen(again, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
        deadline = time.monotonic() + 120
        while len(server.seen) < at and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.poll() is None, "it ended before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        [folder] = (tmp_path / "killed").glob("vqa_eval-*")
        again = [sys.executable, "-m", "inloop.app.cli.main", "resume", str(folder), "--json"]
    done = go(again)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["ways"] == expected["ways"] and found["pairs"] == expected["pairs"]
    with Store(tmp_path / "killed" / ".store", run_id=folder.name) as store:
        assert store.ledger.paid_twice() == []
        paid = store.ledger.run_counts()["llm"]["paid"]
    assert paid == expected["calls"]["llm"]["paid"], "each call was paid once, over all processes"


def test_pictures_every_way_with_models_of_the_real_classes(server, files, tmp_path, blip_folder, clip_folder, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (32, 32), (20 * number, 255 - 20 * number, 90)).save(
            folder / f"COCO_val2014_{10 + number:012d}.jpg"
        )
    models = ("--captioner", str(blip_folder), "--vqa", str(blip_folder), "--clip", str(clip_folder))
    asked = [*EVAL, *files, *models, "--images", "images", "--oracle", "o.jsonl", "--limit", "4"]
    asked += ["--shots", "2", "--selection", "image+question", "--votes", "2", "--json"]
    assert main(asked) == 0
    report = told(capsys)
    assert [each["way"]["name"] for each in report["ways"]] == [
        "blind", "blind with examples", "generic caption", "caption", "random examples", "similar examples", "knowledge", "ours",
        "ours, generic caption", "ours, no knowledge", "oracle caption", "direct",
    ]  # fmt: skip
    assert all(each["rules"][report["headline"]]["n"] == 4 for each in report["ways"])
    before = len(server.seen)
    assert main(["resume", "--json"]) == 0
    again = told(capsys)
    assert again["ways"] == report["ways"] and len(server.seen) == before, "nothing was asked again"


def test_one_question_that_a_model_refuses_fails_alone(server, files, tmp_path, blip_folder, capsys):
    questions = json.loads((tmp_path / "q.json").read_text(encoding="utf-8"))
    questions["questions"][0]["question"] = "what is the name of the young of this animal in the picture?"
    (tmp_path / "q.json").write_text(json.dumps(questions), encoding="utf-8")
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (32, 32), (20 * number, 0, 90)).save(folder / f"{10 + number}.png")
    asked = [*EVAL, *files, "--captioner", str(blip_folder), "--vqa", str(blip_folder), "--images", "images"]
    assert main([*asked, "--baselines", "none", "--json"]) == 0
    report = told(capsys)
    [ours] = report["ways"]
    assert ours["rules"][report["headline"]]["unscored"] == 1 and ours["rules"][report["headline"]]["n"] == 11
    assert any("1 questions failed" in note and "64" in note for note in report["notes"])
    questions["questions"] = questions["questions"][:1]
    (tmp_path / "q.json").write_text(json.dumps(questions), encoding="utf-8")
    assert main([*asked, "--baselines", "none"]) == 2, "where all fail it is an error"


def prompts_of(server):
    """The questions that it was asked; not what its abilities were tried with."""
    asked = [body["messages"][-1]["content"] for body in server.seen if "messages" in body]
    return [prompt for prompt in asked if isinstance(prompt, str) and "Q: " in prompt]


def test_a_caption_beside_a_picture_is_told_instead_of_the_captioners(server, tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    asked = [
        "vqa",
        "p.png",
        "what is its young?",
        "--caption",
        "a cow",
        "--tags",
        "text:ssd",
        "--ocr",
        "text: rapidocr",
    ]
    assert main([*asked, "--no-check", "--json"]) == 0
    assert any("Context: a cow. ssd. Text in the picture: rapidocr.\n" in prompt for prompt in prompts_of(server))
    found = told(capsys)
    assert set(found["models"]) == {"llm"} and found["answers"][0]["image"]["media_type"] == "image/png"


@pytest.fixture
def signs(tmp_path):
    """Two pictures of words, named as COCO names them."""
    for package in ("rapidocr", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install 'inloop[ocr]'")
    folder = tmp_path / "images"
    folder.mkdir()
    for number, words in enumerate(("MOO FARM", "BAA INN", "OINK BAR")):
        picture = Image.new("RGB", (240, 120), "white")
        ImageDraw.Draw(picture).text((20, 40), words, fill="black", font=ImageFont.load_default(32))
        picture.save(folder / f"COCO_val2014_{10 + number:012d}.png")
    return folder


def test_text_that_a_model_reads_is_told_shown_and_paid_once(server, signs, tmp_path, capsys):
    picture = str(signs / "COCO_val2014_000000000010.png")
    asked = ["vqa", picture, "what does the sign say?", "whose farm is it?", "--caption", "a sign", "--ocr", "rapidocr"]
    assert main([*asked, "--no-check"]) == 0
    shown = capsys.readouterr()
    assert "text     MOO FARM  (rapidocr)" in shown.out and "1 ocr" in shown.out
    assert sum("Context: a sign. Text in the picture: MOO FARM.\n" in prompt for prompt in prompts_of(server)) == 2
    [page] = tmp_path.glob("runs/promptcap-*/report.html")
    assert "MOO FARM" in page.read_text(encoding="utf-8") and "rapidocr" in page.read_text(encoding="utf-8")
    assert main(["resume", "--json"]) == 0
    found = told(capsys)
    assert found["models"]["ocr"]["id"] == "rapidocr" and len(prompts_of(server)) == 2
    steps = [(d["step"], d["by"], d["said"]) for d in found["answers"][0]["decisions"]]
    assert steps[1] == ("text", "rapidocr", "MOO FARM")


def test_an_evaluation_with_tags_of_the_files_and_text_that_is_read(
    server, signs, files, tmp_path, blip_folder, capsys
):
    questions = json.loads((tmp_path / "q.json").read_text(encoding="utf-8"))
    questions["questions"] = questions["questions"][:3]
    (tmp_path / "q.json").write_text(json.dumps(questions), encoding="utf-8")
    captions = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    kept = [{**row, "tags": ["grass"], "ocr_tokens": ["not", "asked"]} for row in captions]
    (tmp_path / "c.json").write_text(json.dumps(kept), encoding="utf-8")
    asked = ["vqa-eval", "okvqa", *files, "--images", "images", "--tags", "given", "--limit", "2", "--no-causes"]
    asked += ["--captions-are", "generic", "--baselines", "blind with examples,tags and text", "--shots", "1"]
    with_model = [*asked, "--ocr", "rapidocr", "--captioner", str(blip_folder), "--vqa", "mini", "--json"]
    assert main(with_model) == 0
    report = told(capsys)
    assert [each["way"]["name"] for each in report["ways"]] == ["blind with examples", "tags and text", "ours"]
    assert report["calls"]["ocr"]["paid"] == 3, "the picture of the example is read too"
    assert "Text of the pictures: what rapidocr found, not what the files say." in report["notes"]
    rows = [json.loads(line) for line in text_of(f"{report['path']}/items.jsonl").splitlines()]
    assert {row["tags"] for row in rows} == {"grass"} and {row["text"] for row in rows} < {
        "MOO FARM",
        "BAA INN",
        "OINK BAR",
    }
    ours = [prompt for prompt in prompts_of(server) if prompt.count("grass. Text in the picture: ") == 2]
    assert len(ours) == 2, "the example has its tags and its text as the question has"


def test_a_pool_without_captions_is_captioned_within_the_budget(
    server, files, tmp_path, blip_folder, clip_folder, capsys
):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (32, 32), (20 * number, 0, 90)).save(folder / f"{10 + number}.png")
    (tmp_path / "q.json").write_text(
        json.dumps(
            {"questions": [{"question_id": 100 + n, "image_id": 10 + n, "question": "what?"} for n in range(12)]}
        ),
        encoding="utf-8",
    )
    asked = ["vqa-eval", "okvqa", *files[:4], *files[6:], "--images", "images", "--captioner", str(blip_folder)]
    asked += [
        "--limit",
        "6",
        "--shots",
        "2",
        "--selection",
        "random",
        "--baselines",
        "none",
        "--in-flight",
        "1",
        "--json",
    ]
    assert main([*asked, "--budget", "calls=4"]) == 4
    report = told(capsys)
    assert report["stopped"] and report["ways"][0]["rules"][report["headline"]]["unscored"] == 5
    assert report["calls"]["caption"]["paid"] == 3, "of one question and its two examples"


def test_a_budget_that_ends_among_the_examples_ends_with_a_result(server, files, capsys):
    asked = ["vqa-eval", "okvqa", *files, "--limit", "4", "--shots", "2", "--baselines", "none", "--json"]
    assert main([*asked, "--budget", "calls=3"]) == 4
    report = told(capsys)
    assert "budget of 3 calls" in report["stopped"] and report["ways"][0]["rules"][report["headline"]]["value"] is None
    assert not prompts_of(server), "nothing is asked of the language model"
