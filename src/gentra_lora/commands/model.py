"""`gentra-lora base` and `lora`: which base learns, and what of it."""

import json
from pathlib import Path

from gentra_lora.adapter.lora import count_weights
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.model import load_unet_shapes
from gentra_lora.base.source import BaseSource, check_base
from gentra_lora.commands.params import checked, set_values
from gentra_lora.commands.params_edit import with_deps
from gentra_lora.params import load_params
from gentra_lora.whole_file import write_whole

DVC_FILE = Path("dvc.yaml")


def add_to(commands):
    """Add the commands to a parser's."""
    base = commands.add_parser("base", help="take another base model: params.yaml, and dvc.yaml for a local one")
    base.add_argument("model", help="local folder, .safetensors file, or hub id with --revision")
    base.add_argument("--revision", help="full commit hash of the hub id")
    base.add_argument("--vae", help="a separate autoencoder, where the base wants one")
    base.add_argument("--vae-revision")
    base.set_defaults(command=base_command)

    lora = commands.add_parser("lora", help="how many weights the adapter of params.yaml would train, and where")
    lora.set_defaults(command=lora_command)


def base_command(args):
    """Take another base model; a local one becomes a dependency of all stages.

    Raises:
        BaseModelError: it cannot be one; nothing is written.
    """
    check_base(BaseSource(args.model, args.revision, args.vae, args.vae_revision))
    model, vae = (str(Path(path)) if path and Path(path).exists() else path for path in (args.model, args.vae))
    values = {"model": model, "revision": args.revision, "vae": vae, "vae_revision": args.vae_revision}
    edits = [(f"base.{key}", json.dumps(value)) for key, value in values.items()]
    checked(edits)
    text = with_deps(
        DVC_FILE.read_text(encoding="utf-8"), [path for path in (model, vae) if path and Path(path).exists()]
    )
    write_whole(DVC_FILE, lambda partial: partial.write_text(text, encoding="utf-8"))
    set_values(edits)


def lora_command(_):
    """Print what would be trained, without loading a weight of the base."""
    hush_libraries()
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.train
    check_base(source)
    modules, trained, frozen = count_weights(load_unet_shapes(source), config.rank, config.target_modules)
    print(
        f"rank {config.rank}, alpha {config.lora_alpha:g}, on {config.target_modules}: {modules} modules, "
        f"{trained:,} weights are trained and {frozen:,} of the base are not ({trained / frozen:.2%})"
    )
