"""diffusers' own pipeline with an adapter put on by peft: what our engine is measured against."""

from gentra_lora.adapter.file import read_adapter
from gentra_lora.adapter.lora import NAME
from gentra_lora.pictures.sampling_pipeline import load_sampler


def load_generator(source, adapter_path, dtype, device):
    """Return a pipeline with the adapter of a file loaded under NAME, and DPM-Solver++ as its sampler."""
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
