"""A1111's png-info."""

from fastapi import APIRouter, Request

from gentra_lora.service.a1111.infotext import text_of
from gentra_lora.service.a1111.replies import A1111PictureText, refusals
from gentra_lora.service.a1111.schemas import A1111Image
from gentra_lora.service.bodies.decoders import Decoders
from gentra_lora.service.bodies.objects import read_photo_json
from gentra_lora.service.http.openapi import documented

router = APIRouter(prefix="/sdapi/v1", tags=["a1111"])


@router.post(
    "/png-info",
    response_model=A1111PictureText,
    responses=refusals(400, 401, 403, 408, 413, 415, 422, 429),
    openapi_extra=documented(A1111Image),
)
async def a1111_png_info(request: Request) -> dict[str, object]:
    """What a picture says of how it was made."""
    decoders: Decoders = request.app.state.decoders
    with decoders.upload(request.state.holder):
        body = await read_photo_json(request, A1111Image, request.app.state.settings, decoders)
        return await decoders.run(request.state.holder, text_of, body.image)
