"""Pictures and prompts -> unit feature vectors, by a CLIP-like or DINO-like model."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, PreTrainedModel

# The name that transformers itself exports is a stand-in where torchvision is absent.
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from gentra_lora.base.model import guarded
from gentra_lora.base.source import BaseModelError, check_pinned


class FeatureModel:
    """A pinned feature model. `name` is a local folder or a hub id; `key` is its key in params.yaml, for errors.

    Raises:
        BaseModelError: neither a path that exists nor a hub id with a full revision.
    """

    def __init__(self, key: str, name: str, revision: str | None, device: torch.device) -> None:
        check_pinned(key, name, revision)
        self.key, self.name, self.revision, self.device = key, name, revision, device
        model = guarded(key, name, AutoModel.from_pretrained, name, revision=revision, dtype=torch.float32)
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
            BaseModelError: the model has no text tower.
        """
        of_texts = getattr(self.model, "get_text_features", None)
        if of_texts is None:
            raise BaseModelError(f"{self.key}: {self.name} has no text tower; take a CLIP model")
        tokenizer = guarded(self.key, self.name, AutoTokenizer.from_pretrained, self.name, revision=self.revision)
        ids = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        found = of_texts(input_ids=ids.to(self.device))
        return F.normalize(getattr(found, "pooler_output", found).float().cpu(), dim=1)
