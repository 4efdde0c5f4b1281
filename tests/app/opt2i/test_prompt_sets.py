"""Prompts from files: lines, tables, and the two sets of the paper chosen from their sources."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from inloop.app.opt2i.prompt_sets import read_prompts
from inloop.runtime.errors import BadInput

PARTI = "Prompt\tCategory\tChallenge\tNote\n" + "".join(
    f'{challenge} {number} "quoted"\tArts\t{challenge}\t\n'
    for challenge in ("Basic", "Complex", "Quantity", "Fine-grained Detail", "Properties & Positioning")
    for number in range(60)
)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_and_rows_are_read_in_their_order(tmp_path):
    rows = [{"caption": "a  cat"}, {"caption": "a dog"}]
    files = {
        "a.txt": "# mine\na cat\n\n  a dog\n",
        "a.json": json.dumps(rows),
        "a.jsonl": "\n".join(map(json.dumps, rows)),
        "a.csv": 'id,Text\n1,"a cat"\n2,a dog\n',
        "a.tsv": "Prompt\tid\na cat\t1\na dog\t2\n",
    }
    for name, text in files.items():
        assert read_prompts(str(written(tmp_path, name, text))) == ["a cat", "a dog"], name


def test_the_sets_of_the_paper_are_chosen_by_its_rule(tmp_path):
    parti = read_prompts(f"partiprompts:{written(tmp_path, 'PartiPrompts.tsv', PARTI)}")
    assert (
        len(parti) == 200 and parti[0] == 'Properties & Positioning 0 "quoted"' and parti[-1] == 'Complex 49 "quoted"'
    )
    assert not any(prompt.startswith("Basic") for prompt in parti)
    rows = [
        {"id": "coco_1", "caption": "a cat"},
        {"id": "drawbench_1", "caption": "a dog"},
        {"id": "coco_2", "caption": "a cow"},
    ]
    assert read_prompts(f"mscoco:{written(tmp_path, 'tifa.json', json.dumps(rows))}") == ["a cat", "a cow"]


@pytest.mark.parametrize(
    ("name", "text", "source", "says"),
    [
        ("a.txt", "# nothing\n", "{}", "no prompt in"),
        ("a.json", "{", "{}", "not JSON"),
        ("a.json", '{"prompt": "a cat"}', "{}", "list of objects"),
        ("a.jsonl", '{"words": "a cat"}', "{}", "needs a prompt, caption or text"),
        ("a.tsv", "Prompt\tChallenge\na cat\tBasic\n", "partiprompts:{}", "give PartiPrompts.tsv"),
        ("a.json", '[{"id": "7", "caption": "a cat"}]', "mscoco:{}", "tifa_v1.0_text_inputs.json"),
    ],
)
def test_what_holds_no_prompt_is_named(tmp_path, name, text, source, says):
    with pytest.raises(BadInput, match=says):
        read_prompts(source.format(written(tmp_path, name, text)))
    with pytest.raises(BadInput, match="cannot be read"):
        read_prompts(str(tmp_path / "none.txt"))


def test_the_real_sources_give_the_185_and_the_2000(tmp_path):
    data = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[4] / "shared" / "data")) / "opt2i"
    if not data.is_dir():
        pytest.skip(f"{data} is not there: set INLOOP_DATA to the folder that holds opt2i")
    parti = json.loads((data / "derived" / "partiprompts_185_opt2i.json").read_text(encoding="utf-8"))
    assert read_prompts(f"partiprompts:{data / 'parti' / 'PartiPrompts.tsv'}") == [
        " ".join(row["prompt"].split()) for row in parti
    ]
    assert len(read_prompts(f"mscoco:{data / 'derived' / 'mscoco_2000_opt2i.json'}")) == 2000
