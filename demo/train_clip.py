"""Stage train_clip: contrastive text and picture towers -> models/nano-clip, with the tokenizer made here.

Radford et al. 2021, arXiv 2103.00020, at nano size; the text tower becomes the base's text encoder.
"""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

from captions import TRIGGER_WORD
from training import Run, load_params, load_pictures, to_pixel_values

OUT = Path("../models/nano-clip")
MAX_LENGTH = 40


def make_tokenizer(captions, folder, vocab_size):
    """Train CLIP's byte-pair scheme on the captions, without the trigger word; return a CLIPTokenizer."""
    assert not any(TRIGGER_WORD in caption for caption in captions)
    scheme = CLIPTokenizer().backend_tokenizer
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer, bpe.pre_tokenizer = scheme.normalizer, scheme.pre_tokenizer
    alphabet = sorted(ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    bpe.train_from_iterator(captions, trainer)
    learnt = json.loads(bpe.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in learnt["merges"]]
    # Every byte alone and at a word's end, as in CLIP: any word can be spelled.
    words = [*alphabet, *(a + "</w>" for a in alphabet), *("".join(m) for m in merges)]
    words = list(dict.fromkeys(words)) + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {word: n for n, word in enumerate(words)}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_LENGTH)
    longest = max(len(tokenizer(caption).input_ids) for caption in captions)
    assert longest <= MAX_LENGTH, f"a caption takes {longest} tokens of {MAX_LENGTH}"
    print(f"tokenizer: {len(vocab)} tokens, the longest caption takes {longest} of {MAX_LENGTH}", flush=True)
    return tokenizer


def make_model(tokenizer, size, params):
    """Return an untrained CLIPModel at nano size."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 96,
        "intermediate_size": 384,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": MAX_LENGTH,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": size,
        "patch_size": params["patch_size"],
    }
    torch.manual_seed(params["seed"])
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=params["projection_dim"]))


def shifted(pictures, generator, most=6):
    """Return the pictures moved by a few pixels and mirrored at random: the features shall not care."""
    padded = F.pad(pictures, (most,) * 4, mode="replicate")
    moved = []
    for picture in padded:
        dy, dx, flip = torch.randint(0, 2 * most + 1, (3,), generator=generator).tolist()
        crop = picture[:, dy : dy + pictures.shape[2], dx : dx + pictures.shape[3]]
        moved.append(crop.flip(-1) if flip % 2 else crop)
    return torch.stack(moved)


def main():
    params = load_params("train_clip")
    pictures, captions = load_pictures()
    tokenizer = make_tokenizer(captions, OUT, params["vocab_size"])
    ids = tokenizer(captions, padding="max_length", return_tensors="pt").input_ids
    processor = CLIPProcessor(
        CLIPImageProcessor(
            size={"shortest_edge": pictures.shape[-1]},
            crop_size=pictures.shape[-1],
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        ),
        tokenizer,
    )
    model = make_model(tokenizer, pictures.shape[-1], params)
    print(f"nano CLIP: {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters", flush=True)
    run = Run("clip", model, params)
    trained_on = len(pictures) - params["held_out"]
    for _, generator in run.steps():
        chosen = torch.randperm(trained_on, generator=generator)[: params["batch_size"]]
        pixel_values = to_pixel_values(shifted(pictures[chosen].float(), generator))
        logits = model(input_ids=ids[chosen], pixel_values=pixel_values).logits_per_image
        # Pictures of one caption are each other's right answers.
        same = (ids[chosen][:, None] == ids[chosen][None]).all(dim=2).float()
        target = same / same.sum(dim=1, keepdim=True)
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        run.update(loss, accuracy=(logits.argmax(dim=1) == torch.arange(len(chosen))).float().mean())
    model.eval()
    with torch.no_grad():
        chosen = torch.arange(trained_on, len(pictures))
        logits = model(input_ids=ids[chosen], pixel_values=to_pixel_values(pictures[chosen])).logits_per_image
    accuracy = (logits.argmax(dim=1) == torch.arange(len(chosen))).float().mean()
    print(f"held out: the right caption of {len(chosen)} for {accuracy:.2f} of the pictures")
    model.half().save_pretrained(OUT)
    processor.save_pretrained(OUT)
    Path("clip_scores.json").write_text(json.dumps({"held_out_accuracy": round(float(accuracy), 4)}) + "\n")


if __name__ == "__main__":
    main()
