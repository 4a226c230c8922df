"""Contact sheets: pictures with what they should show, to be judged by eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

COLUMNS, SIDE, LINES = 8, 160, 3  # pictures a row, pixels of a picture, most lines of text below it
SIZE = 13  # of the text, pixels
GAP = 6


@dataclass(frozen=True)
class Shown:
    """A picture's file and up to three lines of text."""

    path: Path
    lines: tuple[str, ...]


def contact_sheet(shown: Sequence[Shown]) -> bytes:
    """A PNG of the pictures in rows of eight; each fits its square, over its lines (cut short with dots)."""
    from aobench.evaluation.images import BadImageError, read_image

    lines = max(len(one.lines[:LINES]) for one in shown)
    height = SIDE + lines * (SIZE + 3) + 2 * GAP
    columns = min(COLUMNS, len(shown))
    sheet = Image.new("RGB", (columns * (SIDE + GAP) + GAP, -(-len(shown) // COLUMNS) * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(SIZE)
    for number, one in enumerate(shown):
        x, y = GAP + number % COLUMNS * (SIDE + GAP), GAP + number // COLUMNS * height
        try:
            picture = ImageOps.contain(read_image({"path": str(one.path)}), (SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(picture, (x + (SIDE - picture.width) // 2, y + (SIDE - picture.height) // 2))
        except BadImageError as error:
            draw.text((x, y), str(error), fill="firebrick", font=font)
        for line, text in enumerate(one.lines[:LINES]):
            colour = "black" if line == 0 else "dimgray"
            draw.text((x, y + SIDE + 2 + line * (SIZE + 3)), _fitting(text, draw, font), fill=colour, font=font)
    stream = BytesIO()
    sheet.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _fitting(text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if draw.textlength(text, font=font) <= SIDE:
        return text
    while text and draw.textlength(text + "…", font=font) > SIDE:
        text = text[:-1]
    return text.rstrip() + "…"
