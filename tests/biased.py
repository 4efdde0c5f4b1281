"""Planted models: what they look at is known, so what is measured of them can be checked."""

from __future__ import annotations

import itertools

import numpy as np

from inloop.evaluators.bias import low_pass
from inloop.mini.world import SURFACES, Group, Spec, draw, place

THINGS = tuple(SURFACES)


def pictures(things=THINGS, *, texture=None, copies=1):
    """(name, picture): large things in the middle, in copies that are a pixel or two apart."""
    for name, copy in itertools.product(things, range(copies)):
        group = Group(kind=name, texture=texture, size="large")
        scene = place(Spec(groups=(group,), background="gray"), 31 * copy + 7, spread=0.2)
        yield name, draw(scene)


def conflicts(things=THINGS):
    """(shape, texture, picture) of every pair of things, those of one thing with itself as well."""
    for place_, (shape, texture) in enumerate(itertools.product(things, things)):
        group = Group(kind=shape, texture=texture, size="large")
        yield shape, texture, draw(place(Spec(groups=(group,), background="white"), place_, spread=0.0))


def outline(image):
    """What is not ground, as a flat vector."""
    pixels = np.asarray(image, dtype=np.int64)
    return (np.abs(pixels - pixels[0, 0]).sum(axis=2) > 12).astype(float).ravel()


def colors(image):
    """The shares of 64 colours in the inner part of what is not ground."""
    pixels = np.asarray(image, dtype=np.int64)[36:60, 36:60].reshape(-1, 3)
    counts = np.bincount((pixels // 64) @ np.array([16, 4, 1]), minlength=64)
    return np.sqrt(counts / counts.sum())


class Nearest:
    """Names the class of the nearest known picture, by one kind of feature."""

    def __init__(self, feature, known):
        self.feature, self.known = feature, [(name, feature(image)) for name, image in known]

    def __call__(self, image):
        seen = self.feature(image)
        return min(self.known, key=lambda each: np.linalg.norm(each[1] - seen))[0]


class Linear:
    """Ridge regression from grey pixels to classes: trained, so that its weights hold the frequencies of its pictures alone."""

    def __init__(self, known, strength=50.0):
        names, images = zip(*known, strict=True)
        self.names = sorted(set(names))
        x = np.stack([self.feature(image) for image in images])
        y = np.array([[float(name == label) for label in self.names] for name in names]) - 1 / len(self.names)
        self.weights = x.T @ np.linalg.solve(x @ x.T + strength * np.eye(len(x)), y)

    @staticmethod
    def feature(image):
        plane = np.asarray(image.convert("L"), dtype=float) / 255
        return (plane - plane.mean()).ravel()

    def __call__(self, image):
        return self.names[int((self.feature(image) @ self.weights).argmax())]


def blurred(known, cutoff):
    return [(name, low_pass(image, cutoff)) for name, image in known]


class Channel:
    """Names the class whose picture is most like what is seen through a filter of one octave around `centre` cycles a picture."""

    def __init__(self, centre, known, width=0.425):
        self.centre, self.width = centre, width
        names, images = zip(*known, strict=True)
        self.names = names
        self.known = np.stack([self._seen(np.asarray(image.convert("L"), dtype=float) / 255) for image in images])
        self.known /= np.linalg.norm(self.known, axis=1, keepdims=True)

    def _seen(self, plane):
        side = plane.shape[0]
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")) * side
        frequency[0, 0] = 1e-6
        gain = np.exp(-(np.log2(frequency / self.centre) ** 2) / (2 * self.width**2))
        return np.fft.ifft2(np.fft.fft2(plane) * gain).real.ravel()

    def __call__(self, image):
        return self.names[int((self.known @ self._seen(np.asarray(image.convert("L"), dtype=float) / 255)).argmax())]
