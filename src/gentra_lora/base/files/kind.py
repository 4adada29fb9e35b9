"""What a .safetensors file holds, by the names of its weights: people have many files of many kinds in one folder."""

from gentra_lora.base.files.headers import Header
from gentra_lora.base.files.ldm_layout import PREFIXES

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
    "joint_blocks.": "an SD 3 model",
    "emb_params": "a textual inversion",
    "string_to_param": "a textual inversion",
}


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
    return "no Stable Diffusion model"
