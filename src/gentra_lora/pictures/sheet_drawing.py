"""Pictures for people: labelled grids, the sheet of all photos."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gentra_lora.photos.manifest import Row

TILE = 192  # px; smaller pictures are enlarged to it
GAP, LINE = 4, 15
HEADING_LINES = 3
LETTERS = 30  # of a heading's line
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def grid(
    columns: Sequence[str], rows: Sequence[tuple[str, Sequence[np.ndarray] | np.ndarray]], title: str
) -> Image.Image:
    """Return an image of labelled pictures.

    Args:
        columns: the columns' headings, wrapped to the pictures' width.
        rows: (label, pictures uint8 (R, R, 3), one a column) pairs.
    """
    heading = (1 + HEADING_LINES) * LINE
    width, height = len(columns) * (TILE + GAP), heading + len(rows) * (TILE + LINE + GAP)
    sheet = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    draw.text((GAP, 0), title, fill="black", font=font)
    for number, column in enumerate(columns):
        for line, words in enumerate(textwrap.wrap(column, LETTERS)[:HEADING_LINES]):
            draw.text((number * (TILE + GAP) + GAP, (1 + line) * LINE), words, fill="black", font=font)
    for place, (label, pictures) in enumerate(rows):
        top = heading + place * (TILE + LINE + GAP)
        draw.text((GAP, top), _fitted(label, width - 2 * GAP, font), fill="black", font=font)
        for number, picture in enumerate(pictures):
            sheet.paste(_tile(picture), (number * (TILE + GAP) + GAP // 2, top + LINE))
    return sheet


def _tile(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(np.asarray(picture)).resize((TILE, TILE), Image.Resampling.LANCZOS)


def _fitted(text: str, width: float, font: Font) -> str:
    while font.getlength(text) > width:
        text = text.removesuffix("…")[:-1] + "…"
    return text


SHEET_COLUMNS, SHEET_TILE, SHEET_LINES = 8, 160, 4
SPLIT_COLOURS = {"train": "#d0d0d0", "held_out": "#e07020"}
DOUBT = "#e00000"
VEIL, VEIL_OPACITY = "#d000d0", 0.4  # a colour that few photos have
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf")  # where PIL's own lacks the letters


@dataclass(frozen=True)
class Tile:
    """A photo of a sheet: a picture of at most SHEET_TILE a side, the colour of its frame, and the lines below it."""

    picture: Image.Image
    frame: str
    lines: Sequence[str]


def dataset_sheet(rows: Sequence[Row], folder: Path, doubts: Mapping[str, Sequence[str]]) -> Image.Image:
    """Return an image of all photos with their captions; those that are held out are framed and say so.

    What lies outside of a photo's mask is painted over.

    Args:
        rows: the manifest's.
        folder: holds their files; masks/ beside it holds the masks.
        doubts: {file name: what may be wrong with it}; these are framed in red, and what may be wrong stands below.
    """
    tiles = []
    for row in rows:
        doubt = doubts.get(row.file_name, ())
        with Image.open(folder / row.file_name) as opened:
            picture = thumbnail(opened)
        if row.mask_sha256:
            with Image.open(folder.with_name("masks") / row.file_name) as opened:
                picture = veiled(picture, opened)
        held_out = "held out: " if row.split == "held_out" else ""
        caption = textwrap.wrap(
            "; ".join(doubt) or row.caption, LETTERS * SHEET_TILE // TILE, max_lines=SHEET_LINES, placeholder=" …"
        )
        frame = DOUBT if doubt else SPLIT_COLOURS[row.split]
        tiles.append(Tile(picture, frame, [held_out + row.file_name, *caption]))
    return sheet_of(tiles, 1 + SHEET_LINES)


def sheet_of(tiles: Sequence[Tile], lines: int) -> Image.Image:
    """Return an image of photos in rows, with room for as many lines below each."""
    font = _font("".join(line for tile in tiles for line in tile.lines))
    cell = SHEET_TILE + 2 * GAP, SHEET_TILE + lines * LINE + 2 * GAP
    columns = min(SHEET_COLUMNS, len(tiles))
    sheet = Image.new("RGB", (columns * cell[0], -(-len(tiles) // columns) * cell[1]), "white")
    draw = ImageDraw.Draw(sheet)
    for number, tile in enumerate(tiles):
        left, top = number % columns * cell[0], number // columns * cell[1]
        draw.rectangle((left, top, left + cell[0] - 1, top + SHEET_TILE + 2 * GAP - 1), tile.frame)
        width, height = tile.picture.size
        sheet.paste(tile.picture, (left + GAP + (SHEET_TILE - width) // 2, top + GAP + (SHEET_TILE - height) // 2))
        for line, words in enumerate(tile.lines):
            where = left + GAP, top + SHEET_TILE + 2 * GAP + line * LINE
            draw.text(where, _fitted(words, SHEET_TILE, font), fill="black", font=font)
    return sheet


def thumbnail(photo: Image.Image) -> Image.Image:
    """Return a photo at the size that it has on a sheet."""
    small = photo.convert("RGB")
    small.thumbnail((SHEET_TILE, SHEET_TILE))
    return small


def veiled(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """Return a picture with a veil over what is outside of its mask, which may be larger."""
    veil = Image.blend(picture, Image.new("RGB", picture.size, VEIL), VEIL_OPACITY)
    return Image.composite(picture, veil, mask.resize(picture.size, Image.Resampling.BOX))


def _font(text: str) -> Font:
    """Return PIL's own font, the same everywhere; for letters that it lacks, one of the system's where there is one."""
    if text.isascii():
        return ImageFont.load_default(12)
    for name in FONTS:
        try:
            return ImageFont.truetype(name, 11)
        except OSError:
            continue
    return ImageFont.load_default(12)
