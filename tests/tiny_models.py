"""Tiny real models: the classes of the real base with random weights."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    SwinConfig,
)
from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil

from tests.made_once import made_once

MASK_EMBEDDER = "model.transformer_module.decoder.mask_predictor.mask_embedder"


@pytest.fixture(scope="session")
def tokenizer():
    """CLIP's byte tokens without a merge: it spells everything, in at most 40 tokens."""
    alphabet = sorted(ByteLevel.alphabet())
    words = [*alphabet, *(a + "</w>" for a in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[], model_max_length=40)


@pytest.fixture(scope="session")
def text_config(tokenizer):
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=40,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def make_unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=8,
    )


@pytest.fixture
def tiny_unet():
    return make_unet().requires_grad_(False)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory, tokenizer, text_config):
    """The folder of a whole Stable Diffusion pipeline at 64 px, 16 x 16 latents."""
    return made_once(tmp_path_factory, "tiny-sd", lambda folder: make_base(folder, tokenizer, text_config))


def make_base(folder, tokenizer, text_config):
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3}
    vae = AutoencoderKL(block_out_channels=(8, 8, 16), layers_per_block=1, norm_num_groups=1, sample_size=64, **blocks)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text_config),
        tokenizer=tokenizer,
        unet=make_unet(),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_segmenter(tmp_path_factory):
    """The folder of a Mask2Former that knows person, car and sky, and sees two cars anywhere in any photo."""
    return made_once(tmp_path_factory, "tiny-mask2former", make_segmenter)


def make_segmenter(folder):
    torch.manual_seed(0)
    backbone = SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1] * 4,
        num_heads=[1] * 4,
        window_size=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    sizes = {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "num_attention_heads": 2, "num_queries": 2}
    depths = {"encoder_feedforward_dim": 32, "encoder_layers": 1, "decoder_layers": 2, "dim_feedforward": 16}
    labels = {0: "person", 1: "car", 2: "sky"}
    names = {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(backbone_config=backbone, **sizes, **depths, **names))
    with torch.no_grad():  # random weights say little of anything
        for weights in model.parameters():
            if not weights.any():
                weights.normal_(std=0.02)
        model.class_predictor.bias.copy_(torch.tensor([0.0, 5.0, 0.0, 0.0]))
        model.get_parameter(f"{MASK_EMBEDDER}.2.0.weight").mul_(200)
    model.save_pretrained(folder)
    Mask2FormerImageProcessorPil(size={"height": 64, "width": 64}, ignore_index=255).save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory, tokenizer, text_config):
    """The folder of a CLIP model with a picture tower, for scores."""
    return made_once(tmp_path_factory, "tiny-clip", lambda folder: make_clip(folder, tokenizer, text_config))


def make_clip(folder, tokenizer, text_config):
    torch.manual_seed(0)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 16,
    }
    model = CLIPModel(CLIPConfig(text_config=text_config.to_dict(), vision_config=vision, projection_dim=16))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
