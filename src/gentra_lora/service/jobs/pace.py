"""How long pictures take here, told by those that were made."""

import math
import threading
from collections.abc import Sequence
from dataclasses import replace

from gentra_lora.pictures.request import PictureRequest
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.revision import Defaults
from gentra_lora.service.settings import ServiceSettings

USUAL_SIZES = ((256, 256), (512, 512), (512, 768), (768, 512), (768, 768), (1024, 1024), (1024, 1536), (1536, 1024))
CAN_BE_DONE = "can be done"
TIMES_LARGER = 4  # up to so much is foretold: in a small picture other things take the time than in a large one


class Pace:
    """The least time that any batch took for a pixel and a pass of the denoiser. Safe for any thread."""

    def __init__(self) -> None:
        self._least: dict[int, float] = {}  # pixels of a picture -> seconds for one pixel and pass
        self._lock = threading.Lock()

    def measured(self, request: PictureRequest, pictures: int, seconds: float) -> None:
        """Take what so many pictures took side by side."""
        pixels = request.width * request.height
        found = seconds / (pixels * pictures * passes_of(request))
        with self._lock:
            self._least[pixels] = min(found, self._least.get(pixels, found))

    def seconds(self, request: PictureRequest) -> float:
        """Return the least that a picture should take; 0 where nothing like it was made."""
        pixels = request.width * request.height
        with self._lock:
            known = [least for size, least in self._least.items() if size * TIMES_LARGER >= pixels]
        return min(known, default=0.0) * pixels * passes_of(request)


def passes_of(request: PictureRequest) -> int:
    """Return how often the denoiser is asked for a picture: with guidance twice a step."""
    return request.steps_run * (2 if request.guided else 1)


def check_time(requests: Sequence[PictureRequest], defaults: Defaults, settings: ServiceSettings, pace: Pace) -> None:
    """Refuse pictures larger than those of the training that cannot be done in time.

    Raises:
        ServiceError: 422, with the sizes that can.
    """
    first, seconds, limit = requests[0], sum(map(pace.seconds, requests)), limit_of(len(requests), settings)
    larger = first.width * first.height > defaults["width"] * defaults["height"]
    if larger and seconds > limit:
        told = f"and height are {first.width} x {first.height}, which takes {seconds:.0f} s here, and time_limit is "
        below, pictures = first.width * first.height - 1, min(len(requests), settings.max_images)
        told += f"{limit:g} s; {told_sizes(first, pictures, below, defaults, settings, pace)}"
        raise refusal("width", f"{told}, or fewer steps or pictures")


def limit_of(pictures: int, settings: ServiceSettings) -> float:
    """Return the seconds that so many pictures may take: a sweep as long as the requests that it stands for."""
    return settings.time_limit * math.ceil(pictures / settings.max_images)


def told_sizes(
    request: PictureRequest, pictures: int, pixels: int, defaults: Defaults, settings: ServiceSettings, pace: Pace
) -> str:
    """Return in words the usual sizes, up to so many pixels, at which pictures of a request can be done in time."""
    found = []
    for width, height in sorted({(defaults["width"], defaults["height"]), *USUAL_SIZES}):
        fits = max(width, height) <= settings.max_side and width * height <= pixels
        seconds = pictures * pace.seconds(replace(request, width=width, height=height))
        if fits and 0 < seconds <= settings.time_limit:  # what is not foretold is not promised
            found.append(f"{width}x{height}")
    return f"{', '.join(found) or 'no usual size'} {CAN_BE_DONE}"
