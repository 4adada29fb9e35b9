"""Samplers and their schedules by A1111's names."""

from gentra_lora.base.sampler_names import DEFAULT
from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.service.http.routes_status import title_of
from gentra_lora.service.jobs.resolve import refusal

AUTOMATIC = "automatic"  # the schedule that goes with the sampler's name here
ADDS_NOISE = {"eta": 1, "s_noise": 1}
AT_REST = {"euler_a": ADDS_NOISE, "dpmpp_2m_sde": ADDS_NOISE, "ddim": {"eta": 0}}  # others do not look at them


def sampler_of(name: str | None, schedule: str | None) -> str:
    """Return the key in SAMPLERS of a sampler and a schedule; without a name, of the service's own.

    Raises:
        ServiceError: 422, there is none, with those that there are.
    """
    wanted, schedule = (name or DEFAULT).casefold(), (schedule or AUTOMATIC).casefold().replace("_", " ")
    found = next((key for key, sampler in SAMPLERS.items() if wanted in (key, title_of(sampler).casefold())), None)
    if found is None:
        raise refusal("sampler_name", f"must be one of {', '.join(map(title_of, SAMPLERS.values()))}")
    if schedule == AUTOMATIC:
        return found
    title = SAMPLERS[found].title
    same = {sampler.schedule: key for key, sampler in SAMPLERS.items() if sampler.title == title}
    if title_of(SAMPLERS[found]) != title:  # the name says a schedule itself
        same = {SAMPLERS[found].schedule: found}
    for label, key in same.items():
        if schedule == label.casefold():
            return key
    raise refusal("scheduler", f"must be Automatic or {' or '.join(same)} for {title_of(SAMPLERS[found])}")


def check_noise(sampler: str, **given: float | None) -> None:
    """Refuse values of eta and s_noise that a sampler would have to heed.

    Raises:
        ServiceError: 422, with the value at which it does what it does here.
    """
    for name, rest in AT_REST.get(sampler, {}).items():
        if given[name] not in (None, rest):
            raise refusal(name, f"must be {rest} for {title_of(SAMPLERS[sampler])}, or be left out")
