"""Model cards of the small models: what they are, what they were trained on, what they were measured to do."""

from __future__ import annotations

from pathlib import Path

from .loop import write_sums

__all__ = ["write_card"]

_ABOUT = {
    "painter": (
        "mini-diffusion",
        "A Stable Diffusion pipeline in miniature (`AutoencoderTiny`, `UNet2DConditionModel`, `CLIPTextModel`, DDIM) that paints 96x96 scenes"
        " of the drawn world. It was trained on **plain wording only** (\"a red circle to the left of a blue square\"); synonyms and other"
        " syntax are foreign to it. The judges, `mini-clip` and `mini-vqa`, know them. So rewriting a prompt matters here for the reason for"
        " which it matters with large models: the painter understands less language than the judge.\n\n"
        "These weights: an autoencoder of 6,000 steps on pieces of scenes, 2,300 steps of the text encoder on what stands where (`layout.py`), 7,600"
        " steps of painting with things that stand a little anywhere, which left single things smudged, and 2,400 of 64 scenes with things in the"
        " middle of their places, which made them clear; then 2,500 steps of the decoder on latents that are off, and 900 with more care for pale things."
        " Two cores took three hours and a half.\n\n"
        "![Every thing, small and large, as this painter paints it](contact_sheet.jpg)",
        "Read by the exact reader (`inloop.mini.world.reader`: sprites and geometry, no model): each thing by itself, small and large on every"
        " background, then held-out captions.",
    ),
    "vqa": (
        "mini-vqa",
        "`BlipForQuestionAnswering` in miniature. It answers yes/no and short open questions about scenes of the drawn world, in plain and in"
        " varied wording, in the flat, sketch and noisy domains.\n\n"
        "These weights: those of the first edition, which read 64x64 pixels (15,650 steps), with the places of their patches spread over 96x96;"
        " then 3,000 steps of 24 scenes with six questions each, a quarter of the scenes with a smudge (`train_vqa.py`), in 40 minutes of two cores.",
        "Share of right answers; the yes/no questions are balanced. \"unseen words\" are noun and colour pairs that no training question held."
        " A smudge is a thing blurred away, half drawn, torn or mixed with others. \"painted\": pictures by mini-diffusion, by plain and by loose"
        " captions, of which the exact reader says what is there.",
    ),
    "clip": (
        "mini-clip",
        "`CLIPModel` in miniature, contrasting scenes of the drawn world with captions in plain and in varied wording; a thing that is a smudge is in"
        " none of them.\n\n"
        "These weights: those of the first edition with the places of their patches spread over 96x96 pixels, then 1,050 steps (`train_clip.py`).",
        "Recall@1 in batches of 64 different held-out captions in varied wording.",
    ),
    "writer": (
        "mini-writer",
        "A LoRA adapter (rank 16) of SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) for the roles of rewriter and questioner in the drawn"
        " world's English. Its rewrites are of mixed quality by design: what was marked wrong mostly becomes plain, the rest is chosen by"
        " chance. `writer.gguf` is for the embedded server, the safetensors file for peft.\n\n"
        "These weights: those of the first edition, then 500 steps of 12 exchanges in all roles, then 900 without the questions and dependencies"
        " of a graph, which follow from its tuples by rule (`writer_rows.py`, the curve is of these); two hours of one core.",
        "On held-out prompts in varied wording with held-out pairs of words. A scene graph counts only if every tuple, question and"
        " dependency is right and none is missing. Where the rules for simple English understand a whole prompt they write its graph"
        " instead, unless `--questioner mini-writer` is given.",
    ),
    "answerer": (
        "mini-answerer",
        "A LoRA adapter (rank 16, the upper twelve layers) of SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) that answers questions about"
        " pictures from what is told of them, in the words that `inloop vqa` sends: shortly, and \"unknown\" where the answer is not there."
        " It was taught on captions of the drawn world, passages of its corpus, worked examples, and on everyday scenes by rule: colours, counts,"
        " places, who does what, yes or no, one of two, what is written, and facts of passages drawn by lot."
        " `answerer.gguf` is for the embedded server, the safetensors file for peft.\n\n"
        "These weights: 150 steps of 12 exchanges on the drawn world and simpler everyday captions, then 500 on all of these; an hour of one core.",
        "On phrasings, (thing, fact) pairs and sets of things that were not taught, and on captions with questions that were written by hand"
        " (`answerer_questions.py`); what is told is the world's truth, so that the captioner is not measured with it. An answer is right if it is"
        " the thing, or one of those accepted, to the letter. \"base\" is SmolLM2-135M-Instruct without the adapter.",
    ),
    "promptcap": (
        "mini-promptcap",
        "`BlipForQuestionAnswering` as a captioner: it reads PromptCap's prompt and writes a caption for the question instead of an"
        " answer. It knows pictures of one to four things of the drawn world, meant by where they stand, by their colour, size or corner."
        " For the generic prompt it names two of the things, as its training captions do.\n\n"
        "These weights: 12,200 steps of 64 rows (`train_promptcap.py`) in four trainings, the first from the weights of mini-vqa; a quarter of"
        " the rows without a question; 90 minutes of one core. The captions were written by rule from the world's truth, not by a language model.",
        "Share of captions that name the thing that is meant, on sets of things, and for knowledge questions on phrasings, that no"
        " training row held; and share of captions for no question that name only what is there.",
    ),
    "verifier": (
        "mini-verifier",
        "all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0) as a cross-encoder of three outcomes: does a source support a statement,"
        " contradict it, or not tell? `delta.safetensors` is the difference to those weights, in eight bits; the layer that reads words is"
        " as it was.\n\n"
        "These weights: 1,600 steps of 48 rows, 70 minutes of one core (`verifier/`). A row is a sentence or some of a text and a statement"
        " made of one by rule: reworded, it is supported; with another number, date, name or word, a \"not\" more or less, an opposite, two"
        " roles exchanged, it is not (FactCC's recipe, Kryscinski et al. 2020). Texts: descriptions of Debian's packages, essays (`anarchism`,"
        " GFDL), SciFact's abstracts (ODC-By) but those that its test claims cite; six rows of a hundred are SciFact's training claims"
        " (CC BY 4.0). Synonyms and opposites are WordNet's.\n\n"
        "It reads English sentences of up to 128 tokens. It does not compare numbers, and it knows nothing that is not said in other words"
        " in the same sentence or two; `inloop ask` holds every part of a claim against the source by rule before it is believed.",
        "On statements made by the same rules of documents that were not trained on, and on SciFact's test claims, which people wrote. A"
        " statement counts as called supported from P = 0.95 on, as in `inloop ask`, but without the rules that stand above it there.",
    ),
}  # fmt: skip

