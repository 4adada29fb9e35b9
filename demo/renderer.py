"""Scene -> picture, by sphere tracing on the CPU (Hart 1996, "Sphere tracing")."""

import math

import numpy as np
import torch

from car import SHAPES, paint, part_distances
from scene import LIGHTS, ground, sky, sun_direction

FIELD_OF_VIEW = 34  # degrees
STEPS = 40
SHADOW_STEPS = 14
STRIDE = 0.9  # sheared and smoothed distances overestimate a little


def camera_rays(scene, size):
    """Return the camera's origin (3,) and unit directions (size * size, 3), top row first."""
    azimuth, elevation = math.radians(scene.azimuth), math.radians(scene.elevation)
    height = SHAPES[scene.car.style].roof / 2
    centre = torch.tensor((0.0, 0.0, height))
    outward = torch.tensor(
        (math.cos(azimuth) * math.cos(elevation), math.sin(azimuth) * math.cos(elevation), math.sin(elevation))
    )
    origin = centre + outward * scene.distance
    forward = -outward
    right = torch.linalg.cross(forward, torch.tensor((0.0, 0.0, 1.0)))
    right = right / right.norm()
    up = torch.linalg.cross(right, forward)
    half = math.tan(math.radians(FIELD_OF_VIEW / 2))
    grid = (torch.arange(size) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(-grid, grid, indexing="ij")
    u, v = (u - 2 * scene.aim[0]) * half, (v - 2 * scene.aim[1]) * half
    direction = forward + u[..., None] * right + v[..., None] * up
    return origin, (direction / direction.norm(dim=-1, keepdim=True)).reshape(-1, 3)


def bounding_span(origin, direction, car):
    """Return where each ray enters and leaves the car's bounding box, (N,) each; enter > leave is a miss."""
    shape = SHAPES[car.style]
    low = torch.tensor((-shape.half_length - 0.25, -shape.half_width - 0.1, 0.0))
    high = torch.tensor((shape.half_length + 0.25, shape.half_width + 0.1, shape.roof + 0.6))
    safe = torch.where(direction.abs() < 1e-6, torch.full_like(direction, 1e-6), direction)
    a, b = (low - origin) / safe, (high - origin) / safe
    return torch.minimum(a, b).amax(dim=1).clamp(min=0), torch.maximum(a, b).amin(dim=1)


def march(origin, direction, car):
    """Return the distance along each ray to the car, (N,), inf where it misses."""
    enter, leave = bounding_span(origin, direction, car)
    travelled = torch.full_like(enter, math.inf)
    active = (enter < leave).nonzero().squeeze(1)
    t = enter[active]
    for _ in range(STEPS):
        if not len(active):
            break
        d = part_distances(origin + t[:, None] * direction[active], car).amin(dim=0)
        hit = d < 0.004
        travelled[active[hit]] = t[hit]
        t = t + d * STRIDE
        keep = ~hit & (t < leave[active])
        active, t = active[keep], t[keep]
    return travelled


def surface_normal(p, car):
    """Return unit normals (N, 3) by tetrahedral differences."""
    corners = torch.tensor([(1.0, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)])
    d = torch.stack([part_distances(p + 0.004 * c, car).amin(dim=0) for c in corners])
    normal = (corners[:, None] * d[..., None]).sum(dim=0)
    return normal / normal.norm(dim=1, keepdim=True).clamp(min=1e-9)


def sunlight(p, car, sun):
    """Return the share of the sun that reaches points (N, 3): soft shadows, Quilez' penumbra estimate."""
    light = torch.ones(len(p))
    _, leave = bounding_span(p, sun.expand_as(p), car)
    active = (leave > 0.02).nonzero().squeeze(1)
    t = torch.full((len(active),), 0.05)
    for _ in range(SHADOW_STEPS):
        if not len(active):
            break
        d = part_distances(p[active] + t[:, None] * sun, car).amin(dim=0)
        light[active] = torch.minimum(light[active], (10 * d / t).clamp(0, 1))
        t = t + d.clamp(min=0.05)
        keep = (light[active] > 0.01) & (t < leave[active])
        active, t = active[keep], t[keep]
    return light


def shade_car(p, direction, scene):
    """Return the linear colour (N, 3) of points on the car seen along direction."""
    car, sun = scene.car, sun_direction(scene)
    light = LIGHTS[scene.setting]
    part = part_distances(p, car).argmin(dim=0)
    normal = surface_normal(p, car)
    albedo, gloss, emission = paint(p, normal, part, car)
    lit = (normal @ sun).clamp(min=0)
    lit = lit * torch.where(lit > 0, sunlight(p + normal * 0.02, car, sun), lit)
    # Half neutral: a red sky alone would make every colour of paint look the same.
    neutral = torch.lerp(torch.tensor(light.horizon), torch.tensor(light.horizon).mean().expand(3), 0.6)
    ambient = (0.62 + 0.38 * normal[:, 2:]) * neutral.clamp(min=0.16)
    colour = albedo * (0.62 * ambient + 0.85 * lit[:, None] * torch.tensor(light.sun))
    mirrored = direction - 2 * (direction * normal).sum(dim=1, keepdim=True) * normal
    facing = (-(direction * normal).sum(dim=1)).clamp(0, 1)
    fresnel = gloss * (0.06 + 0.94 * (1 - facing) ** 5) + 0.12 * (gloss == 1)
    reflected = sky(mirrored, scene)
    reflected[mirrored[:, 2] < 0] = ground(p[:, :2], scene)[mirrored[:, 2] < 0] * 0.4
    sparkle = ((mirrored @ sun).clamp(min=0) ** 60 * gloss * (lit > 0))[:, None] * torch.tensor(light.sun)
    glow = 2.2 if scene.setting in ("night", "sunset") else 0.6
    return colour * (1 - fresnel[:, None]) + fresnel[:, None] * reflected + 0.5 * sparkle + glow * emission


def shade_ground(p, scene, distance):
    """Return the linear colour (N, 3) of ground points, the car's shadow included, fading into the haze."""
    car, sun = scene.car, sun_direction(scene)
    light = LIGHTS[scene.setting]
    near = p.norm(dim=1) < 9
    shadow = torch.ones(len(p))
    shadow[near] = sunlight(p[near], car, sun)
    occlusion = torch.ones(len(p))
    beside = p.norm(dim=1) < 4
    occlusion[beside] = (0.35 + part_distances(p[beside] + torch.tensor((0, 0, 0.05)), car).amin(dim=0)).clamp(0, 1)
    direct = sun[2] * shadow[:, None] * torch.tensor(light.sun)
    ambient = torch.tensor(light.horizon).clamp(min=0.12) * 0.62 * occlusion[:, None]
    colour = ground(p[:, :2], scene) * (ambient + 0.85 * direct)
    if scene.setting == "night":
        nose = SHAPES[car.style].half_length
        ahead = p[:, 0] - nose
        beam = torch.exp(-0.25 * ahead.clamp(min=0) - (p[:, 1] / (1 + 0.25 * ahead.clamp(min=0))) ** 2) * (ahead > 0)
        colour = colour + 0.9 * beam[:, None] * ground(p[:, :2], scene) * torch.tensor((1.0, 0.95, 0.8))
    haze = 1 - torch.exp(-distance / 60)
    return torch.lerp(colour, torch.tensor(light.horizon).expand_as(colour), haze[:, None].clamp(0, 1))


def seen_from(scene, pixels):
    """Return the camera's origin, the rays' directions (pixels^2, 3), and how far car and ground are along each."""
    origin, direction = camera_rays(scene, pixels)
    to_car = march(origin, direction, scene.car)
    to_ground = torch.where(direction[:, 2] < -1e-4, -origin[2] / direction[:, 2], math.inf)
    return origin, direction, to_car, to_ground


@torch.no_grad()
def render(scene, size, supersampling=2):
    """Return the picture of a scene, uint8 (size, size, 3)."""
    pixels = size * supersampling
    origin, direction, to_car, to_ground = seen_from(scene, pixels)
    colour = sky(direction, scene)
    on_ground = (to_ground < to_car) & (to_ground < 400)
    points = origin + to_ground[on_ground, None] * direction[on_ground]
    colour[on_ground] = shade_ground(points, scene, to_ground[on_ground])
    on_car = (to_car < to_ground).nonzero().squeeze(1)
    points = origin + to_car[on_car, None] * direction[on_car]
    colour[on_car] = shade_car(points, direction[on_car], scene)
    colour = colour.clamp(0, 1).reshape(size, supersampling, size, supersampling, 3).mean(dim=(1, 3))
    return (colour ** (1 / 2.2) * 255).round().to(torch.uint8).numpy().astype(np.uint8)
