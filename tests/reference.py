"""What our adapters and engine are measured against: a file's weights by the formula, and diffusers' own pipeline."""

from gentra_lora.adapter.file import PARTS, module_names, read_adapter
from gentra_lora.adapter.lora import NAME
from gentra_lora.pictures.sampling_pipeline import load_sampler


def module_deltas(tensors):
    """Return {kohya module name: weight delta in float32} of an adapter file's tensors."""
    deltas = {}
    for name in module_names(tensors):
        down, up, alpha = (tensors[f"{name}.{part}"].float() for part in PARTS)
        delta = up.flatten(1) @ down.flatten(1) * (alpha / down.shape[0])
        deltas[name] = delta.reshape(up.shape[0], *down.shape[1:])
    return deltas


def load_generator(source, adapter_path, dtype, device):
    """Return diffusers' pipeline with a file's adapter put on by peft under NAME, and DPM-Solver++ as its sampler."""
    pipeline = load_sampler(source, dtype, device)
    pipeline.load_lora_weights(read_adapter(adapter_path)[0], adapter_name=NAME)
    return pipeline


def set_adapter_scale(pipeline, scale):
    """Set the adapter's strength: 0 is the base itself, 1 as trained."""
    if scale == 0:
        pipeline.disable_lora()
    else:
        pipeline.enable_lora()
        pipeline.set_adapters(NAME, scale)
