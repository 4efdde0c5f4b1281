"""The card of a data set, `README.md`: front matter by which `datasets` knows its splits, and what every column says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ....tools.data import size_category
from .pictures import DrawnSet, Picture

__all__ = ["card"]

_COLUMNS = {
    "image": "the picture, 96 x 96, RGB",
    "mask": "which object is seen where: 0 the background, else the `id` of the object, 1 being the farthest one, so this is the order "
    "in depth as well",
    "full_masks": "the whole object of each `id` under the other, hidden parts too (amodal): "
    "`numpy.asarray(row['full_masks']).reshape(-1, 96, 96)`",
    "edges": "the outlines of what is seen",
    "caption": "what is there, in words",
    "background": "its colour",
    "domain": "how it is drawn: flat, sketch, noisy, painted, night or blueprint",
    "objects": 'from the farthest to the nearest, a list a property: `id`, `category`, `color` and `texture` ("none": its own), `size`, '
    "`side` in pixels as it was drawn, `bbox` around what is seen and `full_bbox` around all of it (COCO: left, top, width, height; zeros: nothing), "
    "`area` in pixels and `visible`, the share that is seen",
}


def card(drawn: DrawnSet, pictures: Sequence[Picture], *, count: int, seed: int) -> str:
    """The text of `README.md`; splits stand in the order of `pictures`."""
    splits = Counter(picture.split for picture in pictures)
    columns = {"image": _COLUMNS["image"], **drawn.columns}
    columns |= {name: text for name, text in _COLUMNS.items() if name not in columns}
    lines = [
        "---",
        "license: apache-2.0",
        f"pretty_name: {drawn.title}",
        "tags: [synthetic, inloop]",
        f"size_categories: [{size_category(len(pictures))}]",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *(f"  - split: {split}\n    path: {split}/**" for split in splits),
        "---",
        f"# {drawn.title}",
        "",
        drawn.summary,
        "",
        "![some of the pictures](contact_sheet.png)",
        "",
        f"    python -m inloop.mini data {drawn.name} --count {count} --seed {seed} --out DIR",
        "",
        "drew it, and draws the same bytes again. It is read by",
        "",
        "    from datasets import load_dataset",
        "    load_dataset(DIR)                              # every split",
        '    load_dataset("imagefolder", data_dir=DIR)      # train, validation and test',
        "",
        "| split | pictures |",
        "|---|---|",
        *(f"| {split} | {number} |" for split, number in splits.items()),
        "",
        "| column | |",
        "|---|---|",
        *(f"| `{name}` | {text.replace('|', 'or')} |" for name, text in columns.items()),
        "",
        drawn.tables(list(pictures)),
        "## Where it comes from",
        "",
        "Drawn by inloop; nothing is photographed or written by people. Shapes, textures and scenes are inloop's own (Apache-2.0); the 32 things "
        "are pictures of Noto Emoji by Google (https://github.com/googlefonts/noto-emoji, Apache-2.0).",
        "",
    ]
    return "\n".join(lines)