_WORLD = "A toy for tests and demonstrations: it knows nothing outside its world.\n\n"
_PICTURES = " The pictures of things are Noto Emoji by Google (Apache-2.0)."


def write_card(name: str, figures: dict[str, float], folder: Path) -> None:
    """Write `README.md` into a model's folder, and its sums again."""
    title, about, how = _ABOUT[name]
    alone = {key.removeprefix("thing: "): value for key, value in figures.items() if key.startswith("thing: ")}
    figures = {key: value for key, value in figures.items() if not key.startswith("thing: ")}
    rows = "\n".join(
        f"| {key} | {value:.1%} |" if value <= 1 else f"| {key} | {value:g} |" for key, value in figures.items()
    )
    text = (
        f"# {title}\n\n{about}\n\n{_WORLD if name != 'verifier' else ''}"
        f"Trained by `python -m inloop.mini train {name}`; Apache-2.0.{_PICTURES if name != 'verifier' else ''}\n\n"
        f"## Measured\n{how}\nBy `python -m inloop.mini evaluate {name}`.\n\n| | |\n|---|---|\n{rows}\n"
    )
    if alone:
        text += "\nEach thing alone: " + ", ".join(f"{kind} {share:.0%}" for kind, share in alone.items()) + ".\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
    write_sums(folder)
