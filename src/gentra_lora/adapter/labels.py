"""What user interfaces show of an adapter file and sort it by, as kohya's trainer and ModelSpec name it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gentra_lora.whole_file import json_text

SD2_CROSS_ATTENTION_DIM = 1024
FOLDER = "images"  # of the photos, as kohya's fields name it
Size = tuple[int, int]


def output_name(trigger_word: str) -> str:
    """Return the name that A1111 calls an adapter by in prompts, <lora:NAME:1>: letters, digits, _, - and . alone.

    Two adapters of one name are one there: it is the subject's.
    """
    return re.sub(r"[^\w.-]+", "_", trigger_word).strip("_") or "lora"


def training_fields(train_params: Mapping[str, Any], base: str, resolution: int, trigger_word: str) -> dict[str, str]:
    """Return kohya's fields on the network and its training, of params.yaml's train block."""
    return {
        "ss_sd_model_name": base,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(train_params["rank"]),
        "ss_network_alpha": f"{train_params['lora_alpha']:g}",
        "ss_network_dropout": f"{train_params['lora_dropout']:g}",
        "ss_resolution": f"({resolution}, {resolution})",
        "ss_max_train_steps": str(train_params["steps"]),
        "ss_learning_rate": f"{train_params['learning_rate']:g}",
        "ss_lr_scheduler": train_params["lr_scheduler"],
        "ss_optimizer": train_params["optimizer"],
        "ss_seed": str(train_params["seed"]),
        "ss_output_name": output_name(trigger_word),
    }


def title_fields(trigger_word: str, rank: int, photos: int, resolution: int, author: str | None) -> dict[str, str]:
    """Return ModelSpec's fields on what the file is, and on the word that calls it up."""
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.implementation": "diffusers",
        "modelspec.title": trigger_word,
        "modelspec.description": (
            f'A LoRA of rank {rank} of one subject, trained on {photos} photos; write "{trigger_word}" in the prompt.'
        ),
        **({"modelspec.author": author} if author else {}),
        "modelspec.trigger_phrase": trigger_word,
        "modelspec.resolution": f"{resolution}x{resolution}",
    }


def dataset_fields(captions: Sequence[str], sizes: Sequence[Size], trigger_word: str) -> dict[str, str]:
    """Return kohya's fields on the training photos.

    Args:
        sizes: (width, height) of each photo's crop, in px.
    """
    folder = {"n_repeats": 1, "img_count": len(captions)}
    buckets = {str(n): {"resolution": size, "count": count} for n, (size, count) in enumerate(_counted(sizes))}
    return {
        "ss_num_train_images": str(len(captions)),
        "ss_dataset_dirs": json_text({FOLDER: folder}),
        "ss_tag_frequency": json_text({FOLDER: tag_frequency(captions, trigger_word)}),
        "ss_bucket_info": json_text({"buckets": buckets}),
    }


def tag_frequency(captions: Iterable[str], trigger_word: str) -> dict[str, int]:
    """Return {tag: how many captions have it}, most first: the parts between commas, and the trigger word."""
    found: Counter[str] = Counter()
    trigger = trigger_word.lower()
    for caption in captions:
        text = caption.lower()
        tags = [tag.strip() for tag in text.split(",") if tag.strip()]
        found.update(tags)
        if trigger in text and trigger not in tags:
            found[trigger] += 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0] != trigger, item[0])))


def _counted(sizes: Sequence[Size]) -> list[tuple[Size, int]]:
    return sorted(Counter(sizes).items())


def architecture(cross_attention_dim: int, prediction_type: str) -> dict[str, str]:
    """Return what user interfaces sort adapters by: Stable Diffusion 1.x or 2.x, and what its denoiser predicts.

    Args:
        cross_attention_dim: 1024 of Stable Diffusion 2.x; 768 of 1.x, and less of its kin.
        prediction_type: epsilon or v_prediction.
    """
    velocity, second = prediction_type == "v_prediction", cross_attention_dim == SD2_CROSS_ATTENTION_DIM
    version, spec = "sd_v1", "stable-diffusion-v1"
    if second:
        version, spec = "sd_v2", "stable-diffusion-v2-768-v" if velocity else "stable-diffusion-v2-512"
    return {
        "ss_base_model_version": f"{version}_v" if velocity else version,
        "modelspec.architecture": f"{spec}/lora",
        "modelspec.prediction_type": "v" if velocity else prediction_type,  # ModelSpec's word
        **({"ss_v2": "True"} if second else {}),
    }
