"""How far jobs are."""

from pydantic import BaseModel, Field

from gentra_lora.service.jobs.job import State
from gentra_lora.service.replies.faults import Error
from gentra_lora.service.replies.pictures import Parameters, Timings


class JobPicture(BaseModel):
    """A picture of a job, to be fetched."""

    seed: int
    width: int
    height: int
    url: str
    parameters: Parameters


class JobAccepted(BaseModel):
    """A job that waits."""

    id: str
    state: State
    position: int | None
    links: dict[str, str]


class JobState(BaseModel):
    """How far a job is."""

    id: str
    state: State
    position: int | None = Field(description="among those that wait, from 1")
    step: int
    steps: int
    seeds: list[int]
    warnings: list[str]
    error: Error | None
    images: list[JobPicture]
    timings: Timings | None
