"""What each command takes: its words and options, with their limits and defaults."""

from pathlib import Path
from typing import Any

import click

from gentra_lora.base.sampler_names import DEFAULT, SAMPLER_NAMES
from gentra_lora.base.source import PREDICTION_TYPES
from gentra_lora.commands.syntax.kinds import Argument, Edit, Name, Number, Text
from gentra_lora.evaluation.scored_run import NOISE
from gentra_lora.pictures.limits import (
    LEAST_SEED,
    LEAST_SIDE,
    MASK_CONTENTS,
    MOST_GUIDANCE,
    MOST_IMAGES,
    MOST_PADDING,
    MOST_SEED,
    MOST_SIDE,
    SCHEDULE_STEPS,
    SIDE_UNIT,
)

ADAPTER = Path("models/sport_gentra_lora.safetensors")  # what `dvc repro` trains
MASKS_SHEET = Path("reports/masks_sheet.jpg")
SEGMENTER = "facebook/mask2former-swin-base-coco-panoptic"  # knows 80 things and 53 backgrounds, car among them
SEGMENTER_REVISION = "853c97b51d851289775a7fcc82208fe10167b8ed"  # its weights as .safetensors


def option(usage: str, told: str, kind: Any = None, default: object = None, required: bool = False) -> click.Option:
    """Return an option; `usage` is its name and the word for its value."""
    name, metavar = usage.split()
    # Without a default at all: click would take one of None for a required option's value.
    given: dict[str, Any] = {} if default is None else {"default": default}
    return click.Option([name], help=told, type=kind, required=required, metavar=metavar, **given)


def flag(name: str, told: str, in_code: str | None = None) -> click.Option:
    """Return an option without a value; `in_code` is its name there, where it is another."""
    return click.Option([name, in_code] if in_code else [name], help=told, is_flag=True, default=False)


SIDE = Number(
    int,
    f"from {LEAST_SIDE} to {MOST_SIDE} in steps of {SIDE_UNIT}",
    lambda n: LEAST_SIDE <= n <= MOST_SIDE and n % SIDE_UNIT == 0,
)
SEED = Number(int, f"from {LEAST_SEED} to {MOST_SEED}", lambda n: LEAST_SEED <= n <= MOST_SEED)
COUNT = Number(int, f"from 1 to {MOST_IMAGES}", lambda n: 1 <= n <= MOST_IMAGES)
PADDING = Number(int, f"from 0 to {MOST_PADDING}", lambda n: 0 <= n <= MOST_PADDING)
STEPS = Number(int, f"from 1 to {SCHEDULE_STEPS}", lambda n: 1 <= n <= SCHEDULE_STEPS)
GUIDANCE = Number(float, f"from 0 to {MOST_GUIDANCE}", lambda n: 0 <= n <= MOST_GUIDANCE)
SHARE = Number(float, "from 0 to 1", lambda n: 0 <= n <= 1)
STRENGTH = Number(float, "above 0 and at most 1", lambda n: 0 < n <= 1)
SEEDS = Number(int, "2 or more: one run has no spread", lambda n: n >= 2)
SAMPLERS = f"{', '.join(SAMPLER_NAMES)} ({DEFAULT})"
REVISION = "branch, tag, commit, experiment or `workspace`"
PREDICTED = f"{' or '.join(PREDICTION_TYPES)}, of a base that does not say it"
KEY = "else the text in GDRIVE_CREDENTIALS_DATA"


def _of_picture(out: str) -> list[click.Parameter]:
    return [
        Argument("prompt", "what to draw; the trigger word calls the subject", type=Text()),
        option("--negative-prompt TEXT", "what should not be there", Text(), ""),
        option("--out FILE", f"PNG to write ({out}); of several, NAME-1.png and so on", Path, Path(out)),
        option("--adapter FILE", f"the trained one, one pulled or a checkpoint's ({ADAPTER})", Path, ADAPTER),
        option("--seed N", "seed of the first picture (1)", SEED, 1),
        option("--count N", f"pictures of as many seeds, one after the other, {COUNT.wanted} (1)", COUNT, 1),
        option(
            "--scale X",
            "the adapter's strength; 0 is the base itself (as the prompt's tag says, else 1)",
            Number(float, "finite"),
        ),
        option("--steps N", "denoising steps (evaluate.num_inference_steps)", STEPS),
        option(
            "--guidance-scale X",
            f"how closely the prompt is followed, {GUIDANCE.wanted} (evaluate.guidance_scale)",
            GUIDANCE,
        ),
        option("--width PX", f"{SIDE.wanted} (prepare.resolution)", SIDE),
        option("--height PX", "as --width", SIDE),
        option("--sampler NAME", SAMPLERS, Name(SAMPLER_NAMES), DEFAULT),
    ]


