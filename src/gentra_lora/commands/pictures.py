"""`gentra-lora generate`, `img2img` and `summary`: pictures by the trained adapter, and what `dvc repro` gave."""

import argparse
import json
import subprocess
from pathlib import Path

from gentra_lora.adapter.file import read_adapter
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.precision import choose_device, choose_precision
from gentra_lora.base.sampler_names import DEFAULT
from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.base.source import BaseSource, base_identity, check_base
from gentra_lora.errors import InputError
from gentra_lora.evaluation.metrics_table import metrics_table
from gentra_lora.evaluation.scored_run import METRICS, REPORT
from gentra_lora.params import load_params
from gentra_lora.photos.photo import open_upright, sha256_of
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.pictures.limits import SCHEDULE_STEPS
from gentra_lora.pictures.record import LIMITS, png_of, record_of
from gentra_lora.pictures.request import PictureRequest, steps_of_schedule
from gentra_lora.revisions.weights import read_record
from gentra_lora.stages.evaluate import ADAPTER
from gentra_lora.stages.run import SECONDS_FILE


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
        sub.add_argument("--negative-prompt", default="", help="what should not be there")
        sub.add_argument("--out", type=Path, default=Path(f"generated/{name}.png"), help="PNG to write (%(default)s)")
        sub.add_argument("--adapter", type=Path, default=ADAPTER, help="or one pulled, or a checkpoint's (%(default)s)")
        sub.add_argument("--seed", type=_seed, default=1)
        sub.add_argument("--scale", type=float, default=1.0, help="the adapter's strength; 0 is the base itself (1)")
        sub.add_argument("--steps", type=_count, help="denoising steps (evaluate.num_inference_steps)")
        names = ", ".join(SAMPLERS)
        sub.add_argument("--sampler", choices=SAMPLERS, default=DEFAULT, metavar="NAME", help=f"{names} (%(default)s)")
        sub.set_defaults(command=command)

    summary = commands.add_parser("summary", help="what the last `dvc repro` gave, on one screen")
    summary.set_defaults(command=lambda _: print("\n".join(summary_lines())))


def _count(text):
    value = int(text)
    if not 1 <= value <= SCHEDULE_STEPS:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to {SCHEDULE_STEPS}")
    return value


def _seed(text):
    value, (least, most) = int(text), LIMITS["seed"]
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
    return value


def _share(text):
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def generate_command(args):
    """Write a picture of a prompt."""
    write_picture(args)


def img2img_command(args):
    """Write a photo redrawn as the prompt says, all the wanted steps of it."""
    photo = {"photo": open_upright(args.photo), "photo_sha256": sha256_of(args.photo)}
    write_picture(args, strength=args.strength, **photo)


def write_picture(args, **photo):
    """Make a picture with base and adapter as params.yaml says, and write it with everything to make it again."""
    check_output(args.out)
    hush_libraries()
    params = load_params()
    source = BaseSource(**params.base.model_dump())
    check_base(source)
    precision, _ = choose_precision(source.mixed_precision, choose_device())
    steps = args.steps or params.evaluate.num_inference_steps
    request = PictureRequest(
        args.prompt,
        args.seed,
        steps_of_schedule(steps, args.strength) if photo else steps,
        params.evaluate.guidance_scale,
        params.prepare.resolution,
        params.prepare.resolution,
        negative_prompt=args.negative_prompt,
        lora_scale=args.scale,
        sampler=args.sampler,
        **photo,
    )
    picture = make_picture(source, precision, args.adapter, request)
    weights = read_record(args.adapter)
    origin = {"base": base_identity(source), "adapter_sha256": sha256_of(args.adapter)}
    origin |= {"commit": weights.commit if weights else None, "precision": precision}
    args.out.write_bytes(png_of(picture, record_of(request, origin)))
    print(f"{args.out}: seed {args.seed}, scale {args.scale:g}")


def check_output(path):
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


def make_picture(source, precision, adapter, request):
    """Return the picture (H, W, 3), uint8, of a request by a base with the adapter of a file.

    Raises:
        AdapterError: the file is no adapter, or one of another base.
        GenerationError: the prompt is too long, or the picture is not finite.
    """
    tensors, _ = read_adapter(adapter)
    engine = PictureEngine(source, precision, choose_device())
    engine.adapter.use(engine.adapter.fit(adapter, tensors))
    return engine.pictures([request])[0]


def summary_lines():
    """Return the stages' times, the table of the metrics and where the report is.

    Raises:
        InputError: nothing was evaluated yet.
    """
    if not Path(METRICS).exists() or not Path(REPORT).exists():
        raise InputError(f"{METRICS}: nothing to show yet; run `dvc repro`")
    seconds = json.loads(SECONDS_FILE.read_text()) if SECONDS_FILE.exists() else {}
    # No times where DVC brought the outputs from the remote.
    lines = ["", "stage              seconds, when it last ran"] if seconds else []
    lines += [f"  {name:16} {value:7.1f}" for name, value in seconds.items()]
    lines += ["", *metrics_table(json.loads(Path(METRICS).read_text(encoding="utf-8"))), ""]
    return [*lines, f"report, for any browser: {REPORT}", *uncommitted_results()]


def uncommitted_results() -> list[str]:
    """Return a line on results that differ from those in git's HEAD, or none."""
    command = ["git", "diff", "--name-only", "--relative", "HEAD", "--", "dvc.lock", "reports"]
    try:
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):  # no git, or nothing committed yet
        return []
    return [
        f"not committed: {', '.join(names)} (numbers differ a little with the CPU). `git commit -am 'My run'` keeps "
        "them, so that `gentra-lora compare HEAD` finds this run; `git checkout dvc.lock reports` goes back until the "
        "next `dvc repro`"
    ] * bool(names)
