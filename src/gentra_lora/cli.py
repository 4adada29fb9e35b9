"""`gentra-lora`: parameters, pictures and the summary; Drive, weights and doctor have modules of their own."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from gentra_lora import doctor_command, drive_commands, weights_commands
from gentra_lora.adapter import count_weights
from gentra_lora.base_model import (
    DTYPES,
    BaseSource,
    base_identity,
    check_base,
    choose_device,
    choose_precision,
    load_unet_shapes,
)
from gentra_lora.errors import InputError
from gentra_lora.generation import img2img, load_generator, save_png, set_adapter_scale
from gentra_lora.params import PARAMS_FILE, ParamsError, load_params, read_params
from gentra_lora.params_edit import with_deps, with_values
from gentra_lora.photo import open_upright
from gentra_lora.pictures import Settings, generate
from gentra_lora.report import metrics_table
from gentra_lora.stages import SECONDS_FILE, hush_libraries
from gentra_lora.stages.evaluate import ADAPTER, IMAGES_DIR, METRICS

PROFILES, DVC_FILE = Path("profiles"), Path("dvc.yaml")


def main(argv=None):
    """Run a command; an InputError ends the process with its message alone."""
    args = parser().parse_args(argv)
    hush_libraries()
    try:
        args.command(args)
    except InputError as error:
        sys.exit(f"error: {error}")


def parser():
    """Return the argument parser of all commands."""
    top = argparse.ArgumentParser(prog="gentra-lora", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    profile = commands.add_parser("profile", help="copy profiles/NAME.yaml over params.yaml")
    profile.add_argument("name")
    profile.set_defaults(command=use_profile)

    values = commands.add_parser("set", help="set values in params.yaml, its comments kept")
    values.add_argument("edits", nargs="+", metavar="KEY=VALUE", type=_edit, help="such as train.learning_rate=5e-05")
    values.set_defaults(command=set_values)

    base = commands.add_parser("base", help="take another base model: params.yaml, and dvc.yaml for a local one")
    base.add_argument("model", help="local folder, .safetensors file, or hub id with --revision")
    base.add_argument("--revision", help="full commit hash of the hub id")
    base.add_argument("--vae", help="a separate autoencoder, where the base wants one")
    base.add_argument("--vae-revision")
    base.set_defaults(command=base_command)

    lora = commands.add_parser("lora", help="how many weights the adapter of params.yaml would train, and where")
    lora.set_defaults(command=lora_command)

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

    for group in (drive_commands, weights_commands, doctor_command):
        group.add_to(commands)

    summary = commands.add_parser("summary", help="what the last `dvc repro` gave, on one screen")
    summary.set_defaults(command=lambda _: print("\n".join(summary_lines())))
    return top


def _edit(text):
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not KEY=VALUE")
    return key, value


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


def use_profile(args):
    """Copy a profile over params.yaml.

    Raises:
        ParamsError: no such profile, or params.yaml holds edits that git does not have.
    """
    known = {path.stem: path for path in sorted(PROFILES.glob("*.yaml"))}
    if args.name not in known:
        raise ParamsError(f"profile {args.name!r}: unknown; there are {', '.join(known) or 'none in profiles/'}")
    if PARAMS_FILE.exists():
        current = PARAMS_FILE.read_bytes()
        shipped = {path.read_bytes() for path in known.values()}
        if current not in shipped and current != _committed(PARAMS_FILE):
            raise ParamsError(f"{PARAMS_FILE}: has edits that are not in git; commit them, or remove the file, first")
    PARAMS_FILE.write_bytes(known[args.name].read_bytes())
    print(f"{PARAMS_FILE} is now profiles/{args.name}.yaml")


def set_values(args):
    """Set values in params.yaml; what would not be valid is refused and nothing is written.

    Raises:
        EditError, ParamsError: an unknown key, or a value that it cannot have.
    """
    text = with_values(PARAMS_FILE.read_text(encoding="utf-8"), dict(args.edits))
    read_params(text, source=str(PARAMS_FILE))
    PARAMS_FILE.write_text(text, encoding="utf-8")
    print(f"{PARAMS_FILE}: {', '.join(f'{key} = {value}' for key, value in args.edits)}")


def base_command(args):
    """Take another base model; a local one becomes a dependency of all stages.

    Raises:
        BaseModelError: it cannot be one; nothing is written.
    """
    check_base(BaseSource(args.model, args.revision, args.vae, args.vae_revision))
    local = [path for path in (args.model, args.vae) if path and Path(path).exists()]
    DVC_FILE.write_text(with_deps(DVC_FILE.read_text(encoding="utf-8"), local), encoding="utf-8")
    values = {"model": args.model, "revision": args.revision, "vae": args.vae, "vae_revision": args.vae_revision}
    set_values(argparse.Namespace(edits=[(f"base.{key}", value or "null") for key, value in values.items()]))


def lora_command(_):
    """Print what would be trained, without loading a weight of the base."""
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.train
    check_base(source)
    modules, trained, frozen = count_weights(load_unet_shapes(source), config.rank, config.target_modules)
    print(
        f"rank {config.rank}, alpha {config.lora_alpha:g}, on {config.target_modules}: {modules} modules, "
        f"{trained:,} weights are trained and {frozen:,} of the base are not ({trained / frozen:.2%})"
    )


def _committed(path):
    """Return the file's bytes in git's HEAD, or None."""
    found = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True)
    return found.stdout if found.returncode == 0 else None


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
    lines = ["", "stage              seconds, when it last ran"]
    lines += [f"  {name:16} {value:7.1f}" for name, value in seconds.items()]
    lines += ["", *metrics_table(json.loads(METRICS.read_text(encoding="utf-8"))), ""]
    return [*lines, f"look at: {IMAGES_DIR / 'grid.png'} and {IMAGES_DIR / 'img2img.png'}"]


if __name__ == "__main__":
    main()
