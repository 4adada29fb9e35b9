"""Where an adapter came from, as strings for its header: what trained it, on what, with which versions."""

import hashlib
import json
from importlib.metadata import version

import torch

PACKAGES = ("diffusers", "transformers", "peft", "accelerate")


def versions():
    """Return the versions that can change a result."""
    return {"torch": torch.__version__, **{name: version(name) for name in PACKAGES}}


def photos_digest(digests):
    """Return one sha256 over the photos' own, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def adapter_metadata(*, train_params, base, trigger_word, resolution, prediction_type, photos, steps):
    """Return the header of an adapter file: the fields that user interfaces read, then our own under gentra.*.

    Holds no date and no git revision, so that equal runs write equal bytes: the revision is the one whose dvc.lock
    lists the file's hash.
    """
    alpha = f"{train_params['lora_alpha']:g}"
    return {
        "format": "pt",
        "ss_base_model_version": "sd_v1",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(train_params["rank"]),
        "ss_network_alpha": alpha,
        "ss_resolution": f"({resolution}, {resolution})",
        "ss_num_train_images": str(len(photos)),
        "ss_output_name": "sport_gentra_lora",
        "ss_tag_frequency": json.dumps({"images": {trigger_word: len(photos)}}),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": trigger_word,
        "modelspec.trigger_phrase": trigger_word,
        "modelspec.resolution": f"{resolution}x{resolution}",
        "modelspec.prediction_type": prediction_type,
        "gentra.base": base,
        "gentra.steps": str(steps),
        "gentra.photos_sha256": photos_digest(photos),
        "gentra.train_params": json.dumps(train_params, sort_keys=True),
        "gentra.versions": json.dumps(versions(), sort_keys=True),
    }
