"""What a .safetensors file holds, by the names of its weights: people have many files of many kinds in one folder."""

from pathlib import Path

from gentra_lora.base.files.headers import Header, read_header
from gentra_lora.base.files.ldm_layout import PREFIXES
from gentra_lora.base.source import BaseModelError

LORA = ("lora_unet_", "lora_te", "lora_down", "lora_up", ".lora_A", ".lora_B", ".lora.", "hada_w1", "lokr_w", "oft_")
UNET_IN, VAE_IN = "model.diffusion_model.input_blocks.0.0.weight", "decoder.conv_in.weight"
OTHER_INPUTS = {9: "an inpainting model", 8: "an instruct-pix2pix model", 5: "a depth model"}
# {what one of the weights is called, anywhere in its name: what the file is}
MARKS = {
    "conditioner.embedders.": "an SDXL model",
    "add_embedding.": "an SDXL denoiser",
    "label_emb.": "an SDXL denoiser",
    "cond_stage_model.model.": "an SD 2.x model in one file",
    "control_model.": "a ControlNet",
    "controlnet_": "a ControlNet",
    "input_hint_block.": "a ControlNet",
    "motion_modules.": "an AnimateDiff motion module",
    "double_blocks.": "a Flux model",
    "single_transformer_blocks.": "a Flux model",
    "joint_blocks.": "an SD 3 model",
    "add_k_proj.": "an SD 3 model",
    "emb_params": "a textual inversion",
    "string_to_param": "a textual inversion",
}

ADVICE = {
    "an adapter (LoRA)": "name the base that it was trained on",
    "an SD 2.x model in one file": "SD 2.x is taken as a diffusers folder or a hub id",
    "an autoencoder (VAE)": "it belongs in base.vae",
    "one part of a diffusers folder": "name the folder that holds model_index.json",
}


def check_kind(model: str) -> None:
    """Refuse a file that is no Stable Diffusion 1.x model in the original layout, by its header.

    Raises:
        BaseModelError: says what it is.
    """
    kind = kind_of(read_header("base.model", Path(model)))
    if kind:
        advice = ADVICE.get(kind, "take one of Stable Diffusion 1.x")
        raise BaseModelError(f"base.model: {model} is {kind}, and no base that can learn here; {advice}")


def vae_names(path: Path) -> dict[str, str]:
    """Return {name of a weight, without a prefix: its name in the file} of the autoencoder in a file.

    Raises:
        BaseModelError: it holds none.
    """
    header = read_header("base.vae", path)
    # Alone, in a whole checkpoint, or as ComfyUI saves it.
    prefix = next((p for p in (PREFIXES["vae"], "vae.") if any(name.startswith(p) for name in header.shapes)), "")
    names = {name.removeprefix(prefix): name for name in header.shapes if name.startswith(prefix)}
    if not any(name.startswith("decoder.") for name in names):
        kind = kind_of(header) or "a checkpoint without an autoencoder"
        raise BaseModelError(f"base.vae: {path} is {kind}; take an autoencoder (VAE) of Stable Diffusion 1.x")
    return names


def kind_of(header: Header) -> str | None:
    """Return what a file is instead of a Stable Diffusion 1.x model in the original layout, None where it is one."""
    names = header.shapes
    if any(mark in name for name in names for mark in LORA):
        return "an adapter (LoRA)"
    for mark, kind in MARKS.items():
        if any(mark in name for name in names):
            return kind
    if UNET_IN in names:
        channels = names[UNET_IN][1] if len(names[UNET_IN]) > 1 else 0
        return None if channels == 4 else OTHER_INPUTS.get(channels, f"a model of {channels} input channels")
    if any(name.startswith(tuple(PREFIXES.values())) for name in names):
        return None  # what it lacks is told by name
    if VAE_IN in names:
        return "an autoencoder (VAE)"
    if any(name.startswith(("down_blocks.", "text_model.", "encoder.layers.")) for name in names):
        return "one part of a diffusers folder"
    if any(
        name.startswith("vision_model.") for name in names
    ):  # deeper, it is what a whole CLIP leaves in a checkpoint
        return "a CLIP vision model"
    return "no Stable Diffusion model"
