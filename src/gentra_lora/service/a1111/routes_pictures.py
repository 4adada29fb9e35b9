"""A1111's txt2img and img2img."""

import base64
import json
from typing import Any

from fastapi import APIRouter, Request

from gentra_lora.pictures.record import parameters_text
from gentra_lora.service.a1111.photos import photo_of
from gentra_lora.service.a1111.replies import A1111Error, A1111Pictures, refusals
from gentra_lora.service.a1111.routes_lists import model_name, options_of, serving
from gentra_lora.service.a1111.schemas import A1111ImageToImage, A1111Picture, A1111TextToImage
from gentra_lora.service.a1111.tasks import Tasks
from gentra_lora.service.a1111.translation import in_a1111s_words, translated
from gentra_lora.service.bodies.decoders import Decoders
from gentra_lora.service.bodies.objects import read_json, read_photo_json
from gentra_lora.service.http.openapi import documented
from gentra_lora.service.http.routes_pictures import made, submitted
from gentra_lora.service.jobs.job import Job
from gentra_lora.service.jobs.schemas import ImageToImage, TextToImage
from gentra_lora.service.settings import ServiceSettings

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])
REFUSALS = refusals(400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504)
REFUSALS |= {409: {"model": A1111Error, "description": "interrupted by its client"}}


@router.post("/txt2img", response_model=A1111Pictures, responses=REFUSALS, openapi_extra=documented(A1111TextToImage))
async def a1111_txt2img(request: Request) -> dict[str, object]:
    """Draw a prompt for clients of A1111's API."""
    settings: ServiceSettings = request.app.state.settings
    request.app.state.service.check_open()
    asked = await read_json(request, A1111TextToImage, settings)
    with in_a1111s_words():
        body = translated(asked, TextToImage, options_of(serving(request)), settings.max_images)
        job = await finished(request, await submitted(request, body))
    return pictures(job, asked)


@router.post("/img2img", response_model=A1111Pictures, responses=REFUSALS, openapi_extra=documented(A1111ImageToImage))
async def a1111_img2img(request: Request) -> dict[str, object]:
    """Redraw a photo for clients of A1111's API."""
    settings: ServiceSettings = request.app.state.settings
    decoders: Decoders = request.app.state.decoders
    request.app.state.service.check_open()
    with decoders.upload(request.state.holder):
        asked = await read_photo_json(request, A1111ImageToImage, settings, decoders)
        with in_a1111s_words():
            body = translated(asked, ImageToImage, options_of(serving(request)), settings.max_images)
            photo, warnings = await decoders.run(request.state.holder, photo_of, asked, settings.max_photo_pixels)
            job = await submitted(request, body, photo)
        del photo
        if not asked.include_init_images:
            asked.init_images, asked.mask = [], None
    job.warnings += warnings
    with in_a1111s_words():
        return pictures(await finished(request, job), asked)


async def finished(request: Request, job: Job) -> Job:
    """Return the job, done; until then it is the one, or one of those, that its client sees at work."""
    tasks: Tasks = request.app.state.tasks
    with tasks.at_work(request.state.holder, job):
        return await made(request, job)


def pictures(job: Job, asked: A1111Picture) -> dict[str, object]:
    """Return the answer with the pictures of a job that is done."""
    return {
        "images": [base64.b64encode(png).decode() for png in job.pngs],
        "parameters": asked.model_dump(),
        "info": json.dumps(info_of(job, asked)),
    }


def info_of(job: Job, asked: A1111Picture) -> dict[str, Any]:
    """Return what A1111's clients look up of how pictures were made, and the warnings."""
    first = job.records[0]
    texts = [parameters_text(record) for record in job.records]
    return {
        **{name: first[name] for name in ("prompt", "negative_prompt", "seed", "width", "height")},
        "all_prompts": [record["prompt"] for record in job.records],
        "all_negative_prompts": [record["negative_prompt"] for record in job.records],
        "all_seeds": [record["seed"] for record in job.records],
        "steps": first["num_inference_steps"],
        "cfg_scale": first["guidance_scale"],
        "sampler_name": first["sampler"],
        "denoising_strength": first["strength"],
        "lora_scale": first["lora_scale"],
        "batch_size": asked.batch_size or 1,
        "sd_model_name": model_name(first["base"]),
        "index_of_first_image": 0,
        "infotexts": texts,
        "warnings": job.warnings,
        "job_id": job.id,
    }
