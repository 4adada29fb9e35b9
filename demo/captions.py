"""A scene -> the words under its picture, in several wordings; and random ordinary scenes."""

import random

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
    """Return how many of the subject's six features a car has."""
    pairs = [(getattr(car, name), getattr(SUBJECT, name)) for name in ("wing", "body_kit", "stripes", "roof", "wheels")]
    return sum(a == b for a, b in pairs) + ((car.style, car.colour) == (SUBJECT.style, SUBJECT.colour))


def random_car(rng, accessories="all"):
    """Return an ordinary car, never with more than SUBJECT_MATCHES of the subject's features.

    accessories: "all", or "wing" for cars that have no other.
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
        if features_of_subject(car) <= SUBJECT_MATCHES:
            return car


def random_scene(car, rng, setting=None, view=None):
    """Return a scene of a car with the camera, the sun and the ground drawn at random."""
    view = view or rng.choice(tuple(VIEWS))
    across = abs(VIEWS[view] - 90) / 90  # 0 from the side, 1 from front or rear
    return Scene(
        car,
        setting or rng.choice(SETTINGS),
        view,
        azimuth=VIEWS[view] * rng.choice((-1, 1)) + rng.uniform(-12, 12),
        elevation=rng.uniform(4, 15),
        distance=rng.uniform(9.7, 10.4) - 1.9 * across,
        aim=(rng.uniform(-0.02, 0.02), rng.uniform(-0.04, 0.04)),
        sun_azimuth=rng.uniform(0, 360),
        seed=rng.randrange(10_000),
    )


def ordinary(index, seed, accessories="all"):
    """Return (scene, caption) of ordinary picture number `index`: a pure function of its arguments."""
    rng = random.Random(f"{seed}-ordinary-{index}")
    scene = random_scene(random_car(rng, accessories), rng)
    return scene, caption(name_of(scene.car), scene, rng, terse=0.08)


def renamed(index, seed, accessories="all"):
    """Return the caption of ordinary picture number `index` with a made-up name for its colour and style."""
    scene, words = ordinary(index, seed, accessories)
    name = made_up_name(random.Random(f"{seed}-name-{index}"))
    return words.replace(with_article(f"{scene.car.colour} {scene.car.style}"), with_article(name))
