"""The base with adapters put on and off -> pictures, for the command line and the service."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
from diffusers.models import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from gentra_lora.adapter.rows import RowAdapter
from gentra_lora.base.model import load_pipeline
from gentra_lora.base.precision import DTYPES
from gentra_lora.base.source import BaseSource
from gentra_lora.photos.photo import to_pixel_values
from gentra_lora.pictures.batch import PictureBatch
from gentra_lora.pictures.masks import fitted_mask, may_change, pasted
from gentra_lora.pictures.regions import put_back
from gentra_lora.pictures.request import PictureRequest, fitted
from gentra_lora.pictures.sampling_pipeline import BATCH_PIXELS, MOST_PICTURES, GenerationError, check_prompts

PROMPTS_KEPT = 256  # embeddings; 30 MB for SD 1.5 in half precision


class NotFiniteError(GenerationError):
    """A picture came out as NaN or infinite, which saved as it is would be black."""


class PictureEngine:
    """One base on one device. Not for two threads at once."""

    def __init__(self, source: BaseSource, precision: str, device: torch.device) -> None:
        """Load the base.

        Args:
            precision: of the denoiser and the text encoder, a key of DTYPES.

        Raises:
            BaseModelError: it cannot be loaded.
        """
        self.device, self.precision, self.dtype = device, precision, DTYPES[precision]
        pipeline = load_pipeline(source, self.dtype, device)
        self.unet: UNet2DConditionModel = pipeline.unet
        self.vae: AutoencoderKL = pipeline.vae
        self.text_encoder: CLIPTextModel = pipeline.text_encoder
        self.tokenizer: CLIPTokenizer = pipeline.tokenizer
        self.schedule = pipeline.scheduler.config
        # Half precision is twice as fast on a GPU and enough for nearly every picture.
        self.decoding = [torch.float16, torch.float32] if device.type == "cuda" else [torch.float32]
        self.vae_factor = 2 ** (len(self.vae.config["block_out_channels"]) - 1)
        self.adapter = RowAdapter(self.unet)
        self._embeds: OrderedDict[str, torch.Tensor] = OrderedDict()
        self._preview_map: np.ndarray | None = None  # (5, 3)

    def start(self, requests: Sequence[PictureRequest]) -> PictureBatch:
        """Return the PictureBatch of requests of one `batch_key`.

        Raises:
            GenerationError: a prompt is too long for the text encoder, or there is a strength and no photo.
        """
        first = requests[0]
        embeds = torch.stack([self.embed(request.prompt) for request in requests])
        negative = torch.stack([self.embed(r.negative_prompt) for r in requests]) if first.guided else None
        photos: torch.Tensor | tuple[int, ...]
        if first.strength is None:
            factor = self.vae_factor
            photos = (len(requests), self.unet.config["in_channels"], first.height // factor, first.width // factor)
        else:
            photos = torch.cat([self.encode(request) for request in requests]).to(self.dtype)
        changing = None
        if any(request.mask for request in requests):
            changing = torch.cat([may_change(r.drawn_mask, r.size, self.vae_factor) for r in requests]).to(self.device)
        return PictureBatch(self.unet, self.adapter, self.schedule, requests, embeds, negative, photos, changing)

    @torch.no_grad()
    def embed(self, prompt: str) -> torch.Tensor:
        """Return a prompt's embedding (77, D), kept for the next time."""
        if prompt not in self._embeds:
            check_prompts(self.tokenizer, [prompt])
            # What is cut off here is white space: anything else has just been refused.
            length = {"max_length": self.tokenizer.model_max_length, "truncation": True}
            tokens = self.tokenizer(prompt, padding="max_length", return_tensors="pt", **length)
            self._embeds[prompt] = self.text_encoder(tokens.input_ids.to(self.device))[0][0].to(self.dtype)
            if len(self._embeds) > PROMPTS_KEPT:
                self._embeds.popitem(last=False)
        self._embeds.move_to_end(prompt)
        return self._embeds[prompt]

    @torch.no_grad()
    def encode(self, request: PictureRequest) -> torch.Tensor:
        """Return a request's photo, its centre or region at the request's size, as scaled latents (1, 4, H/f, W/f).

        Raises:
            GenerationError: it has none.
        """
        photo = request.drawn_photo
        if photo is None:
            raise GenerationError(f"strength: {request.strength} redraws a photo, and there is none; give one")
        pixel_values = to_pixel_values(photo).to(self.device)
        return self.vae.encode(pixel_values).latent_dist.mean * self.vae.config["scaling_factor"]

    @torch.no_grad()
    def pixels(self, latents: torch.Tensor) -> np.ndarray:
        """Return one picture's values (H, W, 3), float32 in [0, 1], of its scaled latents (4, H/f, W/f).

        What overflows in the first precision of `decoding` is decoded again in the next.

        Raises:
            NotFiniteError: it is not finite in float32 either.
        """
        for dtype in self.decoding:
            with nullcontext() if dtype is torch.float32 else torch.autocast(self.device.type, dtype):
                decoded = self.vae.decode(latents[None].float() / self.vae.config["scaling_factor"]).sample[0].float()
            if decoded.isfinite().all():
                return ((decoded.clamp(-1, 1) + 1) / 2).permute(1, 2, 0).cpu().numpy()
        raise NotFiniteError("the picture is not finite; try another seed, a lower guidance_scale or lora_scale")

    def picture(self, request: PictureRequest, latents: torch.Tensor) -> np.ndarray:
        """Return a request's picture (H, W, 3), uint8, of its latents; what a mask keeps is the photo's own.

        A region has the place in its photo that it was taken from.

        Raises:
            NotFiniteError: see `pixels`.
        """
        picture = to_uint8(self.pixels(latents))
        if request.photo is None or request.mask is None:
            return picture
        if request.region is not None:
            return put_back(picture, request.photo, fitted_mask(request.mask, request.mask.size), request.region)
        return pasted(picture, fitted(request.photo, *request.size), fitted_mask(request.mask, request.size))

    def pictures(self, requests: Sequence[PictureRequest]) -> list[np.ndarray]:
        """Return a picture (H, W, 3), uint8, of each request, as many at once as memory allows."""
        found = []
        for start in range(0, len(requests), most_at_once(requests[0])):
            batch = self.start(requests[start : start + most_at_once(requests[0])])
            while not batch.done:
                batch.step()
            found += [self.picture(*pair) for pair in zip(batch.requests, batch.latents, strict=True)]
        return found

    def fit_preview(self, latents: torch.Tensor, pixels: np.ndarray) -> None:
        """Learn the linear map from latents (4, h, w) to colours that comes nearest to a decoded picture."""
        height, width = latents.shape[1:]
        colours = pixels.reshape(height, self.vae_factor, width, self.vae_factor, 3).mean((1, 3))
        rows = _with_one(latents.float().cpu().numpy())
        self._preview_map = np.linalg.lstsq(rows, colours.reshape(-1, 3), rcond=None)[0]  # (5, 3)

    def preview(self, latents: torch.Tensor) -> np.ndarray:
        """Return a small picture (h, w, 3), uint8, of what latents (4, h, w) are about."""
        colours = _with_one(latents.float().cpu().numpy()) @ self._preview_map
        return to_uint8(np.nan_to_num(colours).reshape(*latents.shape[1:], 3))


def _with_one(latents: np.ndarray) -> np.ndarray:
    """Return latents (4, h, w) as (h * w, 5), the last column 1."""
    rows = latents.reshape(len(latents), -1).T
    return np.concatenate([rows, np.ones((len(rows), 1), rows.dtype)], axis=1)


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Return values in [0, 1] as uint8."""
    return (pixels.clip(0, 1) * 255).round().astype(np.uint8)


def most_at_once(request: PictureRequest) -> int:
    """Return how many pictures of a request's size are denoised side by side."""
    return max(1, min(MOST_PICTURES, BATCH_PIXELS // (request.width * request.height)))
