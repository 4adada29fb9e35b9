"""What phones, cameras, Google Takeout and kohya put beside photos, which is neither a photo nor a caption."""

import re
from collections.abc import Container
from pathlib import Path

# Live Photos' films and edits, cameras' films and thumbnails, raw converters' settings, kohya's latents.
COMPANIONS = (".mov", ".mp4", ".m4v", ".3gp", ".avi", ".aae", ".thm", ".xmp", ".npz")
RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")  # companions of their JPEG alone
NUMBERED = re.compile(r"(.+?)(\.\w+)[^()]*(\(\d+\))\.json")  # Takeout's a.jpg(1).json belongs to a(1).jpg


def is_companion(path: Path, photos: Container[Path]) -> bool:
    """Return whether a file is a photo's companion.

    Args:
        photos: without their endings.
    """
    suffix = path.suffix.lower()
    if suffix != ".json":
        return suffix in COMPANIONS or suffix in RAW and path.with_suffix("") in photos
    # IMG_1.jpg.json, PXL_1.MP.jpg.supplemental-metadata.json; any other may be captions, which are not to be lost.
    parts = path.name.split(".")
    owners = [".".join(parts[:count]) for count in range(2, len(parts))]
    if numbered := NUMBERED.fullmatch(path.name):
        owners.append(f"{numbered[1]}{numbered[3]}{numbered[2]}")
    return any(path.with_name(owner).exists() for owner in owners)
