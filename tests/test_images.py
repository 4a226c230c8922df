"""Decoding: every reader sees an image upright, and the loader and the readers agree on what is
one.
"""

from __future__ import annotations

import io
import os
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagenet_ao
from aobench.images import BadImageError, read_image, read_upright

#: How an upright image is stored where its EXIF orientation is the key.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
FORMATS = {
    "JPEG": {"quality": 95},
    "PNG": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
    "TIFF": {},
}


def corners() -> Image.Image:
    """40 x 24: red, green, blue and white, from the upper left to the lower right."""
    pixels = np.zeros((24, 40, 3), np.uint8)
    pixels[:12, :20, 0] = pixels[:12, 20:, 1] = pixels[12:, :20, 2] = 255
    pixels[12:, 20:] = 255
    return Image.fromarray(pixels)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def turned(form: str, orientation: int) -> bytes:
    stored = STORED.get(orientation)
    image = corners() if stored is None else corners().transpose(stored)
    exif = Image.Exif()
    exif[imagenet_ao.ORIENTATION] = orientation
    return encoded(image, form, exif=exif.tobytes(), **FORMATS[form])


def fault(data: bytes, draft: int | None = None) -> str | None:
    try:
        read_image({"bytes": data}, draft)
    except BadImageError as error:
        return str(error)
    return None


@pytest.mark.parametrize("form", FORMATS)
def test_every_orientation_is_seen_upright_in_every_format(form: str) -> None:
    for orientation in STORED:
        for draft in (None, 8):
            pixels = np.asarray(
                read_image({"bytes": turned(form, orientation)}, draft)
            ).astype(int)
            seen = [
                pixels[y, x].tolist()
                for y, x in ((2, 2), (2, -3), (-3, 2), (-3, -3))
            ]
            for colour, wanted in zip(
                seen, ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)), strict=True
            ):
                said = (
                    f"{form}, orientation {orientation}, draft {draft}: {seen}"
                )
                assert [value > 128 for value in colour] == [
                    bool(one) for one in wanted
                ], said


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_means_upright(form: str) -> None:
    for orientation in (0, 9, 65535):
        assert read_image({"bytes": turned(form, orientation)}).size == (
            40,
            24,
        ), orientation
    exif = Image.Exif()
    exif[imagenet_ao.ORIENTATION], exif[0x010E] = 6, "a description"
    whole = exif.tobytes()
    for end in range(6, len(whole), 5):
        assert fault(encoded(corners(), form, exif=whole[:end])) is None, (
            f"EXIF cut at {end}"
        )


def test_sixteen_bits_turned_are_exact() -> None:
    grey = np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) * 68
    exif = Image.Exif()
    exif[imagenet_ao.ORIENTATION] = 6
    data = encoded(Image.fromarray(grey), "PNG", exif=exif.tobytes())
    pixels = np.asarray(read_image({"bytes": data}))[..., 0]
    assert (pixels == np.rot90(grey >> 8, -1)).all()


@pytest.mark.parametrize("top", [1, 200, 70_000, 2**31 - 1])
def test_integers_of_32_bits_are_unreadable_not_black(top: int) -> None:
    grey = np.linspace(0, top, 64).astype(np.int32).reshape(8, 8)
    assert "32-bit integers" in (
        fault(encoded(Image.fromarray(grey), "TIFF")) or "black"
    )


@pytest.mark.parametrize("top", [1, 255, 1e30, float("nan")])
def test_floats_are_unreadable_not_black(top: float) -> None:
    grey = np.full((8, 8), top, np.float32)
    assert "floating-point" in (
        fault(encoded(Image.fromarray(grey), "TIFF")) or "black"
    )


def test_what_follows_the_end_of_a_jpeg_does_not_matter() -> None:
    for progressive in (False, True):
        data = encoded(corners(), "JPEG", progressive=progressive)
        for more in (
            bytes(6000),
            b"\0\0\0\x18ftypmp42" + bytes(range(1, 250)) * 90,
            data,
        ):
            assert imagenet_ao.image_fault(data + more) is None
            assert fault(data + more) is None
        assert fault(data[:-2]), "a JPEG without its end mark is cut"


