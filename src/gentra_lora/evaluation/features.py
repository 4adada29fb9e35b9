"""Pictures and prompts -> unit feature vectors, by a CLIP-like or DINO-like model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, PreTrainedModel

# The name that transformers itself exports is a stand-in where torchvision is absent.
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from gentra_lora.base.files.headers import check_files
from gentra_lora.base.files.tokens import check_tokenizer
from gentra_lora.base.files.wholeness import check_loaded, check_values
from gentra_lora.base.source import BaseModelError, check_pinned, guarded


class FeatureModel:
    """A pinned feature model. `name` is a local folder or a hub id; `key` is its key in params.yaml, for errors.

    Raises:
        BaseModelError: neither a path that exists nor a hub id with a full revision, or not whole.
    """

    def __init__(self, key: str, name: str, revision: str | None, device: torch.device) -> None:
        check_pinned(key, name, revision)
        check_files(key, name)
        self.key, self.name, self.revision, self.device = key, name, revision, device
        load: Any = AutoModel.from_pretrained  # with the loading info it returns two
        options = {"revision": revision, "dtype": torch.float32, "output_loading_info": True}
        model, info = guarded(key, name, load, name, **options)
        # What it has beside its features, a classifier say, and a pooler that we do not read, is no matter.
        missing = [weight for weight in info["missing_keys"] if not weight.startswith("pooler.")]
        check_loaded(key, name, info | {"missing_keys": missing, "unexpected_keys": []})
        check_values(key, name, "model", model)
        self.model: PreTrainedModel = model.to(device).eval()
        load = AutoImageProcessor.from_pretrained
        self.processor = guarded(key, name, load, name, revision=revision, backend="pil")

    @torch.no_grad()
    def of_pictures(self, pictures: Sequence[NDArray[np.uint8]], batch_size: int = 32) -> torch.Tensor:
        """Return unit vectors (N, D) of N pictures (H, W, 3)."""
        features = []
        for start in range(0, len(pictures), batch_size):
            images = [Image.fromarray(picture) for picture in pictures[start : start + batch_size]]
            pixel_values = self.processor(images, return_tensors="pt").pixel_values.to(self.device)
            features.append(self._image_features(pixel_values).cpu())
        return F.normalize(torch.cat(features).float(), dim=1)

    def _image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        if of_images := getattr(self.model, "get_image_features", None):
            found = of_images(pixel_values=pixel_values)
            return getattr(found, "pooler_output", found)
        return self.model(pixel_values=pixel_values).last_hidden_state[:, 0]  # DINO's class token

    @torch.no_grad()
    def of_prompts(self, prompts: list[str]) -> torch.Tensor:
        """Return unit vectors (N, D) of prompts.

        Raises:
            BaseModelError: the model has no text tower, or its tokenizer is not whole.
        """
        of_texts = getattr(self.model, "get_text_features", None)
        if of_texts is None:
            raise BaseModelError(f"{self.key}: {self.name} has no text tower; take a CLIP model")
        tokenizer = guarded(self.key, self.name, AutoTokenizer.from_pretrained, self.name, revision=self.revision)
        if self.model.config.model_type == "clip":
            text = self.model.config.text_config
            check_tokenizer(self.key, self.name, tokenizer, text.vocab_size, text.max_position_embeddings)
        ids = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        found = of_texts(input_ids=ids.to(self.device))
        return F.normalize(getattr(found, "pooler_output", found).float().cpu(), dim=1)
