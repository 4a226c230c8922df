"""Make ``pictures/`` anew from the two emoji packages, for the objects and code points of objects.csv.

npm pack @lobehub/fluent-emoji-3d@1.1.0 @iconify-json/noto@1.2.9    # then unpack both
pip install cairosvg
python -m aobench.mini.import_pictures --fluent PACKAGE --noto PACKAGE [--out FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from PIL import Image

from aobench.mini.pictures import HERE

SIDE = 128  #: pixels of a stored picture; the drawing fills it in its longer direction
FAINTEST = 16  #: alpha (0-255) up to which a border of the drawing is cut off


def fluent(package: Path, codepoint: str) -> Image.Image:
    """The 3D drawing of ``codepoint`` (hexadecimal, joined by ``-``). Raises KeyError where there is none."""
    for name in (codepoint, codepoint.replace("-fe0f", ""), f"{codepoint}-fe0f"):
        path = package / "assets" / f"{name}.webp"
        if path.exists():
            return Image.open(path).convert("RGBA")
    raise KeyError(codepoint)


@cache
def _noto_tables(package: Path) -> tuple[dict, dict]:
    return json.loads((package / "chars.json").read_bytes()), json.loads((package / "icons.json").read_bytes())


def noto(package: Path, codepoint: str) -> Image.Image:
    """The drawing of ``codepoint``, 256 pixels, from its SVG. Raises KeyError where there is none."""
    import cairosvg

    characters, icons = _noto_tables(package)
    name = characters.get(codepoint) or characters[codepoint.replace("-fe0f", "")]
    icon = icons["icons"].get(name) or icons["icons"][icons["aliases"][name]["parent"]]
    height = icon.get("height", icons.get("height", 16))
    width = icon.get("width", icons.get("width", height))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
    )
    drawn = cairosvg.svg2png(svg.encode(), output_width=256, output_height=256)
    return Image.open(io.BytesIO(drawn)).convert("RGBA")


def fit(drawing: Image.Image) -> Image.Image:
    """Cropped to what is visible, scaled to SIDE in the longer direction, centred."""
    drawing = drawing.crop(drawing.getchannel("A").point(lambda alpha: 255 * (alpha > FAINTEST)).getbbox())
    scale = SIDE / max(drawing.size)
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    drawing = drawing.resize(size, Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(drawing, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return square


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make mini's pictures anew from the two emoji packages.")
    parser.add_argument("--fluent", type=Path, required=True, help="unpacked @lobehub/fluent-emoji-3d")
    parser.add_argument("--noto", type=Path, required=True, help="unpacked @iconify-json/noto")
    parser.add_argument("--out", type=Path, default=HERE / "pictures")
    args = parser.parse_args()
    styles: dict[str, Callable[[str], Image.Image]] = {
        "fluent": partial(fluent, args.fluent),
        "noto": partial(noto, args.noto),
    }
    with open(HERE / "objects.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for style, draw in styles.items():
        (args.out / style).mkdir(parents=True, exist_ok=True)
        for row in rows:
            name = row["object"].replace(" ", "_")
            fit(draw(row["codepoint"])).save(args.out / style / f"{name}.webp", lossless=True, method=6)


if __name__ == "__main__":
    main()
