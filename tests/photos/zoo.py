"""A zoo of small photo files, made in code: every orientation, mode, profile, container and fault that people have.

GOOD: name -> (write, expected). `write(path)` makes the file; expected is the upright size, and colours at places.
BAD: name -> (write, what the error must say).
"""

import io
import struct
import warnings
import zlib

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

pillow_heif.register_heif_opener()

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
GREY = (127, 127, 127)


def quarters(size=(64, 48)):
    """A picture whose quarters are red, green (right), blue (below) and white."""
    image = Image.new("RGB", size, WHITE)
    half = size[0] // 2, size[1] // 2
    image.paste(RED, (0, 0, *half))
    image.paste(GREEN, (half[0], 0, size[0], half[1]))
    image.paste(BLUE, (0, half[1], half[0], size[1]))
    return image


def textured(size=(160, 120)):
    """A picture with soft shapes and a camera's noise, as photos have; its files hold no long run of equal bytes."""
    rng = np.random.default_rng(0)
    shapes = rng.normal(128, 60, (size[1] // 16, size[0] // 16, 3)).clip(0, 255).astype(np.uint8)
    soft = np.asarray(Image.fromarray(shapes).resize(size, Image.Resampling.BICUBIC), dtype=float)
    return Image.fromarray((soft + rng.normal(0, 6, soft.shape)).clip(0, 255).astype(np.uint8))


CORNERS = {(5, 5): RED, (-5, 5): GREEN, (5, -5): BLUE, (-5, -5): WHITE}


def saved(image, kind, **options):
    return lambda path: image.save(path, kind, **options)


def bytes_of(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def cut(image, kind, share, **options):
    data = bytes_of(image, kind, **options)
    return lambda path: path.write_bytes(data[: int(len(data) * share)])


# The transpositions that undo an orientation tag; what is stored must be the opposite.
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def tagged(orientation, kind, mode="RGB", **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = quarters().convert(mode)
    if orientation in STORED_AS:
        image = image.transpose(STORED_AS[orientation])
    # Bytes: pillow-heif then writes the turn into the HEIF container as well, where phones put it.
    return saved(image, kind, exif=exif.tobytes(), **options)


def icc(space, channels, tags, device_class=b"mntr", pcs=b"XYZ "):
    """An ICC profile, version 2."""
    offset, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for signature, content in tags:
        content += b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", signature, offset + len(data), len(content))
        data += content
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"none", 0x02400000, device_class, space, pcs)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 24 + b"\0" * 4
    header += xyz_numbers(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + body


def xyz_numbers(*values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def xyz(*values):
    return b"XYZ \0\0\0\0" + xyz_numbers(*values)


def gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def text(words):
    data = words.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(data)) + data + b"\0" * 78


def rgb_profile(red, green, blue, power=2.2):
    tags = [(b"desc", text("test")), (b"wtpt", xyz(0.9642, 1.0, 0.8249))]
    tags += [(b"rXYZ", xyz(*red)), (b"gXYZ", xyz(*green)), (b"bXYZ", xyz(*blue))]
    return icc(b"RGB ", 3, tags + [(name, gamma(power)) for name in (b"rTRC", b"gTRC", b"bTRC")])


# Colorants adapted to D50, from the profiles' public specifications.
DISPLAY_P3 = rgb_profile((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
ADOBE_RGB = rgb_profile((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
# Linear light: half of it is 188 in sRGB.
LINEAR_GREY = icc(b"GRAY", 1, [(b"desc", text("g")), (b"wtpt", xyz(0.9642, 1, 0.8249)), (b"kTRC", gamma(1.0))])
LINEAR_RGB = rgb_profile((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141), 1.0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def cmyk_profile():
    """A printer's profile: bare paper is white, black ink is black, any other ink alone or mixed is L* = 50."""
    linear, identity = bytes(range(256)), struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    corners = [0 if n & 1 else 50 if n else 100 for n in range(16)]  # bits of n: cyan, magenta, yellow, black
    table = b"".join(bytes([round(lightness * 2.55), 128, 128]) for lightness in corners)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + linear * 4 + table + linear * 3
    tags = [(b"desc", text("test")), (b"wtpt", xyz(0.9642, 1.0, 0.8249)), (b"A2B0", lut)]
    return icc(b"CMYK", 4, tags, b"prtr", b"Lab ")


def png(size, depth, colour_type, raw, chunks=()):
    """A PNG from its raw rows, with chunks between header and data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0))
    middle = b"".join(chunk(*pair) for pair in chunks)
    data = b"\x89PNG\r\n\x1a\n" + head + middle + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return lambda path: path.write_bytes(data)


def png16(pixels, colour_type, chunks=()):
    """A 16-bit PNG of (H, W, C) values."""
    rows = pixels.astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return png((pixels.shape[1], pixels.shape[0]), 16, colour_type, raw, chunks)


def tiff16(pixels):
    """A little-endian TIFF of uncompressed 16-bit RGB."""
    height, width, _ = pixels.shape
    data = pixels.astype("<u2").tobytes()
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, 14), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data))]
    head = b"II*\0" + struct.pack("<I", 14 + len(data)) + struct.pack("<3H", 16, 16, 16)
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return lambda path: path.write_bytes(head + data + table + struct.pack("<I", 0))


def grey16():
    """A ramp over all levels, (64, 64)."""
    return np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)


def big_endian(path):
    """A TIFF of big-endian grey."""
    Image.frombytes("I;16B", (64, 64), grey16().astype(">u2").tobytes()).save(path, "TIFF")


def halves16(left, right):
    """Two colours side by side, (48, 64, C)."""
    pixels = flat16(*left)
    pixels[:, 32:] = right
    return pixels


def key(*levels):
    return b"tRNS", struct.pack(f">{len(levels)}H", *levels)


def iccp(profile):
    return b"iCCP", b"test\0\0" + zlib.compress(profile)


def flat16(*levels, size=(48, 64)):
    return np.broadcast_to(np.array(levels, np.uint16), (*size, len(levels))).copy()


def see_through(mode):
    """Hidden red on the left, opaque blue on the right."""
    image = Image.new("RGBA", (64, 48), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (32, 0, 64, 48))
    return image.convert(mode)


def palette(transparent=None):
    image = Image.new("P", (64, 48), 0)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    image.paste(1, (32, 0, 64, 48))
    if transparent is not None:
        image.info["transparency"] = transparent
    return image


def half_transparent():
    return Image.new("RGBA", (64, 48), (0, 0, 0, 128))


def cmyk(colour=(0, 255, 255, 0)):
    return Image.new("CMYK", (64, 48), colour)


def patch(colour, mode="RGB"):
    return Image.new(mode, (64, 48), colour)


def mpo(path):
    quarters().save(path, "MPO", save_all=True, append_images=[quarters().rotate(90)])


# Formats that carry EXIF data beside the picture, not as its own tags.
EXIF_KINDS = {".jpg": "JPEG", ".mpo": "MPO", ".png": "PNG", ".webp": "WEBP", ".avif": "AVIF", ".heic": "HEIF"}
SPOILT_EXIF = b"MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 30  # the list of tags breaks off before the first


def spoilt_exif(kind):
    return lambda path: bare_exif(quarters(), path, kind, SPOILT_EXIF)


def bare_exif(image, path, kind, tags):
    with warnings.catch_warnings(action="ignore"):  # of PIL, which reads what it is told to write
        image.save(path, kind, quality=95, lossless=kind == "WEBP", exif=b"Exif\0\0" + tags)


def grey(colour):
    return Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))


SIZE, MIDDLE = (64, 48), (20, 20)
LEFT, RIGHT = (10, 20), (-10, 20)
WHITE_THEN_BLUE = {LEFT: WHITE, RIGHT: BLUE}

GOOD = {
    **{f"exif{n}.jpg": (tagged(n, "JPEG", quality=95), (SIZE, CORNERS)) for n in range(1, 9)},
    **{f"exif{n}.png": (tagged(n, "PNG"), (SIZE, CORNERS)) for n in (3, 6)},
    **{f"exif{n}.webp": (tagged(n, "WEBP", lossless=True), (SIZE, CORNERS)) for n in (6, 8)},
    **{f"exif{n}.tif": (tagged(n, "TIFF"), (SIZE, CORNERS)) for n in (5, 6)},
    **{f"exif{n}.avif": (tagged(n, "AVIF", quality=95), (SIZE, CORNERS)) for n in (6, 7)},
    **{f"exif{n}.heic": (tagged(n, "HEIF", quality=95), (SIZE, CORNERS)) for n in (3, 5, 6, 8)},
    **{f"exif6_{mode}.tif": (tagged(6, "TIFF", mode), (SIZE, CORNERS)) for mode in ("RGBA", "CMYK")},
    "exif8_grey.tif": (
        tagged(8, "TIFF", "L"),
        (SIZE, {place: (grey(colour),) * 3 for place, colour in CORNERS.items()}),
    ),
    **{f"spoilt_exif{suffix}": (spoilt_exif(kind), (SIZE, CORNERS)) for suffix, kind in EXIF_KINDS.items()},
    "exif0.jpg": (tagged(0, "JPEG", quality=95), (SIZE, CORNERS)),
    "plain.jpg": (saved(quarters(), "JPEG", quality=95), (SIZE, CORNERS)),
    "progressive.jpeg": (saved(quarters(), "JPEG", quality=95, progressive=True), (SIZE, CORNERS)),
    "phone.mpo": (mpo, (SIZE, CORNERS)),
    "mpo.jpg": (mpo, (SIZE, CORNERS)),
    "plain.png": (saved(quarters(), "PNG"), (SIZE, CORNERS)),
    "lossless.webp": (saved(quarters(), "WEBP", lossless=True), (SIZE, CORNERS)),
    "lossy.webp": (saved(quarters(), "WEBP", quality=95), (SIZE, CORNERS)),
    "plain.tiff": (saved(quarters(), "TIFF"), (SIZE, CORNERS)),
    "lzw.tif": (saved(quarters(), "TIFF", compression="tiff_lzw"), (SIZE, CORNERS)),
    "plain.bmp": (saved(quarters(), "BMP"), (SIZE, CORNERS)),
    "still.gif": (saved(quarters(), "GIF"), (SIZE, CORNERS)),
    "plain.avif": (saved(quarters(), "AVIF", quality=95), (SIZE, CORNERS)),
    "iphone.heic": (saved(quarters(), "HEIF", quality=95), (SIZE, CORNERS)),
    "plain.heif": (saved(quarters(), "HEIF", quality=95), (SIZE, CORNERS)),
    "png_inside.jpg": (saved(quarters(), "PNG"), (SIZE, CORNERS)),
    "no_ending": (saved(quarters(), "JPEG", quality=95), (SIZE, CORNERS)),
    "bits.png": (saved(patch(1, "1"), "PNG"), (SIZE, {MIDDLE: WHITE})),
    "bits.tif": (saved(patch(0, "1"), "TIFF"), (SIZE, {MIDDLE: BLACK})),
    "grey.jpg": (saved(patch(127, "L"), "JPEG"), (SIZE, {MIDDLE: GREY})),
    "grey.png": (saved(patch(127, "L"), "PNG"), (SIZE, {MIDDLE: GREY})),
    "palette.png": (saved(palette(), "PNG"), (SIZE, {LEFT: RED, RIGHT: BLUE})),
    "palette.bmp": (saved(palette(), "BMP"), (SIZE, {LEFT: RED, RIGHT: BLUE})),
    "rgba.png": (saved(see_through("RGBA"), "PNG"), (SIZE, WHITE_THEN_BLUE)),
    "rgba.webp": (saved(see_through("RGBA"), "WEBP", lossless=True, exact=True), (SIZE, WHITE_THEN_BLUE)),
    "rgba.tif": (saved(see_through("RGBA"), "TIFF"), (SIZE, WHITE_THEN_BLUE)),
    "rgba.avif": (saved(see_through("RGBA"), "AVIF", quality=95), (SIZE, WHITE_THEN_BLUE)),
    "rgba.heic": (saved(see_through("RGBA"), "HEIF", quality=95), (SIZE, WHITE_THEN_BLUE)),
    "la.png": (saved(see_through("LA"), "PNG"), (SIZE, {LEFT: WHITE, RIGHT: (29, 29, 29)})),
    "half.png": (saved(half_transparent(), "PNG"), (SIZE, {MIDDLE: GREY})),
    "palette_see_through.png": (saved(palette(0), "PNG"), (SIZE, WHITE_THEN_BLUE)),
    "palette_alphas.png": (saved(palette(bytes([0, 255])), "PNG"), (SIZE, WHITE_THEN_BLUE)),
    "palette_see_through.gif": (saved(palette(0), "GIF", transparency=0), (SIZE, WHITE_THEN_BLUE)),
    "rgb_key.png": (
        png(
            SIZE,
            8,
            2,
            b"".join(b"\0" + bytes(RED) * 32 + bytes(BLUE) * 32 for _ in range(48)),
            [(b"tRNS", struct.pack(">3H", 255, 0, 0))],
        ),
        (SIZE, WHITE_THEN_BLUE),
    ),
    "grey_key.png": (
        png(
            SIZE,
            8,
            0,
            b"".join(b"\0" + b"\x07" * 32 + b"\x7f" * 32 for _ in range(48)),
            [(b"tRNS", struct.pack(">H", 7))],
        ),
        (SIZE, {LEFT: WHITE, RIGHT: GREY}),
    ),
    "grey16.png": (png16(grey16()[..., None], 0), ((64, 64), {(32, 32): (128, 128, 128), (0, 0): BLACK})),
    "grey16.tif": (saved(Image.fromarray(grey16()), "TIFF"), ((64, 64), {(32, 32): (128, 128, 128), (63, 63): WHITE})),
    "grey16_big_endian.tif": (big_endian, ((64, 64), {(32, 32): (130, 130, 130), (0, 0): BLACK, (63, 63): WHITE})),
    "grey16_profile.png": (png16(flat16(32896), 0, [iccp(LINEAR_GREY)]), (SIZE, {MIDDLE: (188,) * 3})),
    "grey16_key.png": (png16(flat16(300), 0, [(b"tRNS", struct.pack(">H", 300))]), (SIZE, {MIDDLE: WHITE})),
    "grey16_other_key.png": (png16(flat16(32639), 0, [(b"tRNS", struct.pack(">H", 300))]), (SIZE, {MIDDLE: GREY})),
    "grey_alpha16.png": (png16(flat16(32639, 65535), 4), (SIZE, {MIDDLE: GREY})),
    "rgb16.png": (png16(flat16(65535, 32639, 0), 2), (SIZE, {MIDDLE: (255, 127, 0)})),
    "rgb16_key.png": (
        png16(flat16(65535, 32639, 0), 2, [(b"tRNS", struct.pack(">3H", 65535, 32639, 0))]),
        (SIZE, {MIDDLE: WHITE}),
    ),
    # A key is the whole of 16 bits: neither its lower half nor a colour that looks like that half is transparent.
    "rgb16_uneven_key.png": (
        png16(halves16((0x7F10, 0x2000, 0x3001), (0x1010, 0, 0x0101)), 2, [key(0x7F10, 0x2000, 0x3001)]),
        (SIZE, {LEFT: WHITE, RIGHT: (16, 0, 1)}),
    ),
    "rgb16_dark_key.png": (
        png16(halves16((200, 0, 0), (0xC800, 0, 0)), 2, [key(200, 0, 0)]),
        (SIZE, {LEFT: WHITE, RIGHT: (200, 0, 0)}),
    ),
    "rgba16.png": (png16(flat16(65535, 0, 0, 0), 6), (SIZE, {MIDDLE: WHITE})),
    "rgb16.tif": (tiff16(flat16(65535, 32639, 0)), (SIZE, {MIDDLE: (255, 127, 0)})),
    "cmyk.jpg": (saved(cmyk(), "JPEG", quality=95), (SIZE, {MIDDLE: RED})),
    "cmyk.tif": (saved(cmyk((255, 0, 255, 0)), "TIFF"), (SIZE, {MIDDLE: GREEN})),
    "cmyk_profile.jpg": (saved(cmyk(), "JPEG", quality=95, icc_profile=cmyk_profile()), (SIZE, {MIDDLE: (119,) * 3})),
    "cmyk_profile.tif": (saved(cmyk(), "TIFF", icc_profile=cmyk_profile()), (SIZE, {MIDDLE: (119,) * 3})),
    "srgb.jpg": (saved(quarters(), "JPEG", quality=95, icc_profile=SRGB), (SIZE, CORNERS)),
    "p3.jpg": (
        saved(patch((200, 60, 60)), "JPEG", quality=98, icc_profile=DISPLAY_P3),
        (SIZE, {MIDDLE: (216, 43, 53)}),
    ),
    "p3.png": (saved(patch((200, 60, 60)), "PNG", icc_profile=DISPLAY_P3), (SIZE, {MIDDLE: (216, 43, 53)})),
    "p3.heic": (
        saved(patch((200, 60, 60)), "HEIF", quality=98, icc_profile=DISPLAY_P3),
        (SIZE, {MIDDLE: (216, 43, 53)}),
    ),
    "adobe.jpg": (
        saved(patch((100, 180, 100)), "JPEG", quality=98, icc_profile=ADOBE_RGB),
        (SIZE, {MIDDLE: (0, 181, 96)}),
    ),
    "adobe.tif": (saved(patch((100, 180, 100)), "TIFF", icc_profile=ADOBE_RGB), (SIZE, {MIDDLE: (0, 181, 96)})),
    "grey_profile.png": (saved(patch(128, "L"), "PNG", icc_profile=LINEAR_GREY), (SIZE, {MIDDLE: (188, 188, 188)})),
    "grey_profile_and_alpha.png": (
        saved(Image.new("LA", SIZE, (128, 255)), "PNG", icc_profile=LINEAR_GREY),
        (SIZE, {MIDDLE: (188,) * 3}),
    ),
    "grey_profile_and_key.png": (
        png(SIZE, 8, 0, b"".join(b"\0" + b"\x07" * 32 + b"\x80" * 32 for _ in range(48)), [iccp(LINEAR_GREY), key(7)]),
        (SIZE, {LEFT: WHITE, RIGHT: (188,) * 3}),
    ),
    "rgb_profile_on_grey.jpg": (saved(patch(128, "L"), "JPEG", icc_profile=LINEAR_RGB), (SIZE, {MIDDLE: (188,) * 3})),
    "profile_and_alpha.png": (
        saved(Image.new("RGBA", SIZE, (128, 128, 128, 255)), "PNG", icc_profile=LINEAR_RGB),
        (SIZE, {MIDDLE: (188, 188, 188)}),
    ),
    "profile_and_palette.png": (
        saved(patch((128, 128, 128)).quantize(2), "PNG", icc_profile=LINEAR_RGB),
        (SIZE, {MIDDLE: (188, 188, 188)}),
    ),
}


def animated(kind):
    return lambda path: quarters().save(path, kind, save_all=True, append_images=[quarters().rotate(90)])


def bomb(width, height):
    """A PNG whose header promises far more than the file holds."""
    return png((width, height), 1, 0, b"\0" * 100)


def jpeg_bomb(width, height):
    data = bytearray(bytes_of(quarters(), "JPEG"))
    at = data.find(b"\xff\xc0") + 5  # start of frame: marker, length, depth, then height and width
    data[at : at + 4] = struct.pack(">HH", height, width)
    return written(bytes(data))


def heif_bomb(kind, width, height):
    data = bytearray(bytes_of(quarters((64, 64)), kind))  # 64: no crop box, which would hold the true size
    at = data.find(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return written(bytes(data))


def noise(size=(200, 200)):
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8))


def written(data):
    return lambda path: path.write_bytes(data)


def flipped(data, at):
    return written(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])


def canons_raw(path):
    """A TIFF with Canon's mark behind its header, and its list of tags behind that."""
    data, mark = bytes_of(quarters(), "TIFF"), b"CR\2\0\0\0\0\0"
    (at,) = struct.unpack("<I", data[4:8])
    assert at == 8  # the list follows the header at once: a copy of it goes to the end
    path.write_bytes(data[:4] + struct.pack("<I", len(data)) + mark + data[16:] + data[8:])


NO_PICTURE, DAMAGED, SEVERAL = "is no picture, or a damaged one", "is damaged", "holds 2 pictures"
EITHER = "is damaged|is no picture, or a damaged one"

BAD = {
    "empty.jpg": (written(b""), "is empty; replace or remove it"),
    "words.jpg": (written(b"not a picture"), NO_PICTURE),
    "page.png": (written(b"<!doctype html><html><body>404</body></html>"), NO_PICTURE),
    "drawing.svg": (written(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), NO_PICTURE),
    "drawing.eps": (written(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"), NO_PICTURE),
    "paper.pdf": (written(b"%PDF-1.4\n"), NO_PICTURE),
    "layers.psd": (written(b"8BPS\0\1" + b"\0" * 60), NO_PICTURE),
    "movie.mov": (written(b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + b"\0" * 40), NO_PICTURE),
    "cut.jpg": (cut(noise(), "JPEG", 0.6), DAMAGED),
    "cut_by_a_little.jpg": (written(bytes_of(noise(), "JPEG")[:-100]), DAMAGED),
    "cut.png": (cut(noise(), "PNG", 0.6), DAMAGED),
    "cut.webp": (cut(noise(), "WEBP", 0.6), EITHER),
    "cut.tif": (cut(noise(), "TIFF", 0.6), EITHER),
    "cut.bmp": (cut(noise(), "BMP", 0.6), DAMAGED),
    "cut_progressive.jpg": (cut(noise(), "JPEG", 0.5, progressive=True), DAMAGED),
    "cut_lossless.webp": (cut(noise(), "WEBP", 0.6, lossless=True), EITHER),
    "flipped_bits.png": (flipped(bytes_of(noise(), "PNG"), 5000), DAMAGED),
    "cut.gif": (cut(noise(), "GIF", 0.6), DAMAGED),
    "cut.heic": (cut(noise(), "HEIF", 0.6), EITHER),
    "cut.avif": (cut(noise(), "AVIF", 0.6), EITHER),
    "only_a_header.jpg": (written(bytes_of(noise(), "JPEG")[:20]), EITHER),
    "animated.gif": (animated("GIF"), SEVERAL),
    "animated.webp": (animated("WEBP"), SEVERAL),
    "animated.png": (animated("PNG"), SEVERAL),
    "animated.avif": (animated("AVIF"), SEVERAL),
    "pages.tif": (animated("TIFF"), SEVERAL),
    "float.tif": (saved(Image.new("F", SIZE, 0.5), "TIFF"), "has 32 bits a channel"),
    "integer.tif": (saved(Image.new("I", SIZE, 70000), "TIFF"), "has 32 bits a channel"),
    "bomb.png": (bomb(16_000, 16_000), "has 16000 x 16000 = 256 million pixels, at most 250 million are opened"),
    "bomb.jpg": (jpeg_bomb(16_000, 16_000), "has 16000 x 16000 = 256 million pixels"),
    "bomb.heic": (heif_bomb("HEIF", 16_000, 16_000), "has 16000 x 16000 = 256 million pixels"),
    "bomb.avif": (heif_bomb("AVIF", 16_000, 16_000), "has 16000 x 16000 = 256 million pixels"),
    "great_bomb.png": (bomb(60_000, 60_000), "has far more pixels, at most 250 million are opened"),
    "broken_profile.jpg": (saved(quarters(), "JPEG", icc_profile=b"broken" * 30), "its embedded colour profile cannot"),
    "cut_profile.png": (saved(quarters(), "PNG", icc_profile=ADOBE_RGB[:140]), "its embedded colour profile cannot"),
    "grey_profile_on_colours.png": (saved(quarters(), "PNG", icc_profile=LINEAR_GREY), "its embedded colour profile"),
    "rgb_profile_on_cmyk.jpg": (saved(cmyk(), "JPEG", icc_profile=LINEAR_RGB), "its embedded colour profile cannot"),
    "preview.nef": (saved(quarters(), "TIFF", tiffinfo={254: 1}), "is a camera's raw file, of which only a preview"),
    "preview.dng": (saved(quarters(), "TIFF", tiffinfo={50706: b"\1\4\0\0"}), "is a camera's raw file"),
    "preview.cr2": (canons_raw, "is a camera's raw file"),
    "dangling.jpg": (lambda path: path.symlink_to("nowhere.jpg"), "cannot be read"),
    "folder.jpg": (lambda path: path.mkdir(), "cannot be read"),
}
