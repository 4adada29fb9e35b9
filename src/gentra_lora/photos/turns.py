"""How a photo is turned to stand upright, as its EXIF data say, for its picture and its mask alike."""

from PIL import ExifTags, Image, ImageFile

from gentra_lora.errors import first_line

TURN = Image.Transpose
# Of each orientation but 1, which lies as it is seen.
TURNS = {2: TURN.FLIP_LEFT_RIGHT, 3: TURN.ROTATE_180, 4: TURN.FLIP_TOP_BOTTOM, 5: TURN.TRANSPOSE}
TURNS |= {6: TURN.ROTATE_270, 7: TURN.TRANSVERSE, 8: TURN.ROTATE_90}
SIDEWAYS = {TURNS[orientation] for orientation in (5, 6, 7, 8)}  # width becomes height
NO_TAGS = len(b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")  # bytes of EXIF data that hold none


def turn_of(opened: ImageFile.ImageFile) -> tuple[Image.Transpose | None, str | None]:
    """Return (how a picture must be turned, a note where its EXIF data cannot be read: it is taken as it lies)."""
    if opened.format == "TIFF":  # PIL turns these by itself, their size when it opens and their pixels when it loads
        return None, None
    tags, reason = Image.Exif(), "no tag is whole"
    try:
        tags = opened.getexif()
    except Exception as error:  # a broken note on a photo whose pixels can be read: PIL raises anything here
        reason = first_line(error)
    if not tags and len(opened.info.get("exif") or b"") > NO_TAGS:
        return None, f"its EXIF data cannot be read ({reason}), and it is taken as it lies"
    return TURNS.get(tags.get(ExifTags.Base.Orientation, 1)), None


def upright(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    """Return a picture turned as `turn_of` says."""
    return image if turn is None else image.transpose(turn)
