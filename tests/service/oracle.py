"""Random requests by many clients, each picture compared with the one that was made alone before."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from tests.service.http.test_answers import pixels
from tests.service.http.test_routes_pictures import photo

SCALES, SIDES, SAMPLERS = (0.0, 0.3, 0.7, 1.0, 1.5), (64, 96, 128), ("dpmpp_2m", "euler_a", "ddim")
PROMPTS = ("a gentra", "a gentra in the snow", "a van at night", "a gentra, side view")


@dataclass
class Oracle:
    """What a list of requests gave alone, and where it was otherwise under load."""

    requests: list
    alone: dict = field(default_factory=dict)  # by (place of the request, commit)
    wrong: list = field(default_factory=list)
    by_commit: dict = field(default_factory=dict)


def random_requests(count, seed, steps=(2, 4)):
    """Return `count` requests of both kinds, of few shapes so that many can share a batch."""
    chance, found = random.Random(seed), []
    for _ in range(count):
        values = {"prompt": chance.choice(PROMPTS), "seed": chance.randrange(2**32)}
        values |= {"lora_scale": chance.choice(SCALES), "sampler": chance.choice(SAMPLERS)}
        values |= {"num_inference_steps": chance.choice(steps), "guidance_scale": chance.choice((1.0, 3.0, 5.0))}
        if chance.random() < 0.4:
            found.append(values | {"strength": chance.choice((0.5, 1.0)), "photo": chance.randrange(3)})
        else:
            found.append(values | {"width": chance.choice(SIDES), "height": chance.choice(SIDES)})
    return found


def answer(served, request):
    """Return (commit, picture) of a request; one that finds no place tries again."""
    values = dict(request)
    which = values.pop("photo", None)
    while True:
        if which is None:
            found = served.draw(**values)
        else:
            found = served.redraw(photo(((96, 72), (72, 96), (80, 80))[which], (80 * which, 120, 30)), **values)
        if found.status_code != 429:
            assert found.status_code == 200, found.text
            return found.headers["x-commit"], pixels(found.content)
        threading.Event().wait(0.05)


def ask_alone(served, oracle):
    """Ask for all pictures, one after the other."""
    for place, request in enumerate(oracle.requests):
        commit, picture = answer(served, request)
        oracle.alone[place, commit] = picture


def ask_together(served, oracle, clients=16, meanwhile=lambda done: None):
    """Ask for all pictures by many clients at once; `meanwhile` is called with the event of their end."""
    done = threading.Event()
    beside = threading.Thread(target=meanwhile, args=(done,))
    beside.start()

    def compare(place):
        commit, picture = answer(served, oracle.requests[place])
        oracle.by_commit[commit] = oracle.by_commit.get(commit, 0) + 1
        wanted = oracle.alone[place, commit]
        if picture.shape != wanted.shape or np.abs(picture.astype(int) - wanted).max() > 1:
            oracle.wrong.append((place, commit))

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(compare, range(len(oracle.requests))))
    done.set()
    beside.join()