REMOTE: list[click.Parameter] = [
    option("--credentials FILE", f"key file; {KEY}"),
    option("--folder ADDRESS", "the folder's address in the browser or its id (the remote's own)"),
]
PARAMETERS: dict[str, list[click.Parameter]] = {
    "profile": [Argument("name", "of a file in profiles/, such as sd15_t4")],
    "set": [Argument("edits", "such as train.rank=8", type=Edit(), nargs=-1, required=True, metavar="KEY=VALUE...")],
    "base": [
        Argument("model", "local folder, .safetensors file, or hub id with --revision"),
        option("--revision HASH", "full commit hash of the hub id"),
        option("--vae MODEL", "a separate autoencoder, where the base wants one"),
        option("--vae-revision HASH", "full commit hash of its hub id"),
        option("--prediction-type NAME", PREDICTED, Name(PREDICTION_TYPES)),
    ],
    "masks": [
        option("--model MODEL", f"Mask2Former: local folder, or hub id with --revision ({SEGMENTER})", None, SEGMENTER),
        option("--revision HASH", "full commit hash of the hub id"),
        option("--label NAME", "what the subject is among the model's labels (evaluate.class_noun)"),
        option("--threshold X", f"how sure the model must be, {SHARE.wanted} (0.5)", SHARE, 0.5),
        option("--sheet FILE", f"JPEG to write ({MASKS_SHEET})", Path, MASKS_SHEET),
        flag("--overwrite", "make those again that are there"),
    ],
    "noise": [option("--seeds N", f"how many, the first of them train.seed (3); writes {NOISE}", SEEDS, 3)],
    "generate": _of_picture("generated/generate.png"),
    "img2img": [
        Argument("photo", "any picture; its centre is taken where its shape is another", type=Path),
        option("--strength X", "0.3 keeps the photo, 1 forgets it (0.5)", STRENGTH, 0.5),
        option("--mask FILE", "picture of the photo's size: white may change, black is kept, grey mixes both", Path),
        option(
            "--mask-content NAME",
            "what the white part begins as: the photo, the colours around it, or latents of noise or zeros (original)",
            Name(MASK_CONTENTS),
            "original",
        ),
        option(
            "--mask-padding PX",
            "draw the white part with so much of the photo around it alone, and put it back into the photo",
            PADDING,
        ),
        *_of_picture("generated/img2img.png"),
    ],
    "regenerate": [
        Argument("file", "PNG of the service or of the command line", type=Path),
        option("--out FILE", "PNG to write (regenerated.png)", Path, Path("regenerated.png")),
        option("--adapter FILE", f"where its weights may be ({ADAPTER})", Path, ADAPTER),
        option("--photo FILE", "the file that was redrawn, where one was", Path),
        option("--mask FILE", "the mask of what could change in it, where there was one", Path),
        option("--repo REPO", "repository whose commit has the weights, where they are not here (.)", default="."),
    ],
    "summary": [],
    "compare": [
        Argument("first", REVISION, required=False),
        Argument("second", f"{REVISION} (workspace)", required=False, default="workspace"),
        flag("--newest", "the two newest experiments; of a single one, HEAD and it"),
        flag("--json", "for programs", "for_programs"),
    ],
    "lora": [],
    "drive mount": [Argument("path", "the folder, made before", type=Path)],
    "drive oauth": REMOTE,
    "drive service-account": REMOTE,
    "drive login": [
        option("--client FILE", "JSON of an OAuth client of the type Desktop app", required=True),
        option("--out FILE", "key file to write, outside of the repository", Path, required=True),
        flag("--paste", "the browser is on another machine: paste its address"),
    ],
    "drive push": [],
    "drive pull": [],
    "drive check": [],
    "weights list": [],
    "weights pull": [
        option("--repo REPO", "address or path of the repository (this one)", default="."),
        option("--rev REV", "branch, tag, commit, experiment, NAME@VERSION or NAME#STAGE (HEAD)"),
        option("--dest FOLDER", "folder for the file (weights)", Path, Path("weights")),
        option("--remote ADDRESS", "gdrive://ID or a folder, in place of the repository's own remote"),
        option("--credentials FILE", f"key file for --remote; {KEY}"),
    ],
    "weights show": [Argument("file", "adapter", type=Path)],
    "doctor": [
        flag("--json", "for programs", "for_programs"),
        flag("--repair", "back to the branch after a killed `dvc exp run`"),
    ],
}


def parameters(path: str) -> list[click.Parameter]:
    """Return what a command takes.

    Raises:
        InputError: those of `serve` are its settings, and the packages to read them are not installed.
    """
    if path == "serve":
        # Here, since its settings are read by packages of an extra.
        from gentra_lora.commands.serve import flags

        return flags()
    return PARAMETERS[path]
