"""What the page asks for beside pictures: examples of the served weights, and how long a text is to them."""

import asyncio

from fastapi import APIRouter, Path, Request, Response

from gentra_lora.revisions.examples import Example
from gentra_lora.service.bodies.objects import read_json
from gentra_lora.service.errors import ServiceError, not_ready
from gentra_lora.service.http.openapi import documented, files_of, refusals
from gentra_lora.service.jobs.schemas import Words
from gentra_lora.service.jobs.service import Service
from gentra_lora.service.replies.model import ExampleList, Tokens

router = APIRouter(prefix="/v1", tags=["page"])
PNG = files_of("image/png")


@router.get("/examples", response_model=ExampleList, responses=refusals(401, 403, 503))
async def examples(request: Request) -> dict[str, object]:
    """The prompts of the served weights' evaluation, with what makes the picture again that each has."""
    found = await _examples(request)
    return {
        "examples": [
            {
                "prompt": example.prompt,
                "seed": example.seed,
                "num_inference_steps": example.num_inference_steps,
                "guidance_scale": example.guidance_scale,
                "width": example.side,
                "height": example.side,
                "url": f"/v1/examples/{place}",
            }
            for place, example in enumerate(found)
        ]
    }


@router.get("/examples/{index}", response_class=Response, responses=PNG | refusals(401, 403, 404, 422, 503))
async def example_picture(request: Request, index: int = Path(ge=0, le=999)) -> Response:
    """The picture of an example."""
    found = await _examples(request)
    if index >= len(found):
        raise ServiceError(404, "not_found", f"there are {len(found)} examples, and none has the number {index}")
    return Response(found[index].png, media_type="image/png")


@router.post(
    "/tokens",
    response_model=Tokens,
    responses=refusals(400, 401, 403, 408, 413, 415, 422, 503),
    openapi_extra=documented(Words),
)
async def tokens(request: Request) -> dict[str, int]:
    """How many tokens a text has, of how many that the text encoder reads."""
    service: Service = request.app.state.service
    if service.life.revision is None:
        raise not_ready(service.life.reason)
    body = await read_json(request, Words, request.app.state.settings)
    count, limit = service.tokens(body.text)
    return {"tokens": count, "limit": limit}


async def _examples(request: Request) -> list[Example]:
    """Return the examples of what is served; the first time they are fetched, whoever goes away meanwhile."""
    life = request.app.state.service.life
    if life.revision is None:
        raise not_ready(life.reason)
    return await asyncio.shield(asyncio.wrap_future(request.app.state.examples.of(life.revision)))
