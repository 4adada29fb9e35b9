"""DVCLive's curves as the points of an inline SVG drawing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 640, 260  # units of the drawing, which is scaled to the page
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 28  # room for the axes
TICKS = 4


@dataclass(frozen=True)
class Curve:
    """A line of a chart: (step, value) pairs in rising order of steps."""

    label: str
    points: list[tuple[int, float]]


def read_curve(path: Path, label: str) -> Curve | None:
    """Return the Curve in a DVCLive file, or None where there is none."""
    if not path.exists():
        return None
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return Curve(label, [(int(step), float(value)) for step, value in lines[1:]])


def chart(curves: Sequence[Curve], marked: int) -> dict[str, Any]:
    """Return what a template needs to draw curves: lines, ticks of both axes, and the place of a marked step.

    Args:
        curves: at least one.
        marked: a step.
    """
    steps = [step for curve in curves for step, _ in curve.points] + [marked]
    values = [value for curve in curves for _, value in curve.points]
    x, y = _scale(min(steps), max(steps), LEFT, WIDTH - RIGHT), _scale(min(values), max(values), HEIGHT - BOTTOM, TOP)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "lines": [
            {"label": curve.label, "points": " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in curve.points)}
            for curve in curves
        ],
        "x_ticks": [{"at": round(x(tick), 1), "text": f"{tick:.0f}"} for tick in _ticks(min(steps), max(steps))],
        "y_ticks": [{"at": round(y(tick), 1), "text": f"{tick:.3g}"} for tick in _ticks(min(values), max(values))],
        "marked": {"at": round(x(marked), 1), "text": str(marked)},
        "bottom": HEIGHT - BOTTOM,
        "top": TOP,
        "left": LEFT,
        "right": WIDTH - RIGHT,
    }


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (end - start) * ((value - low) / (high - low) if high > low else 0.5)


def _ticks(low: float, high: float) -> list[float]:
    return [low + (high - low) * n / TICKS for n in range(TICKS + 1)]
