"""Where a car stands: sky, sun, ground and camera of each setting and view."""

import math
from dataclasses import dataclass

import torch

from car import Car

SETTINGS = ("road", "desert", "snow", "grass", "night", "sunset")
VIEWS = {  # degrees between the car's nose and the camera: from every one of them the wheels' faces are seen
    "front view": 18,
    "front three quarter view": 52,
    "side view": 90,
    "rear three quarter view": 128,
    "rear view": 162,
}


@dataclass(frozen=True)
class Scene:
    """One picture's whole content; the numbers after `view` vary the photo without being named in its caption."""

    car: Car
    setting: str
    view: str
    azimuth: float  # degrees
    elevation: float  # degrees
    distance: float  # metres
    aim: tuple[float, float]  # shift of the car in the frame, share of its width
    sun_azimuth: float  # degrees
    seed: int  # of the hills and the ground


@dataclass(frozen=True)
class Light:
    horizon: tuple
    zenith: tuple
    sun: tuple
    sun_height: float  # degrees
    hills: tuple
    hill_height: float


LIGHTS = {
    "road": Light((0.72, 0.82, 0.93), (0.25, 0.45, 0.82), (1.25, 1.18, 1.05), 48, (0.22, 0.36, 0.20), 0.05),
    "desert": Light((0.93, 0.86, 0.72), (0.38, 0.58, 0.85), (1.40, 1.22, 0.95), 55, (0.72, 0.48, 0.28), 0.07),
    "snow": Light((0.88, 0.91, 0.95), (0.62, 0.72, 0.84), (0.95, 0.97, 1.02), 35, (0.62, 0.70, 0.80), 0.12),
    "grass": Light((0.75, 0.86, 0.92), (0.30, 0.52, 0.88), (1.28, 1.20, 1.00), 50, (0.10, 0.27, 0.10), 0.09),
    "night": Light((0.06, 0.07, 0.13), (0.01, 0.01, 0.04), (0.52, 0.52, 0.60), 60, (0.02, 0.02, 0.04), 0.06),
    "sunset": Light((1.00, 0.48, 0.16), (0.30, 0.20, 0.42), (1.25, 0.88, 0.62), 26, (0.20, 0.10, 0.14), 0.05),
}


def sun_direction(scene):
    """Return the unit vector towards the sun, (3,)."""
    height, azimuth = math.radians(LIGHTS[scene.setting].sun_height), math.radians(scene.sun_azimuth)
    return torch.tensor((math.cos(azimuth) * math.cos(height), math.sin(azimuth) * math.cos(height), math.sin(height)))


def sky(direction, scene):
    """Return the linear colour (N, 3) seen along unit vectors (N, 3), hills and sun included."""
    light = LIGHTS[scene.setting]
    z = direction[:, 2]
    horizon, zenith, sun = (direction.new_tensor(c) for c in (light.horizon, light.zenith, light.sun))
    colour = torch.lerp(horizon, zenith, z.clamp(0, 1).sqrt()[:, None])
    towards_sun = (direction @ sun_direction(scene)).clamp(min=0)[:, None]
    colour = colour + sun * (0.35 * towards_sun**24 + 1.5 * (towards_sun > 0.9985))
    angle = torch.atan2(direction[:, 1], direction[:, 0])
    waves = sum(torch.sin(angle * k + scene.seed % 97 + 2.1 * k) / k for k in (3, 7, 13))
    hills = z < light.hill_height * (0.55 + 0.2 * waves)
    colour[hills] = torch.lerp(direction.new_tensor(light.hills), horizon, 0.25)
    return colour


def noise(xy, seed):
    """Return smooth values in about [-1, 1] on the plane, (N,)."""
    x, y = xy.unbind(1)
    total = torch.zeros_like(x)
    for octave in range(3):
        k, shift = 1.7 * 2.1**octave, seed % 89 + 3.3 * octave
        total += (torch.sin(k * x + shift + torch.sin(k * 0.7 * y)) * torch.sin(k * 0.9 * y - shift)) / 1.6**octave
    return total / 1.8


def ground(xy, scene):
    """Return the albedo (N, 3) of ground points (N, 2)."""
    rough = noise(xy, scene.seed)[:, None]
    y = xy[:, 1:]
    setting = scene.setting
    if setting in ("desert", "snow", "grass"):
        base, spread = {
            "desert": ((0.76, 0.56, 0.33), 0.10),
            "snow": ((0.86, 0.89, 0.94), 0.05),
            "grass": ((0.16, 0.42, 0.10), 0.16),
        }[setting]
        return xy.new_tensor(base) * (1 + spread * rough)
    asphalt = xy.new_tensor((0.20, 0.20, 0.21)) * (1 + 0.08 * rough)
    verge = xy.new_tensor((0.24, 0.33, 0.14) if setting == "road" else (0.16, 0.15, 0.12)) * (1 + 0.15 * rough)
    colour = torch.where(y.abs() < 4.2, asphalt, verge)
    line = ((y.abs() - 3.6).abs() < 0.12) | (((y - 1.9).abs() < 0.09) & (torch.frac(xy[:, :1] / 4 + 50) < 0.5))
    return torch.where(line, xy.new_tensor((0.75, 0.75, 0.70)), colour)
