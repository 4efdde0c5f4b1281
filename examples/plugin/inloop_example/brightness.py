"""The metric `brightness`: a plain function is enough."""

from PIL.Image import Image


def brightness(image: Image, text: str) -> float:
    """The mean luminance of a picture, 0 (black) to 1 (white). It does not look at the prompt."""
    return float(image.convert("L").resize((1, 1)).getpixel((0, 0))) / 255


brightness.model, brightness.revision = "inloop-example/brightness", "1"  # kept for all runs; raise it with the formula
