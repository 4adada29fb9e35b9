"""`gentra-lora generate` and `img2img`: pictures by the trained adapter, each with what is needed to make it again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
from PIL import Image

from gentra_lora.adapter.file import read_adapter
from gentra_lora.adapter.hashes import model_hash
from gentra_lora.base.checks import check_base
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.precision import choose_device, choose_precision
from gentra_lora.base.source import BaseSource, base_identity
from gentra_lora.errors import InputError
from gentra_lora.params import Params, load_params
from gentra_lora.photos.masks import open_mask
from gentra_lora.photos.notation import TAG, NotationError, check_notation, emphasis, read_tags, says_nothing
from gentra_lora.photos.photo import open_upright, sha256_of
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.pictures.limits import MOST_SEED, MaskContent
from gentra_lora.pictures.record import png_of, record_of
from gentra_lora.pictures.request import PictureRequest, steps_of_schedule
from gentra_lora.revisions.weights import read_record


class Wanted(TypedDict):
    """What both commands are told; None is as params.yaml, or the adapter's tag in the prompt, says."""

    prompt: str
    negative_prompt: str
    out: Path
    adapter: Path
    seed: int
    count: int
    scale: float | None
    steps: int | None
    guidance_scale: float | None
    width: int | None
    height: int | None
    sampler: str


class Redrawn(TypedDict, total=False):
    """What a PictureRequest says of the photo that it redraws; without a mask, all of it may change."""

    photo: Image.Image
    photo_sha256: str
    strength: float
    mask: Image.Image
    mask_sha256: str
    mask_content: MaskContent
    mask_padding: int | None


def generate_command(**wanted: Unpack[Wanted]) -> None:
    """Write pictures of a prompt."""
    write_pictures(wanted, {})


def img2img_command(
    photo: Path,
    strength: float,
    mask: Path | None,
    mask_content: MaskContent,
    mask_padding: int | None,
    **wanted: Unpack[Wanted],
) -> None:
    """Write a photo redrawn as the prompt says where the mask is white, all the wanted steps of it."""
    redrawn: Redrawn = {"photo": open_upright(photo), "photo_sha256": sha256_of(photo), "strength": strength}
    redrawn |= {"mask_content": mask_content, "mask_padding": mask_padding}
    if mask:
        redrawn |= {"mask": open_mask(mask, str(mask)), "mask_sha256": sha256_of(mask)}
    write_pictures(wanted, redrawn)


def write_pictures(wanted: Wanted, redrawn: Redrawn) -> None:
    """Make pictures with base and adapter as params.yaml says, and write each with everything to make it again."""
    paths = paths_of(wanted["out"], wanted["count"])
    for path in paths:
        check_output(path)
    hush_libraries()
    params = load_params()
    requests = requests_of(wanted, redrawn, params)
    source = BaseSource(**params.base.model_dump())
    check_base(source)
    precision, _ = choose_precision(source.mixed_precision, choose_device())
    pictures = make_pictures(source, precision, wanted["adapter"], requests)
    weights = read_record(wanted["adapter"])
    origin = {
        "base": base_identity(source),
        "adapter": wanted["adapter"].stem,
        "adapter_sha256": sha256_of(wanted["adapter"]),
        "adapter_model_hash": model_hash(wanted["adapter"].read_bytes()),
        "commit": weights.commit if weights else None,
        "precision": precision,
    }
    for path, picture, request in zip(paths, pictures, requests, strict=True):
        path.write_bytes(png_of(picture, record_of(request, origin)))
        print(f"{path}: seed {request.seed}, scale {request.lora_scale:g}")


def paths_of(out: Path, count: int) -> list[Path]:
    """Return the file of each picture: the named one, or NAME-1.png, NAME-2.png and so on where there are several."""
    return [out] if count == 1 else [out.with_stem(f"{out.stem}-{number}") for number in range(1, count + 1)]


def requests_of(wanted: Wanted, redrawn: Redrawn, params: Params) -> list[PictureRequest]:
    """Return a PictureRequest for each of the seeds, which follow one another.

    Raises:
        InputError: the last seed, or the schedule of a weak strength, is beyond what there is.
    """
    last = wanted["seed"] + wanted["count"] - 1
    if last > MOST_SEED:
        raise InputError(
            f"--seed: the last of {wanted['count']} pictures would have {last}, and {MOST_SEED} is the most"
        )
    steps = wanted["steps"] or params.evaluate.num_inference_steps
    if redrawn:
        steps = steps_of_schedule(steps, redrawn["strength"])
    guidance_scale, side = wanted["guidance_scale"], params.prepare.resolution
    prompt, scale = followed(wanted)
    return [
        PictureRequest(
            prompt,
            seed,
            steps,
            params.evaluate.guidance_scale if guidance_scale is None else guidance_scale,
            wanted["width"] or side,
            wanted["height"] or side,
            negative_prompt=wanted["negative_prompt"],
            lora_scale=scale,
            sampler=wanted["sampler"],
            **redrawn,
        )
        for seed in range(wanted["seed"], last + 1)
    ]


def followed(wanted: Wanted) -> tuple[str, float]:
    """Return the prompt without the adapter's tags, and the strength that they or --scale say.

    Raises:
        InputError: they contradict each other, or there is other notation.
    """
    try:
        if not says_nothing(wanted["negative_prompt"]):
            check_notation([wanted["negative_prompt"]])
        prompt = read_tags(wanted["prompt"], *names_of(wanted["prompt"], wanted["adapter"]))
    except NotationError as error:
        raise InputError(f"prompt: {error}") from error
    try:
        scale = prompt.scale_beside(wanted["scale"])
    except NotationError as error:
        raise InputError(f"--scale: {error}") from error
    stressed = emphasis(prompt.text)
    if stressed:
        print(f"prompt: {stressed}")
    return prompt.text, 1.0 if scale is None else scale


def names_of(prompt: str, adapter: Path) -> tuple[str, ...]:
    """Return by what a prompt may call an adapter: its file's name, and where there is a tag, that of its header."""
    tagged = TAG.search(prompt) and adapter.is_file()
    return (adapter.stem, read_adapter(adapter)[1].get("ss_output_name", "")) if tagged else (adapter.stem,)


def check_output(path: Path) -> None:
    """Make the folder of a picture that will be written.

    Raises:
        InputError: no PNG, or it cannot be written; told before anything is loaded.
    """
    if path.suffix.lower() != ".png":
        raise InputError(f"--out: {path} must end in .png, which keeps how the picture was made")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise InputError(f"--out: {path} cannot be written: {error.strerror}") from error


def make_pictures(
    source: BaseSource, precision: str, adapter: Path, requests: Sequence[PictureRequest]
) -> list[np.ndarray]:
    """Return the pictures (H, W, 3), uint8, of requests of one `batch_key` by a base with the adapter of a file.

    Raises:
        AdapterError: the file is no adapter, or one of another base.
        GenerationError: the prompt is too long, or a picture is not finite.
    """
    tensors, _ = read_adapter(adapter)
    engine = PictureEngine(source, precision, choose_device())
    engine.adapter.use(engine.adapter.fit(adapter, tensors))
    return engine.pictures(requests)
