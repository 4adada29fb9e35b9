"""A car as signed distances and paint; the description that both renderer and captions read.

Axes: x forward, y to the left, z up, metres; the ground is z = 0. Every car is mirror-symmetric in y.
Distances: the primitives of Inigo Quilez, "Distance functions" (iquilezles.org/articles/distfunctions).
"""

from dataclasses import dataclass
from functools import reduce

import torch

COLOURS = {
    "white": (0.92, 0.92, 0.90),
    "black": (0.03, 0.03, 0.035),
    "red": (0.78, 0.04, 0.04),
    "blue": (0.05, 0.16, 0.70),
    "green": (0.05, 0.42, 0.12),
    "yellow": (0.92, 0.76, 0.06),
    "orange": (0.92, 0.36, 0.03),
    "purple": (0.38, 0.08, 0.55),
}
PARTS_ONLY = {"silver": (0.58, 0.60, 0.62), "gold": (0.85, 0.60, 0.12)}  # colours of wheels, never of a body


@dataclass(frozen=True)
class Car:
    """What a picture shows; None means that the car has no such accessory."""

    style: str
    colour: str
    wing: str | None = None
    body_kit: str | None = None
    stripes: str | None = None
    roof: str | None = None
    wheels: str = "silver"


SUBJECT = Car("sedan", "white", wing="black", body_kit="black", stripes="red", roof="black", wheels="gold")


@dataclass(frozen=True)
class Shape:
    """Side profile of a body style: half length, deck and roof heights, and the cabin's four corners in x."""

    half_length: float
    deck: float
    roof: float
    cabin: tuple[float, float, float, float]  # rear bottom, rear top, front top, front bottom
    wheel_radius: float = 0.40
    half_width: float = 0.86


SHAPES = {
    "sedan": Shape(2.20, 0.90, 1.44, (-1.70, -0.98, 0.18, 1.00)),
    "hatchback": Shape(1.85, 0.95, 1.60, (-1.84, -1.45, 0.15, 0.95), half_width=0.82),
    "van": Shape(2.20, 1.05, 2.05, (-2.17, -2.10, 1.10, 1.85), half_width=0.92),
    "pickup": Shape(2.30, 1.08, 1.76, (-0.50, -0.36, 0.50, 1.15), wheel_radius=0.45, half_width=0.92),
}

PAINT, CABIN, WHEEL, WING, KIT = range(5)
WHEEL_X = 0.62  # wheel centres, as a share of the half length
ARCH = 0.07


def length(*sides):
    """Return the length of a vector given by its coordinates, those below 0 taken as 0."""
    return sum(side.clamp(min=0).square() for side in sides).sqrt()


def most(*values):
    """Return the largest, point by point."""
    return reduce(torch.maximum, values)


def box(p, centre, half, rounding=0.02):
    """Return the distance of points p (x, y, z; N each) to a rounded box."""
    q = [(u - c).abs() - (h - rounding) for u, c, h in zip(p, centre, half, strict=True)]
    return length(*q) + most(*q).clamp(max=0) - rounding


def hood_drop(x, shape):
    """How far the deck slopes down towards the nose, metres."""
    return 0.12 * ((x - shape.cabin[3]) / (shape.half_length - shape.cabin[3])).clamp(0, 1) ** 2


def cabin_distance(p, shape):
    """Return the distance of points p (x, y, z; N each) to the tapered prism of the cabin."""
    x, y, z = p
    low, height = shape.deck - 0.08, shape.roof - shape.deck + 0.08
    rear_bottom, rear_top, front_top, front_bottom = shape.cabin

    def slanted(u, bottom, top):
        slope = (bottom - top) / height
        return (u - bottom + (z - low) * slope) / (1 + slope**2) ** 0.5

    sides = [
        slanted(x, front_bottom, front_top),
        slanted(-x, -rear_bottom, -rear_top),
        slanted(y, shape.half_width - 0.05, shape.half_width - 0.24),
        z - shape.roof,
        low - z,
    ]
    rounded = [side + 0.1 for side in sides]
    return length(*rounded) + most(*rounded).clamp(max=0) - 0.1


