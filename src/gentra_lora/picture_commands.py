"""`gentra-lora generate`, `img2img` and `summary`: pictures by the trained adapter, and what `dvc repro` gave."""

import argparse
import json
from pathlib import Path

from gentra_lora.base_model import DTYPES, BaseSource, base_identity, check_base, choose_device, choose_precision
from gentra_lora.errors import InputError
from gentra_lora.generation import img2img, load_generator, save_png, set_adapter_scale
from gentra_lora.params import load_params
from gentra_lora.photo import open_upright
from gentra_lora.pictures import Settings, generate
from gentra_lora.report import metrics_table
from gentra_lora.stages import SECONDS_FILE, hush_libraries
from gentra_lora.stages.evaluate import ADAPTER, IMAGES_DIR, METRICS


def add_to(commands):
    """Add the commands to a parser's."""
    for name, command, words in (
        ("generate", generate_command, "a picture of a prompt"),
        ("img2img", img2img_command, "a photo, redrawn as the prompt says"),
    ):
        sub = commands.add_parser(name, help=words)
        if name == "img2img":
            sub.add_argument("photo", type=Path)
            sub.add_argument("--strength", type=_share, default=0.5, help="0.3 keeps the photo, 1 forgets it (0.5)")
        sub.add_argument("prompt")
        sub.add_argument("--out", type=Path, default=Path(f"generated/{name}.png"), help="PNG to write (%(default)s)")
        sub.add_argument(
            "--adapter", type=Path, default=ADAPTER, help="or a pulled one, or a checkpoint's (%(default)s)"
        )
        sub.add_argument("--seed", type=int, default=1)
        sub.add_argument("--scale", type=float, default=1.0, help="the adapter's strength; 0 is the base itself (1)")
        sub.add_argument("--steps", type=_count, help="denoising steps (evaluate.num_inference_steps)")
        sub.set_defaults(command=command)

    summary = commands.add_parser("summary", help="what the last `dvc repro` gave, on one screen")
    summary.set_defaults(command=lambda _: print("\n".join(summary_lines())))


def _count(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _share(text):
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def generate_command(args):
    """Write a picture of a prompt."""
    write_picture(args, lambda pipeline, settings: generate(pipeline, [args.prompt], [args.seed], settings)[0])


def img2img_command(args):
    """Write a photo redrawn as the prompt says."""
    photo = open_upright(args.photo)

    def make(pipeline, settings):
        return img2img(pipeline, photo, args.prompt, args.seed, args.strength, settings)

    write_picture(args, make, strength=args.strength, photo=args.photo.name)


def write_picture(args, make, **more):
    """Load base and adapter as params.yaml says, make a picture and write it with its provenance.

    Raises:
        InputError: the output is no PNG or cannot be written; told before anything is loaded.
    """
    if args.out.suffix.lower() != ".png":
        raise InputError(f"--out: {args.out} must end in .png, which keeps how the picture was made")
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        new = not args.out.exists()
        args.out.open("ab").close()
        if new:
            args.out.unlink()
    except OSError as error:
        raise InputError(f"--out: {args.out} cannot be written: {error.strerror}") from error
    hush_libraries()
    params = load_params()
    source = BaseSource(**params.base.model_dump())
    check_base(source)
    device = choose_device()
    precision, _ = choose_precision(source.mixed_precision, device)
    pipeline = load_generator(source, args.adapter, DTYPES[precision], device)
    set_adapter_scale(pipeline, args.scale)
    steps = args.steps or params.evaluate.num_inference_steps
    settings = Settings(params.prepare.resolution, steps, params.evaluate.guidance_scale)
    picture = make(pipeline, settings)
    record = {"prompt": args.prompt, "seed": args.seed, "scale": args.scale, "settings": settings, **more}
    save_png(args.out, picture, adapter_path=args.adapter, base=base_identity(source), **record)
    print(f"{args.out}: seed {args.seed}, scale {args.scale:g}")


def summary_lines():
    """Return the stages' times, the table of the metrics and where the pictures are.

    Raises:
        InputError: nothing was evaluated yet.
    """
    if not METRICS.exists() or not IMAGES_DIR.exists():
        raise InputError(f"{METRICS}: nothing to show yet; run `dvc repro`")
    seconds = json.loads(SECONDS_FILE.read_text()) if SECONDS_FILE.exists() else {}
    # No times where DVC brought the outputs from the remote.
    lines = ["", "stage              seconds, when it last ran"] if seconds else []
    lines += [f"  {name:16} {value:7.1f}" for name, value in seconds.items()]
    lines += ["", *metrics_table(json.loads(METRICS.read_text(encoding="utf-8"))), ""]
    return [*lines, f"look at: {IMAGES_DIR / 'grid.png'} and {IMAGES_DIR / 'img2img.png'}"]
