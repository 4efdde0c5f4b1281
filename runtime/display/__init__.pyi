from .forest import Forest, Interval
from .frames import Cell, cells_of, frame_of, images_of, worded
from .pictures import DEFAULT_LIMIT, Pictures
from .plots import draw_bars, draw_forest, draw_steps, new_figure, plot_bars
from .templates import draw, environment
from .words import amount, counted, points, seconds, signed

__all__ = [
    "Cell",
    "DEFAULT_LIMIT",
    "Forest",
    "Interval",
    "Pictures",
    "amount",
    "cells_of",
    "counted",
    "draw",
    "draw_bars",
    "draw_forest",
    "draw_steps",
    "environment",
    "frame_of",
    "images_of",
    "new_figure",
    "plot_bars",
    "points",
    "seconds",
    "signed",
    "worded",
]
