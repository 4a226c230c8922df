"""Contact sheets: pictures with what they should show, to be judged by eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

COLUMNS, SIDE, LINES = (
    8,
    160,
    4,
)  # pictures a row, pixels of a picture, most lines of text below it
SIZE = 13  # of the text, pixels
GAP = 6


@dataclass(frozen=True)
class SheetPicture:
    """A picture's file, what it should show, and why it was rejected (empty: it wasn't)."""

    path: Path
    claim: str
    reason: str = ""


def contact_sheet(shown: Sequence[SheetPicture]) -> bytes:
    """A JPEG of the pictures in rows of eight; each fits its square, over its lines (the last cut
    short with dots). A PNG of 96 drawn ones has three times the bytes and takes a hundred times as
    long.
    """
    from aobench.images import BadImageError, read_image

    font = ImageFont.load_default(SIZE)
    texts = [
        [*_wrapped(one.claim, font, 1), *_wrapped(one.reason, font, LINES - 1)]
        for one in shown
    ]
    height = SIDE + max(map(len, texts)) * (SIZE + 3) + 2 * GAP
    columns = min(COLUMNS, len(shown))
    sheet = Image.new(
        "RGB",
        (
            columns * (SIDE + GAP) + GAP,
            -(-len(shown) // COLUMNS) * height + GAP,
        ),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    for number, (one, lines) in enumerate(zip(shown, texts, strict=True)):
        x, y = (
            GAP + number % COLUMNS * (SIDE + GAP),
            GAP + number // COLUMNS * height,
        )
        try:
            picture = ImageOps.contain(
                read_image({"path": str(one.path)}),
                (SIDE, SIDE),
                Image.Resampling.LANCZOS,
            )
            sheet.paste(
                picture,
                (
                    x + (SIDE - picture.width) // 2,
                    y + (SIDE - picture.height) // 2,
                ),
            )
        except BadImageError as error:
            draw.text((x, y), str(error), fill="firebrick", font=font)
        for line, text in enumerate(lines):
            colour = "black" if line == 0 else "dimgray"
            draw.text(
                (x, y + SIDE + 2 + line * (SIZE + 3)),
                text,
                fill=colour,
                font=font,
            )
    stream = BytesIO()
    sheet.save(stream, format="JPEG", quality=90, subsampling=0)
    return stream.getvalue()


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, most: int
) -> list[str]:
    """Lines of a picture's width, broken at spaces and, in a longer word, anywhere; what is over
    ends in dots.
    """
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < most:
        fits = next(
            n
            for n in range(len(rest), 0, -1)
            if n == 1 or font.getlength(rest[:n]) <= SIDE
        )
        space = rest[: fits + 1].rfind(" ")
        end = fits if fits == len(rest) or space < 1 else space
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if rest:
        last = lines[-1]
        while last and font.getlength(last + "…") > SIDE:
            last = last[:-1]
        lines[-1] = last.rstrip() + "…"
    return lines