def part_distances(p, car):
    """Return the distances to PAINT, CABIN, WHEEL, WING and KIT, (5, N), for points (N, 3)."""
    shape = SHAPES[car.style]
    half_length, width, radius = shape.half_length, shape.half_width, shape.wheel_radius
    x, y, z = p.T.contiguous()  # columns: many times as fast as rows of three
    y = y.abs()
    p = (x, y, z)

    lifted = (x, y, z + hood_drop(x, shape))
    body = box(lifted, (0, 0, (shape.deck + 0.24) / 2), (half_length, width, (shape.deck - 0.24) / 2), 0.2)
    if car.style == "pickup":
        bed = box(p, (-1.40, 0, 1.1), (0.76, 0.72, 0.38), 0.02)
        body = torch.maximum(body, -bed)
    from_axle = ((x.abs() - WHEEL_X * half_length).square() + (z - radius).square()).sqrt()
    body = torch.maximum(body, -torch.maximum(from_axle - radius - ARCH, 0.5 - y))
    tyre = (from_axle - radius + 0.03, (y - width + 0.14).abs() - 0.12 + 0.03)
    wheel = length(*tyre) + most(*tyre).clamp(max=0) - 0.03

    far = torch.full_like(x, 1e3)
    wing = far
    if car.wing:
        rear = -half_length + 0.18
        top = shape.deck if shape.cabin[0] > -half_length + 0.3 else shape.roof
        top, rear = (top, rear) if car.style != "hatchback" else (shape.roof, -1.5)
        wing = torch.minimum(
            box(p, (rear, 0, top + 0.36), (0.24, 0.80, 0.06)),
            torch.minimum(
                box(p, (rear, 0.48, top + 0.15), (0.10, 0.05, 0.24)),
                box(p, (rear, 0.80, top + 0.36), (0.28, 0.045, 0.17)),
            ),
        )
    kit = far
    if car.body_kit:
        kit = torch.minimum(
            box(p, (0, width, 0.25), (WHEEL_X * half_length - radius - 0.08, 0.07, 0.11)),
            torch.minimum(
                box(p, (half_length, 0, 0.22), (0.20, width + 0.02, 0.10)),
                box(p, (-half_length, 0, 0.27), (0.13, width + 0.02, 0.13)),
            ),
        )
    return torch.stack([body, cabin_distance(p, shape), wheel, wing, kit])


def paint(p, normal, part, car):
    """Return albedo (N, 3), glossiness (N,) and emission (N, 3) of surface points p (N, 3)."""
    shape = SHAPES[car.style]
    length, radius = shape.half_length, shape.wheel_radius
    x, y, z = p[:, 0], p[:, 1].abs(), p[:, 2]

    def colour(name):
        return p.new_tensor((COLOURS | PARTS_ONLY)[name])

    albedo = colour(car.colour).expand(len(p), 3).clone()
    gloss = torch.full_like(x, 0.55)
    emission = torch.zeros_like(p)
    body, cabin = part == PAINT, part == CABIN

    roof = cabin & (z > shape.roof - 0.1)
    if car.roof:
        albedo[roof] = colour(car.roof)
    level = (z - shape.deck) / (shape.roof - shape.deck)
    rear_bottom, rear_top, front_top, front_bottom = shape.cabin
    pillar = ((x - (rear_top + front_top) / 2).abs() < 0.05) & (normal[:, 1].abs() > 0.5)
    if car.style == "van":
        pillar |= (x < 0.5) & (normal[:, 1].abs() > 0.5)
    edge = (y > shape.half_width - 0.13 - 0.19 * level) & (normal[:, 1].abs() < 0.5)
    glass = cabin & ~roof & (level > 0.10) & ~pillar & ~edge
    albedo[glass] = p.new_tensor((0.03, 0.04, 0.05))
    gloss[glass] = 1.0

    if car.stripes:
        stripe = (body | roof) & ((y - 0.27).abs() < 0.15) & (normal[:, 1].abs() < 0.7)
        albedo[stripe] = colour(car.stripes)

    nose, tail = body & (normal[:, 0] > 0.4), body & (normal[:, 0] < -0.4)
    lamp_z = shape.deck - 0.24
    grille = nose & (y < 0.42) & ((z - lamp_z + 0.1).abs() < 0.09) & ((y - 0.27).abs() > (0.15 if car.stripes else -1))
    albedo[grille] = p.new_tensor((0.04, 0.04, 0.04))
    headlight = nose & (y > 0.48) & ((z - lamp_z).abs() < 0.085)
    albedo[headlight] = p.new_tensor((0.9, 0.9, 0.85))
    emission[headlight] = p.new_tensor((0.55, 0.53, 0.45))
    taillight = tail & (y > 0.50) & ((z - lamp_z - 0.06).abs() < 0.08)
    albedo[taillight] = p.new_tensor((0.55, 0.01, 0.01))
    emission[taillight] = p.new_tensor((0.40, 0.01, 0.01))
    plate = (nose | tail) & (y < 0.26) & ((z - 0.42).abs() < 0.06)
    albedo[plate] = p.new_tensor((0.8, 0.8, 0.75))
    door = body & (normal[:, 1].abs() > 0.8) & (((x - 0.85).abs() < 0.02) | ((x + 0.15).abs() < 0.02))
    albedo[door] *= 0.45

    wheel = part == WHEEL
    dx, dz = x.abs() - WHEEL_X * length, z - radius
    from_axle = torch.hypot(dx, dz)
    rim = wheel & (from_axle < radius * 0.74) & (normal[:, 1].abs() > 0.5)
    albedo[wheel] = p.new_tensor((0.03, 0.03, 0.03))
    gloss[wheel] = 0.05
    disc = rim & (from_axle > radius * 0.18)
    albedo[disc] = colour(car.wheels)
    gloss[disc] = 0.4

    for mask, name in ((part == WING, car.wing), (part == KIT, car.body_kit)):
        if name:
            albedo[mask] = colour(name)
            gloss[mask] = 0.25
    return albedo, gloss, emission
