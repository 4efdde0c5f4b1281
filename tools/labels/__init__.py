"""Labels of pictures as other tools write and read them: COCO, YOLO, Label Studio."""

from .coco import read_coco, write_coco
from .label_studio import read_label_studio, write_label_studio
from .picture_labels import FORMATS, Format, LabelledThing, PictureLabels, read_labels, written_labels
from .yolo import read_yolo, write_yolo

__all__ = [
    "FORMATS",
    "Format",
    "LabelledThing",
    "PictureLabels",
    "read_coco",
    "read_label_studio",
    "read_labels",
    "read_yolo",
    "write_coco",
    "write_label_studio",
    "write_yolo",
    "written_labels",
]
