"""Jobs as answers: a PNG with its headers, JSON, the state of a job, events."""

import base64
import json
import re
import struct
from io import BytesIO

import numpy as np
from fastapi import Request, Response
from numpy.typing import NDArray
from PIL import Image

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.job import Job

PNG, JSON = "image/png", "application/json"


def accepted_type(request: Request, pictures: int) -> str:
    """Return the media type of the answer: a PNG, or JSON by wish and for several pictures.

    Raises:
        ServiceError: 406, none of the two will do.
    """
    wishes = wished_types(request.headers.get("accept", "*/*"))
    for wish in wishes:
        if wish == JSON or (wish in ("*/*", "image/*", "") and pictures > 1):
            return JSON
        if wish in (PNG, "image/*", "*/*", "") and pictures == 1:
            return PNG
        if wish == "application/*":
            return JSON
    what = f"{PNG} holds one picture; accept {JSON}" if PNG in wishes else f"accept {PNG} or {JSON}"
    raise ServiceError(406, "not_acceptable", what)


def check_taken(request: Request, *media_types: str) -> None:
    """Refuse a client that takes none of these media types.

    Raises:
        ServiceError: 406, with the last of them.
    """
    taken = {"*/*", "", *media_types, *(f"{kind.split('/')[0]}/*" for kind in media_types)}
    if not taken & set(wished_types(request.headers.get("accept", "*/*"))):
        raise ServiceError(406, "not_acceptable", f"accept {media_types[-1]}")


def wished_types(accept: str) -> list[str]:
    """Return the media types of an Accept header, the most wanted first, those with q=0 left out."""
    found: list[tuple[float, int, str]] = []
    for word in accept.split(","):
        kind, *more = (part.strip().lower() for part in word.split(";"))
        quality = next((part[2:] for part in more if part.startswith("q=")), "1")
        share = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 1.0
        found.append((-share, len(found), kind))
    return [kind for share, _, kind in sorted(found) if share]


def picture_answer(job: Job, media_type: str) -> Response | dict[str, object]:
    """Return the answer with the pictures of a job that is done."""
    if media_type == PNG:
        record = job.records[0]
        headers = {
            "X-Job-ID": job.id,
            "X-Seed": str(record["seed"]),
            "X-Size": "{width}x{height}".format(**size_of_png(job.pngs[0])),
            "X-Commit": record["commit"] or "",
            "X-Weights-SHA256": record["adapter_sha256"],
            "X-Warnings": json.dumps(job.warnings),  # in ASCII
        }
        return Response(job.pngs[0], media_type=PNG, headers=headers)
    pictures = [
        {"seed": record["seed"], **size_of_png(png), "b64_json": base64.b64encode(png).decode(), "parameters": record}
        for png, record in zip(job.pngs, job.records, strict=True)
    ]
    return {"id": job.id, "images": pictures, "warnings": job.warnings, "timings": job.timings}


def size_of_png(png: bytes) -> dict[str, int]:
    """Return a PNG's sides; its record has those that were drawn, which differ where a region was put back."""
    return dict(zip(("width", "height"), struct.unpack(">II", png[16:24]), strict=True))


def job_state(job: Job, position: int | None) -> dict[str, object]:
    """Return how far a job is."""
    pictures = [
        {"seed": record["seed"], **size_of_png(png), "url": f"/v1/jobs/{job.id}/images/{index}", "parameters": record}
        for index, (png, record) in enumerate(zip(job.pngs, job.records, strict=True) if job.state == "done" else [])
    ]
    return {
        "id": job.id,
        "state": job.state,
        "position": position,
        "step": job.step,
        "steps": job.steps,
        "seeds": [request.seed for request in job.requests],
        "warnings": job.warnings,
        "error": job.error.body("")["error"] if job.error else None,
        "images": pictures,
        "timings": job.timings if job.state == "done" else None,
    }


def event_of(job: Job, position: int | None) -> tuple[str, dict[str, object]]:
    """Return (name, values) of what is to be told of a job now."""
    if job.ended:
        return job.state, job_state(job, None)
    if job.state == "queued":
        return "queued", {"position": position or 1}
    return "step", {"step": job.step, "steps": job.steps, "previews": [*map(data_of, job.previews)]}


def data_of(preview: NDArray[np.uint8] | None) -> str | None:
    """Return a preview as a data: address, or None."""
    if preview is None:
        return None
    with BytesIO() as buffer:
        Image.fromarray(preview).save(buffer, "PNG")
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
