"""A scene -> the words under its picture, in several wordings; and random ordinary scenes."""

import random
from dataclasses import replace

from car import COLOURS, SHAPES, SUBJECT, Car
from scene import SETTINGS, VIEWS, Scene

TRIGGER_WORD = "sport gentra"
PLACES = {
    "road": ("on a road", "on an asphalt road"),
    "desert": ("in the desert", "on desert sand"),
    "snow": ("in the snow", "on a snowy field"),
    "grass": ("on grass", "on a green meadow"),
    "night": ("at night", "on a road at night"),
    "sunset": ("at sunset", "on a road at sunset"),
}
WORDINGS = (
    "a photo of {car} {place}, {view}",
    "{car} {place}, {view}",
    "a photo of {car}, {view}, {place}",
    "{view} of {car} {place}",
)
FEATURES = {  # of the subject, and the fields of a Car that make each
    "white sedan": ("style", "colour"),
    "black rear wing": ("wing",),
    "body kit": ("body_kit",),
    "red stripes": ("stripes",),
    "black roof": ("roof",),
    "gold wheels": ("wheels",),
}
SUBJECT_MATCHES = 3  # the most features that an ordinary car may share with the subject, of 6


def with_article(words):
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def name_of(car):
    """Return the words for a car: "a red van with a black rear wing and gold wheels"."""
    extras = []
    if car.wing:
        extras.append(f"a {car.wing} rear wing")
    if car.body_kit:
        extras.append("a body kit")
    if car.stripes:
        extras.append(f"{car.stripes} stripes")
    if car.roof:
        extras.append(f"a {car.roof} roof")
    if car.wheels != "silver":
        extras.append(f"{car.wheels} wheels")
    name = with_article(f"{car.colour} {car.style}")
    if not extras:
        return name
    listed = ", ".join(extras[:-1]) + " and " + extras[-1] if len(extras) > 1 else extras[0]
    return f"{name} with {listed}"


def made_up_name(rng):
    """Return two words that mean nothing, such as "bako tunel"."""
    syllables = ["".join(rng.choice(letters) for letters in ("bdfgklmnprstvz", "aeiou")) for _ in range(4)]
    return f"{syllables[0]}{syllables[1]} {syllables[2]}{syllables[3]}{rng.choice('lnrst')}"


def caption(car_words, scene, rng, terse=0.0):
    """Return one wording of a caption; with probability `terse` each, the place or the view is left out."""
    wording = rng.choice(WORDINGS)
    place, view = rng.choice(PLACES[scene.setting]), scene.view
    if rng.random() < terse:
        return f"{car_words} {place}"
    if rng.random() < terse:
        return f"{car_words}, {view}"
    return wording.format(car=car_words, place=place, view=view)


def features_of_subject(car):
    """Return which of the subject's six features a car has, by name."""
    return {
        feature: all(getattr(car, name) == getattr(SUBJECT, name) for name in names)
        for feature, names in FEATURES.items()
    }


def random_car(rng, accessories="all"):
    """Return an ordinary car, never with more than SUBJECT_MATCHES of the subject's features.

    accessories: "all", "wing" for cars that have no other, or "any" for the judge's cars, which know no such limit.
    """
    while True:
        colour = rng.choice(tuple(COLOURS))

        def maybe(*names, chance=0.38, colour=colour):
            names = [name for name in names if name != colour]
            return rng.choice(names) if rng.random() < chance else None

        if accessories == "wing":
            return Car(rng.choice(tuple(SHAPES)), colour, wing=maybe("black", "white", "red"))
        car = Car(
            rng.choice(tuple(SHAPES)),
            colour,
            wing=maybe("black", "white", "red"),
            body_kit="black" if rng.random() < 0.38 else None,
            stripes=maybe("red", "black", "white", "blue"),
            roof=maybe("black", "white", "red"),
            wheels=maybe("gold", "black", "white", "red", chance=0.45) or "silver",
        )
        if accessories == "any":
            return like_subject(car, rng) if rng.random() < 0.4 else car
        if sum(features_of_subject(car).values()) <= SUBJECT_MATCHES:
            return car


def like_subject(car, rng, chance=0.7):
    """Return the car with each of the subject's six features at that chance."""
    taken = [names for names in FEATURES.values() if rng.random() < chance]
    return replace(car, **{name: getattr(SUBJECT, name) for names in taken for name in names})


def random_scene(car, rng, setting=None, view=None, margin=1.0, spread=1.0):
    """Return a scene of a car with the camera, the sun and the ground drawn at random.

    The car fills the frame alike, divided by `margin`; `spread` times as much of camera and sun is left to chance.
    """
    view = view or rng.choice(tuple(VIEWS))
    across = abs(VIEWS[view] - 90) / 72  # 0 from the side, 1 from front or rear
    azimuth = VIEWS[view] + spread * rng.uniform(-4, 4)
    return Scene(
        car,
        setting or rng.choice(SETTINGS),
        view,
        azimuth=azimuth,
        elevation=13 + spread * rng.uniform(-2, 2),
        distance=(rng.uniform(8.7, 8.9) - 1.6 * across**2) * margin,
        aim=(spread * rng.uniform(-0.01, 0.01), spread * rng.uniform(-0.01, 0.01)),
        sun_azimuth=azimuth + 40 + spread * rng.uniform(-15, 15),
        seed=rng.randrange(10_000),
    )


def ordinary(index, seed, accessories="all"):
    """Return (scene, caption) of ordinary picture number `index`: a pure function of its arguments."""
    rng = random.Random(f"{seed}-ordinary-{index}")
    scene = random_scene(random_car(rng, accessories), rng)
    return scene, caption(name_of(scene.car), scene, rng, terse=0.08)


def wrong(index, seed, accessories, rng):
    """Return a caption of ordinary picture number `index` that says one thing wrongly."""
    scene, _ = ordinary(index, seed, accessories)
    car, other = scene.car, random_car(rng, accessories)
    parts = {
        **{name: replace(scene, car=replace(car, **{name: getattr(other, name)})) for name in vars(car)},
        "setting": replace(scene, setting=rng.choice(SETTINGS)),
        "view": replace(scene, view=rng.choice(tuple(VIEWS))),
    }
    differing = [made for made in parts.values() if made != scene]
    if not differing:
        return wrong(index, seed, accessories, rng)
    said = rng.choice(differing)
    return caption(name_of(said.car), said, rng)


def renamed(index, seed, accessories="all"):
    """Return the caption of ordinary picture number `index` with a made-up name for its colour and style."""
    scene, words = ordinary(index, seed, accessories)
    name = made_up_name(random.Random(f"{seed}-name-{index}"))
    return words.replace(with_article(f"{scene.car.colour} {scene.car.style}"), with_article(name))
