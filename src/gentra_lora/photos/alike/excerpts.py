"""Which photos lie within another: cut out of it, or shown in a screenshot with other things around it.

Grey pictures are slid over each other at several sizes (normalised cross-correlation, Lewis 1995): at 32 px for every
pair, then at 96 px, in finer steps, for the few that fit. What agrees there is compared in edges and colours.

Not seen: two cuts of one photo of which neither holds the other, cuts under 0.6 of the sides, and those that were
turned or mirrored besides.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import fft
from scipy.ndimage import gaussian_filter

COARSE, FINE = 32, 96  # px, the longer side
FITS = tuple(0.95**step for step in range(11))  # of the largest size at which the one fits into the other: 1 to 0.6
STEPS = ((0.96, 0.98, 1.02, 1.04), (0.99, 1.01), (0.995, 1.005))  # each around the best before
LEAST_AREA = 60  # px at COARSE; fewer agree with anything
LEAST_SPREAD = 2.0  # levels, standard deviation; smooth sky lies within any sky
CANDIDATE, AGREEING = 0.75, 0.65
EDGES, COLOURS = 0.92, 6.0
SHARP, BLURRED = (
    1.0,
    3.0,
)  # px at FINE, standard deviations; what lies between are edges that scaling leaves as they are


def excerpt_pairs(pictures: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Return the pairs (a, b), a < b, of picture numbers of which one lies within the other.

    Args:
        pictures: uint8 (H, W, 3), the longer side FINE px.
    """
    images = [Image.fromarray(picture) for picture in pictures]
    found = {
        (min(part, whole), max(part, whole))
        for part, whole, fit in _candidates(images)
        if _lies_within(images[part], images[whole], fit)
    }
    return sorted(found)


def small_picture(image: Image.Image) -> np.ndarray:
    """Return what is compared of an RGB image: uint8 (H, W, 3), the longer side FINE px."""
    return np.asarray(_scaled(image, FINE / max(image.size)))


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BOX if scale <= 1 else Image.Resampling.BICUBIC)


def _candidates(images: Sequence[Image.Image]) -> Iterator[tuple[int, int, float]]:
    """Yield (part, whole, fit) of every pair that agrees at COARSE, at the fit that agrees best."""
    wholes = [_grey(_scaled(image, COARSE / max(image.size))) for image in images]
    best = np.full((len(images), len(images)), CANDIDATE, dtype=np.float32)  # (part, whole)
    best_fit = np.zeros_like(best)
    for shape in {whole.shape for whole in wholes}:
        numbers = [number for number, whole in enumerate(wholes) if whole.shape == shape]
        for fit in FITS:
            for parts, templates in _templates(images, shape, fit):
                slid = _Slid(templates, shape)
                for whole in numbers:
                    agreement = slid.over(wholes[whole]).max((1, 2))
                    better = parts[agreement > best[parts, whole]]
                    best[better, whole] = agreement[agreement > best[parts, whole]]
                    best_fit[better, whole] = fit
    for part, whole in np.argwhere(best_fit).tolist():
        if part != whole:
            yield part, whole, float(best_fit[part, whole])


