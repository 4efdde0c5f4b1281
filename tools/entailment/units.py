"""Units of numbers by one name each, areas and rates among them; they are not converted into one another."""

from __future__ import annotations

import re

__all__ = ["MEASURES", "agree", "rate_after", "unit_after"]

_UNITS = {
    alias: name
    for name, aliases in {
        "%": "percent pct per-cent percentage",
        "metre": "m metres meter meters",
        "kilometre": "km kilometres kilometer kilometers",
        "centimetre": "cm centimetres centimeter centimeters",
        "millimetre": "mm millimetres millimeter millimeters",
        "foot": "ft feet",
        "mile": "miles mi",
        "inch": "inches",
        "milligram": "mg milligrams",
        "microgram": "µg μg mcg micrograms",
        "kilogram": "kg kilograms kilo kilos",
        "gram": "g grams",
        "tonne": "t tonnes ton tons",
        "litre": "l litres liter liters",
        "millilitre": "ml millilitres milliliter milliliters",
        "centilitre": "cl centilitres",
        "microlitre": "µl μl microlitres microliter microliters",
        "micrometre": "µm μm micrometres micrometer micrometers",
        "nanometre": "nm nanometres nanometer nanometers",
        "nanogram": "ng nanograms",
        "millisecond": "ms msec milliseconds",
        "hectare": "ha hectares",
        "acre": "acres",
        "knot": "knots kt",
        "kilowatt": "kw kilowatts",
        "hertz": "hz",
        "hour": "h hours hrs hr",
        "minute": "min minutes mins",
        "second": "s seconds sec secs",
        "day": "days",
        "week": "weeks",
        "month": "months",
        "year": "years yr yrs year-old",
        "st": "nd rd th",
        "$": "dollars dollar usd",
        "€": "euros euro eur",
        "£": "pounds pound gbp",
        "watt": "w watts",
        "volt": "v volts",
        "people": "person persons inhabitants residents",
        "kb": "kilobytes kib",
        "mb": "megabytes mib",
        "gb": "gigabytes gib",
    }.items()
    for alias in (name, *aliases.split())
}
_CASED = {
    "mW": "milliwatt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "mN": "millinewton", "kN": "kilonewton", "MN": "meganewton",
    "mHz": "millihertz", "MHz": "megahertz", "mV": "millivolt", "MV": "megavolt", "Mb": "megabit", "mm": "millimetre", "Mm": "megametre",
}  # fmt: skip
"""Symbols whose case tells one unit from another."""
MEASURES = frozenset({*_UNITS.values(), *_CASED.values(), "°", "°C", "°F"} - {"people"})
_AREA = re.compile(
    r"\s*(?:(?P<sign>[kcdm]?m)(?P<power>[²³23])(?!\w)|(?P<kind>square|cubic)[\s-](?P<name>[a-z]+))", re.IGNORECASE
)
_DEGREES = re.compile(
    r"\s*(?:°|\bdegrees?\b(?!\s(?:from|in|of)\b))\s?(?:(?P<celsius>celsius|centigrade|C\b)|(?P<fahrenheit>fahrenheit|F\b))?",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(r"[\s-]*(?P<unit>[%°$€£]|[^\W\d_]+(?:-old)?)")
_RATE = re.compile(
    r"\s*(?:[a-z]+\s)?(?:an?\s|per\s|each\s|/\s?)(?P<per>seconds?|minutes?|hours?|days?|weeks?|months?|years?|km|kilometres?|miles?|kg|litres?|person|min|h|s)\b",
    re.IGNORECASE,
)
_NO_UNIT = frozenset(
    """a an and are as at be been before but by for from had has have he her his if in into is it its more nor not of off on or our
    over per she since so than that the their then there these they this those to under until up was were when which while who will
    with within years' times""".split()
)


def unit_after(sign: str, text: str, end: int) -> tuple[str, int]:
    """The unit by one name, and where it ends; a word that is no unit that is known here is left to be read as a word."""
    if sign:
        return _UNITS.get(sign.lower(), sign.lower()), end
    match = _FOLLOWS.match(text, end)
    if match is None:
        return "", end
    if area := _AREA.match(text, end):
        base = _UNITS.get((area["name"] or area["sign"]).lower(), area["name"] or area["sign"])
        cubic = (area["power"] or area["kind"]).lower() in ("³", "3", "cubic")
        return f"{'cubic' if cubic else 'square'} {base}", area.end()
    if degrees := _DEGREES.match(text, end):
        return ("°C" if degrees["celsius"] else "°F" if degrees["fahrenheit"] else "°"), degrees.end()
    if per_cent := re.compile(r"\s*per\s?cent\b", re.IGNORECASE).match(text, end):
        return "%", per_cent.end()
    if match["unit"] in _CASED:
        return _CASED[match["unit"]], match.end()
    word = match["unit"].lower()
    if word in _UNITS:
        return _UNITS[word], match.end()
    return ("" if word in _NO_UNIT else word.removesuffix("s") if len(word) > 3 else word), end


def agree(one: str, other: str) -> bool:
    """Whether two units can be the same one: "25 degrees" does not say of which scale."""
    return not one or not other or one == other or {one, other} in ({"°", "°C"}, {"°", "°F"})


def rate_after(text: str, end: int) -> str:
    """Per what a number that ends at `end` is; "" where it is per nothing."""
    match = _RATE.match(text, end)
    return _UNITS.get(match["per"].lower(), match["per"].lower()) if match else ""
