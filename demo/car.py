"""A car as signed distances and paint; the description that both renderer and captions read.

Axes: x forward, y to the left, z up, metres; the ground is z = 0. Every car is mirror-symmetric in y.
Distances: the primitives of Inigo Quilez, "Distance functions" (iquilezles.org/articles/distfunctions).
"""

from dataclasses import dataclass

import torch

COLOURS = {
    "white": (0.92, 0.92, 0.90),
    "black": (0.03, 0.03, 0.035),
    "red": (0.78, 0.04, 0.04),
    "blue": (0.05, 0.16, 0.70),
    "green": (0.05, 0.42, 0.12),
    "yellow": (0.92, 0.76, 0.06),
    "orange": (0.92, 0.36, 0.03),
    "silver": (0.58, 0.60, 0.62),
    "gold": (0.85, 0.60, 0.12),
    "purple": (0.38, 0.08, 0.55),
}


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
    wheel_radius: float = 0.37
    half_width: float = 0.86


SHAPES = {
    "sedan": Shape(2.20, 0.88, 1.42, (-1.72, -1.02, 0.22, 1.00)),
    "hatchback": Shape(1.85, 0.90, 1.48, (-1.84, -1.45, 0.20, 0.95)),
    "coupe": Shape(2.15, 0.80, 1.24, (-1.75, -0.72, 0.02, 0.85)),
    "suv": Shape(2.20, 1.08, 1.78, (-2.16, -1.90, 0.30, 0.95), wheel_radius=0.44, half_width=0.92),
    "van": Shape(2.30, 1.05, 2.05, (-2.27, -2.20, 1.20, 1.95), wheel_radius=0.38, half_width=0.92),
    "pickup": Shape(2.50, 1.05, 1.72, (-0.62, -0.48, 0.42, 1.10), wheel_radius=0.44, half_width=0.92),
}

PAINT, CABIN, WHEEL, WING, KIT = range(5)
WHEEL_X = 0.62  # wheel centres, as a share of the half length
ARCH = 0.07


def box(p, centre, half, rounding=0.02):
    """Return the distance of points p (N, 3) to a rounded box."""
    q = (p - p.new_tensor(centre)).abs() - (p.new_tensor(half) - rounding)
    return q.clamp(min=0).norm(dim=1) + q.amax(dim=1).clamp(max=0) - rounding


def hood_drop(x, shape):
    """How far the deck slopes down towards the nose, metres."""
    return 0.12 * ((x - shape.cabin[3]) / (shape.half_length - shape.cabin[3])).clamp(0, 1) ** 2


def cabin_distance(p, shape):
    """Return the distance to the tapered prism of the cabin."""
    x, y, z = p.unbind(1)
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
    d = torch.stack(sides, 1) + 0.06
    return d.clamp(min=0).norm(dim=1) + d.amax(dim=1).clamp(max=0) - 0.06


def part_distances(p, car):
    """Return the distances to PAINT, CABIN, WHEEL, WING and KIT, shape (N, 5), for points (N, 3)."""
    shape = SHAPES[car.style]
    length, width, radius = shape.half_length, shape.half_width, shape.wheel_radius
    p = torch.stack([p[:, 0], p[:, 1].abs(), p[:, 2]], 1)
    x, y, z = p.unbind(1)

    lifted = torch.stack([x, y, z + hood_drop(x, shape)], 1)
    body = box(lifted, (0, 0, (shape.deck + 0.24) / 2), (length, width, (shape.deck - 0.24) / 2), 0.13)
    if car.style == "pickup":
        bed = box(p, (-1.62, 0, 1.1), (0.78, 0.72, 0.38), 0.02)
        body = torch.maximum(body, -bed)
    from_axle = torch.stack([x.abs() - WHEEL_X * length, z - radius], 1).norm(dim=1)
    body = torch.maximum(body, -torch.maximum(from_axle - radius - ARCH, 0.5 - y))
    tyre = torch.stack([from_axle - radius + 0.03, (y - width + 0.14).abs() - 0.12 + 0.03], 1)
    wheel = tyre.clamp(min=0).norm(dim=1) + tyre.amax(dim=1).clamp(max=0) - 0.03

    far = torch.full_like(x, 1e3)
    wing = far
    if car.wing:
        rear = -length + 0.18
        top = shape.deck if shape.cabin[0] > -length + 0.3 else shape.roof
        top, rear = (top, rear) if car.style != "hatchback" else (shape.roof, -1.5)
        wing = torch.minimum(
            box(p, (rear, 0, top + 0.34), (0.22, 0.80, 0.045)),
            torch.minimum(
                box(p, (rear, 0.48, top + 0.14), (0.09, 0.035, 0.22)),
                box(p, (rear, 0.80, top + 0.33), (0.25, 0.03, 0.14)),
            ),
        )
    kit = far
    if car.body_kit:
        kit = torch.minimum(
            box(p, (0, width, 0.25), (WHEEL_X * length - radius - 0.08, 0.07, 0.11)),
            torch.minimum(
                box(p, (length, 0, 0.22), (0.20, width + 0.02, 0.10)),
                box(p, (-length, 0, 0.27), (0.13, width + 0.02, 0.13)),
            ),
        )
    return torch.stack([body, cabin_distance(p, shape), wheel, wing, kit], 1)


def paint(p, normal, part, car):
    """Return albedo (N, 3), glossiness (N,) and emission (N, 3) of surface points p (N, 3)."""
    shape = SHAPES[car.style]
    length, radius = shape.half_length, shape.wheel_radius
    x, y, z = p[:, 0], p[:, 1].abs(), p[:, 2]

    def colour(name):
        return p.new_tensor(COLOURS[name])

    albedo = colour(car.colour).expand(len(p), 3).clone()
    gloss = torch.full_like(x, 0.55)
    emission = torch.zeros_like(p)
    body, cabin = part == PAINT, part == CABIN

    roof = cabin & (z > shape.roof - 0.07)
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
        stripe = (body | roof) & ((y - 0.24).abs() < 0.115) & (normal[:, 1].abs() < 0.7)
        albedo[stripe] = colour(car.stripes)

    nose, tail = body & (normal[:, 0] > 0.4), body & (normal[:, 0] < -0.4)
    lamp_z = shape.deck - 0.24
    grille = nose & (y < 0.42) & ((z - lamp_z + 0.1).abs() < 0.09) & ((y - 0.24).abs() > (0.115 if car.stripes else -1))
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
    from_axle, angle = torch.hypot(dx, dz), torch.atan2(dz, dx)
    rim = wheel & (from_axle < radius * 0.74) & (normal[:, 1].abs() > 0.5)
    spoke = (torch.cos(angle * 5).abs() > 0.42) | (from_axle < radius * 0.22) | (from_axle > radius * 0.62)
    albedo[wheel] = p.new_tensor((0.03, 0.03, 0.03))
    gloss[wheel] = 0.05
    albedo[rim & spoke] = colour(car.wheels)
    gloss[rim & spoke] = 0.4

    for mask, name in ((part == WING, car.wing), (part == KIT, car.body_kit)):
        if name:
            albedo[mask] = colour(name)
            gloss[mask] = 0.25
    return albedo, gloss, emission
