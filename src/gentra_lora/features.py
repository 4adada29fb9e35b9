"""Pictures and prompts -> unit feature vectors, by a CLIP-like or DINO-like model."""

import torch
from PIL import Image
from torch.nn import functional as F
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from gentra_lora.base_model import check_pinned


class FeatureModel:
    """A pinned feature model. `name` is a local folder or a hub id; `key` is its key in params.yaml, for errors.

    Raises:
        BaseModelError: neither a path that exists nor a hub id with a full revision.
    """

    def __init__(self, key, name, revision, device):
        check_pinned(key, name, revision)
        self.device = device
        self.model = AutoModel.from_pretrained(name, revision=revision, dtype=torch.float32).to(device).eval()
        self.processor = AutoImageProcessor.from_pretrained(name, revision=revision, use_fast=False)
        self._tokenizer = lambda: AutoTokenizer.from_pretrained(name, revision=revision)

    @torch.no_grad()
    def of_pictures(self, pictures, batch_size=32):
        """Return unit vectors (N, D) of uint8 pictures (N, H, W, 3)."""
        features = []
        for start in range(0, len(pictures), batch_size):
            images = [Image.fromarray(picture) for picture in pictures[start : start + batch_size]]
            pixel_values = self.processor(images, return_tensors="pt").pixel_values.to(self.device)
            features.append(self._image_features(pixel_values).cpu())
        return F.normalize(torch.cat(features).float(), dim=1)

    def _image_features(self, pixel_values):
        if hasattr(self.model, "get_image_features"):
            found = self.model.get_image_features(pixel_values=pixel_values)
            return getattr(found, "pooler_output", found)
        return self.model(pixel_values=pixel_values).last_hidden_state[:, 0]  # DINO's class token

    @torch.no_grad()
    def of_prompts(self, prompts):
        """Return unit vectors (N, D) of prompts; only for models with a text tower."""
        ids = self._tokenizer()(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        found = self.model.get_text_features(input_ids=ids.to(self.device))
        return F.normalize(getattr(found, "pooler_output", found).float().cpu(), dim=1)
