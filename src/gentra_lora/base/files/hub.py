"""Files of a model on the hub, at a pinned revision: from the cache, else downloaded into it."""

from pathlib import Path

from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from gentra_lora.base.files.headers import read_json
from gentra_lora.base.source import BaseModelError
from gentra_lora.errors import first_line

# What diffusers and transformers call the weights of a part, and their pickles.
STEMS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
PICKLES = {"diffusion_pytorch_model": "diffusion_pytorch_model.bin", "model": "pytorch_model.bin"}


def hub_file(key: str, name: str, revision: str | None, file: str) -> Path | None:
    """Return where a file of a repository lies in the cache; None where the repository has no such file.

    Raises:
        BaseModelError: neither the cache nor the hub says.
    """
    cached = try_to_load_from_cache(name, file, revision=revision)
    if cached is not None:
        return Path(cached) if isinstance(cached, str) else None  # else known not to be there
    try:
        return Path(hf_hub_download(name, file, revision=revision))
    except Exception as error:  # of one HTTP library or another, by the hub client's version
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            return None
        raise BaseModelError(
            f"{key}: {file} of {name} is not in the cache, and the hub does not give it ({first_line(error)}); look at "
            f"the connection, the id, and whether the model asks for a log-in"
        ) from error


def hub_folder(key: str, name: str, revision: str | None, subfolder: str, stem: str) -> Path:
    """Return the folder in the cache with a part's configuration and weights: plain ones, else those in fp16.

    Raises:
        BaseModelError: the repository has no such part, or cannot be asked.
    """
    place = f"{subfolder}/" if subfolder else ""
    hub_file(key, name, revision, f"{place}config.json")
    index = f"{stem}.safetensors.index.json"
    for file in (f"{stem}.safetensors", index, PICKLES[stem], f"{stem}.fp16.safetensors"):
        found = hub_file(key, name, revision, place + file)
        if found:
            shards = set(read_json(key, found).get("weight_map", {}).values()) if file == index else ()
            for shard in shards:
                hub_file(key, name, revision, place + shard)
            return found.parent
    raise BaseModelError(f"{key}: {name}@{revision} has no weights {place}{stem}.safetensors; take another model")
