"""A photo -> the mask of its subject, by a pinned Mask2Former (Cheng et al. 2021, arXiv 2112.01527)."""

from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import interpolate
from transformers import AutoModelForUniversalSegmentation

# The name that transformers itself exports is a stand-in where torchvision is absent.
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from gentra_lora.base.files.headers import check_files
from gentra_lora.base.files.wholeness import check_loaded, check_values
from gentra_lora.base.source import BaseModelError, check_pinned, guarded
from gentra_lora.errors import InputError

KEY = "--model"
KIND = "mask2former"
LARGEST = 1024  # px, of the longer side at which segments are cut out; a photo's own would fill the memory


class Segmentation:
    """A pinned Mask2Former; `name` is a local folder or a hub id.

    Raises:
        BaseModelError: neither a path that exists nor a hub id with a full revision, of another kind, or not whole.
    """

    def __init__(self, name: str, revision: str | None, device: torch.device) -> None:
        check_pinned(KEY, name, revision)
        check_files(KEY, name)
        self.name, self.device = name, device
        load: Any = AutoModelForUniversalSegmentation.from_pretrained  # with the loading info it returns two
        options = {"revision": revision, "dtype": torch.float32, "output_loading_info": True}
        model, info = guarded(KEY, name, load, name, **options)
        if model.config.model_type != KIND:
            raise BaseModelError(f"{KEY}: {name} is a {model.config.model_type}; take a Mask2Former")
        check_loaded(KEY, name, info | {"unexpected_keys": []})
        check_values(KEY, name, "model", model)
        self.model = model.to(device).eval()
        load = AutoImageProcessor.from_pretrained
        self.processor = guarded(KEY, name, load, name, revision=revision, backend="pil")

    def label_id(self, key: str, noun: str) -> int:
        """Return the id of the model's label that is called `noun`, in any case.

        Args:
            key: where the noun was set, for the error.

        Raises:
            InputError: the model has no such label; the message lists those that it has.
        """
        labels: Mapping[int, str] = self.model.config.id2label
        for number, label in labels.items():
            if label.casefold() == noun.strip().casefold():
                return int(number)
        raise InputError(
            f"{key}: {noun!r} is no label of {self.name}; set --label to one of: {', '.join(labels.values())}"
        )

    @torch.no_grad()
    def mask_of(self, photo: Image.Image, label_id: int, threshold: float) -> Image.Image | None:
        """Return where the largest thing of a label is, mode L, of the photo's size; None where there is none.

        Args:
            threshold: how sure the model must be of a thing, 0 to 1.
        """
        inputs = self.processor([photo], return_tensors="pt").to(self.device)
        outputs = self.model(**inputs)
        scores, labels = outputs.class_queries_logits[0].softmax(dim=-1).max(dim=-1)  # (Q,), the last label is nothing
        sure = (scores > threshold) & (labels < outputs.class_queries_logits.shape[-1] - 1)
        if not (labels[sure] == label_id).any():
            return None
        seen = inputs.pixel_mask[0].bool()  # (H, W); the rest was added to fill a rectangle
        logits = interpolate(outputs.masks_queries_logits[:, sure], seen.shape, mode="bilinear")
        logits = logits[..., : int(seen.any(dim=1).sum()), : int(seen.any(dim=0).sum())]
        scale = min(1, LARGEST / max(photo.size))
        size = [max(1, round(side * scale)) for side in reversed(photo.size)]
        shares = interpolate(logits, size, mode="bilinear")[0].sigmoid()
        levels = largest_thing(shares, scores[sure], labels[sure] == label_id)
        return Image.fromarray(levels.cpu().numpy()).resize(photo.size, Image.Resampling.BILINEAR)


def largest_thing(shares: torch.Tensor, scores: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return where the largest of the wanted things is, uint8 (h, w): 255 there, 0 elsewhere.

    A pixel is the thing's where its share is above a half and no other thing's is larger, weighed by the scores.

    Args:
        shares: (N, h, w), how much each pixel is of each thing.
        scores: (N,), how sure each thing is.
        wanted: bool (N,).
    """
    winner = (shares * scores[:, None, None]).argmax(dim=0)
    masks = torch.stack([(winner == n) & (shares[n] > 0.5) for n in wanted.nonzero().flatten().tolist()])
    return masks[masks.sum(dim=(1, 2)).argmax()].to(torch.uint8) * 255