def _templates(
    images: Sequence[Image.Image], shape: tuple[int, ...], fit: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (picture numbers, their grey pictures (N, h, w)) of those that come to one size."""
    scaled: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
    for number, image in enumerate(images):
        grey = _grey(_scaled(image, _largest(image, shape) * fit))
        if grey.size >= LEAST_AREA:
            scaled[grey.shape].append((number, grey))
    for members in scaled.values():
        yield np.array([number for number, _ in members]), np.stack([grey for _, grey in members])


def _largest(image: Image.Image, shape: tuple[int, ...]) -> float:
    """Return the largest scale at which an image fits into a shape (H, W)."""
    return min(shape[0] / image.height, shape[1] / image.width)


def _grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), dtype=np.float32)


class _Slid:
    """Pictures (N, h, w) that are slid over others of one shape (H, W)."""

    def __init__(self, templates: np.ndarray, shape: tuple[int, ...]) -> None:
        self.size, self.shape = templates.shape[1:], shape
        centred = templates - templates.mean((1, 2), keepdims=True)
        norm = np.sqrt((centred**2).sum((1, 2), keepdims=True))
        centred /= np.maximum(norm, self._least_norm)
        centred[(norm < self._least_norm).ravel()] = 0
        self.spectrum = fft.rfft2(centred, s=shape).conj()

    @property
    def _least_norm(self) -> float:
        return LEAST_SPREAD * float(np.sqrt(self.size[0] * self.size[1]))

    def over(self, whole: np.ndarray) -> np.ndarray:
        """Return the correlation -1 to 1 at each place, (N, H - h + 1, W - w + 1); 0 where either is smooth."""
        (h, w), (height, width) = self.size, self.shape
        centred = whole - whole.mean()
        product = fft.irfft2(self.spectrum * fft.rfft2(centred), s=self.shape)[:, : height - h + 1, : width - w + 1]
        squared = np.maximum(_sums(centred**2, h, w) - _sums(centred, h, w) ** 2 / (h * w), 0)
        norm = np.sqrt(squared)
        scale = np.where(norm < self._least_norm, 0, 1 / np.maximum(norm, self._least_norm))
        return product * scale.astype(np.float32)


def _sums(values: np.ndarray, h: int, w: int) -> np.ndarray:
    """Return the sum of each window (h, w) of values (H, W), float64 (H - h + 1, W - w + 1)."""
    table = np.pad(values.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    return table[h:, w:] - table[:-h, w:] - table[h:, :-w] + table[:-h, :-w]


def _lies_within(part: Image.Image, whole: Image.Image, fit: float) -> bool:
    edges, colours = _compared(part, whole, fit)
    return edges >= EDGES and colours <= COLOURS


def _compared(part: Image.Image, whole: Image.Image, fit: float) -> tuple[float, float]:
    """Return (correlation of the edges, mean difference of the colours in levels) where part agrees best with whole."""
    grey, largest = _grey(whole), _largest(part, (whole.height, whole.width))
    best = _placed(part, grey, fit * largest)
    for steps in STEPS:
        best = max(best, *(_placed(part, grey, min(largest, best.scale * step)) for step in steps))
        if best.agreement < AGREEING:
            return 0.0, 255.0
    found = _scaled(part, best.scale)
    box = (best.left, best.top, best.left + found.width, best.top + found.height)
    shown = whole.resize(found.size, Image.Resampling.BILINEAR, box=_inside(box, whole.size))
    a, b = (gaussian_filter(np.asarray(image, dtype=np.float32), (SHARP, SHARP, 0)) for image in (found, shown))
    return _edge_correlation(a.mean(2), b.mean(2)), float(np.abs(a - b).mean())


class _Place(NamedTuple):
    """Where a picture agrees best with another, in px of that."""

    agreement: float
    scale: float
    left: float
    top: float


def _placed(part: Image.Image, whole: np.ndarray, scale: float) -> _Place:
    agreement = _Slid(_grey(_scaled(part, scale))[None], whole.shape).over(whole)[0]
    top, left = divmod(int(agreement.argmax()), agreement.shape[1])
    right_by, down_by = _peak(agreement[top], left), _peak(agreement[:, left], top)
    return _Place(float(agreement[top, left]), scale, left + right_by, top + down_by)


def _inside(box: tuple[float, ...], size: tuple[int, int]) -> tuple[float, float, float, float]:
    return max(0.0, box[0]), max(0.0, box[1]), min(float(size[0]), box[2]), min(float(size[1]), box[3])


def _peak(line: np.ndarray, at: int) -> float:
    """Return how far the peak of a line lies beside its largest value, -0.5 to 0.5, by a parabola through three."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(value) for value in line[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else 0.5 * (before - after) / bend


def _edge_correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = (grey - gaussian_filter(grey, BLURRED) for grey in (a, b))
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-6))
