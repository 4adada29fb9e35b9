"""Stage train_clip: contrastive text and picture towers -> models/nano-clip, with the tokenizer made here.

Radford et al. 2021, arXiv 2103.00020, at nano size; the text tower becomes the base's text encoder.
"""

import hashlib
import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

from captions import TRIGGER_WORD, wrong
from closer_look import look_closer
from training import DEVICE, Run, load_captions, load_params, load_pictures, shifted, to_pixel_values

OUT, STATE = Path("../models/nano-clip"), Path("work/state/tokenizer")
MAX_LENGTH = 40
CLOSER = ("closer", "closer_again", "closer_at_last")


def kept_tokenizer(captions, params):
    """Return the tokenizer of these captions that a stopped training was begun with, else a new one, which is kept.

    Merges that are equally frequent come in another order each time that they are counted.
    """
    made_of = hashlib.sha256(json.dumps([captions, params["vocab_size"]]).encode()).hexdigest()
    note = STATE / "made_of.txt"
    if note.exists() and note.read_text() == made_of:
        return CLIPTokenizer.from_pretrained(STATE)
    tokenizer = make_tokenizer(captions, params["vocab_size"])
    tokenizer.save_pretrained(STATE)
    note.write_text(made_of)
    return tokenizer


def make_tokenizer(captions, vocab_size):
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


def wrong_ids(tokenizer, count, params):
    """Return the ids (K, N, L) of captions that say one thing wrongly, K of each picture.

    Yuksekgonul et al. 2023, arXiv 2210.01936: without such neighbours the batch asks for the colour and the setting,
    and hardly for wheels and view.
    """
    rendered, sets = load_params("render"), []
    for k in range(params["wrong_captions"]):
        rngs = [random.Random(f"{params['seed']}-wrong-{k}-{n}") for n in range(count)]
        said = [wrong(n, rendered["seed"], rendered["accessories"], rngs[n]) for n in range(count)]
        sets.append(tokenizer(said, padding="max_length", truncation=True, return_tensors="pt").input_ids)
    return torch.stack(sets)


def contrastive_loss(logits, right, count):
    """Return CLIP's loss of logits (B, B + K): each picture's wrong captions follow the right ones of the batch."""
    target = F.pad(right / right.sum(dim=1, keepdim=True), (0, logits.shape[1] - count))
    of_texts = right / right.sum(dim=0, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits[:, :count].T, of_texts.T)) / 2


def main():
    params = load_params("train_clip")
    pictures, captions = load_pictures(), load_captions()
    tokenizer = kept_tokenizer(captions, params)
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
    first = {name: value for name, value in params.items() if name not in CLOSER}
    run = Run("clip", model, first)
    trained_on = len(pictures) - params["held_out"]
    wrong_captions, count = wrong_ids(tokenizer, trained_on, params), params["batch_size"]
    for _, generator in run.steps():
        chosen = torch.randperm(trained_on, generator=generator)[:count]
        pixel_values = to_pixel_values(shifted(pictures[chosen].float(), generator)).to(DEVICE)
        k = torch.randint(0, len(wrong_captions), (count,), generator=generator)
        said = torch.cat([ids[chosen], wrong_captions[k, chosen]])
        logits = model(input_ids=said.to(DEVICE), pixel_values=pixel_values).logits_per_image
        # Pictures of one caption are each other's right answers.
        same = (ids[chosen][:, None] == ids[chosen][None]).all(dim=2).float().to(DEVICE)
        loss = contrastive_loss(logits, same, count)
        run.update(loss, accuracy=(logits.argmax(dim=1) == torch.arange(len(chosen), device=DEVICE)).float().mean())
    run.finish()
    for part in CLOSER:
        look_closer(model, tokenizer, pictures[:trained_on], params, part)
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