def test_the_loader_and_the_readers_agree_on_damaged_files() -> None:
    smooth = corners().resize((70, 50), Image.Resampling.BICUBIC)
    files = {
        form: encoded(smooth, form)
        for form in (
            "JPEG",
            "PNG",
            "GIF",
            "WEBP",
            "BMP",
            "TIFF",
            "AVIF",
            "JPEG2000",
        )
    }
    files["progressive"] = encoded(smooth, "JPEG", progressive=True)
    files["CMYK"] = encoded(smooth.convert("CMYK"), "JPEG")
    draw = random.Random(0)
    bad = 0
    for name, data in files.items():
        whole = read_image({"bytes": data}).tobytes()
        for step in range(30):
            cut = data[: len(data) * (step + 1) // 31]
            flipped = bytearray(data)
            flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            for damaged in (cut, bytes(flipped)):
                said = (
                    imagenet_ao.image_fault(damaged) is None,
                    fault(damaged) is None,
                    fault(damaged, 16) is None,
                )
                assert len(set(said)) == 1, (
                    f"{name}, step {step}: loader, reader and reader of drafts say {said}"
                )
                bad += not said[0]
            if fault(cut) is None:
                assert read_image({"bytes": cut}).tobytes() == whole, (
                    f"{name}: a cut image was read as another"
                )
    assert bad > 200, "the files were not damaged enough to tell anything"


def test_a_flipped_bit_in_a_png_is_noticed() -> None:
    data = encoded(corners(), "PNG")
    for place in range(8, len(data) - 12, 3):  # the end mark has no pixels
        damaged = bytearray(data)
        damaged[place] ^= 4
        assert fault(bytes(damaged)), f"byte {place}"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no bytes"),
        (b"<html>404</html>", "no image"),
        (b"P6 0 5 255\n", "image"),
        (b"GIF89a\x00\x00\x05\x00\x00\x00\x00;", "image"),
        (
            b"BM"
            + (54).to_bytes(4, "little")
            + bytes(4)
            + (54).to_bytes(4, "little")
            + (40).to_bytes(4, "little")
            + bytes(8)
            + (1).to_bytes(2, "little")
            + (24).to_bytes(2, "little")
            + bytes(24),
            "",
        ),
        (encoded(Image.new("RGB", (1, 1001)), "PNG"), "1,000 times the other"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
            "EPS",
        ),
    ],
)
def test_what_is_no_image_says_why(data: bytes, words: str) -> None:
    assert words in (fault(data) or "it was read")
    assert imagenet_ao.image_fault(data) == fault(data)


def test_what_is_no_regular_file_is_bad_and_never_waited_for(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "folder.png").mkdir()
    for path in (
        "pipe.png",
        "loop.png",
        "folder.png",
        "missing.png",
        "a\0b.png",
        "\udcff.png",
    ):
        with pytest.raises(BadImageError, match="cannot be opened"):
            read_image({"bytes": None, "path": str(tmp_path / path)})
    with pytest.raises(BadImageError, match="cannot be opened"):
        read_upright(Path("/dev/zero"))


@pytest.mark.parametrize(
    "cell",
    [None, {}, {"bytes": None, "path": None}, {"bytes": None, "path": ""}],
)
def test_a_null_image_is_bad(cell: Any) -> None:
    with pytest.raises(BadImageError, match="null"):
        read_image(cell)


def tiff(bits: int, white_is_zero: bool, value: int) -> bytes:
    """A grey TIFF of 4 x 4 pixels, all of ``value``, which Pillow itself can't write so."""
    width = bits // 8
    pixels = value.to_bytes(width, "little") * 16
    tags = {256: 4, 257: 4, 258: bits, 259: 1, 262: 0 if white_is_zero else 1}
    tags |= {273: 8 + 2 + 9 * 12 + 4, 277: 1, 278: 4, 279: len(pixels)}
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, n) for tag, n in tags.items()
    )
    return (
        b"II*\0\x08\0\0\0" + struct.pack("<H", 9) + entries + bytes(4) + pixels
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("share", [0, 64, 250])
def test_grey_that_grows_towards_black_is_not_shown_as_a_negative(
    bits: int, share: int
) -> None:
    value = share << (bits - 8)
    usual = read_image({"bytes": tiff(bits, False, value)})
    turned = read_image({"bytes": tiff(bits, True, value)})
    assert usual.getpixel((0, 0)) == (share,) * 3
    assert turned.getpixel((0, 0)) == (255 - share,) * 3
