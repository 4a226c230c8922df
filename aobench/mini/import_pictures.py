"""Make ``pictures/`` anew from the two emoji packages, for the objects and code points of
objects.csv.

With --objects and --layout object it makes a folder of other objects, as `imagenet-ao build` draws
them: OBJECT/STYLE.webp instead of STYLE/OBJECT.webp.

npm pack @lobehub/fluent-emoji-3d@1.1.0 @iconify-json/noto@1.2.9    # then unpack both pip install
cairosvg python -m aobench.mini.import_pictures --fluent PACKAGE --noto PACKAGE [--objects CSV]
[--layout object] [--out FOLDER]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from PIL import Image

from aobench.csv_tables import read_csv_rows
from aobench.files import read_json
from aobench.images import read_upright, upright_image
from aobench.mini.pictures import HERE, fit_drawing

#: Where a drawing is stored, by the name of the layout.
LAYOUTS = {"style": "{style}/{name}.webp", "object": "{name}/{style}.webp"}


def fluent_drawing(package: Path, codepoint: str) -> Image.Image:
    """The 3D drawing of ``codepoint`` (hexadecimal, joined by ``-``). Raises KeyError where
    there is none.
    """
    for name in (
        codepoint,
        codepoint.replace("-fe0f", ""),
        f"{codepoint}-fe0f",
    ):
        path = package / "assets" / f"{name}.webp"
        if path.exists():
            return read_upright(path).convert("RGBA")
    raise KeyError(codepoint)


@cache
def _noto_tables(package: Path) -> tuple[dict, dict]:
    return read_json(package / "chars.json"), read_json(package / "icons.json")


def noto_drawing(package: Path, codepoint: str) -> Image.Image:
    """The drawing of ``codepoint``, 256 pixels, from its SVG. Raises KeyError where there is
    none.
    """
    import cairosvg

    characters, icons = _noto_tables(package)
    name = (
        characters.get(codepoint) or characters[codepoint.replace("-fe0f", "")]
    )
    icon = (
        icons["icons"].get(name)
        or icons["icons"][icons["aliases"][name]["parent"]]
    )
    height = icon.get("height", icons.get("height", 16))
    width = icon.get("width", icons.get("width", height))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
    )
    drawn = cairosvg.svg2png(svg.encode(), output_width=256, output_height=256)
    return upright_image(drawn).convert("RGBA")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Make mini's pictures anew from the two emoji packages."
    )
    parser.add_argument(
        "--fluent",
        type=Path,
        required=True,
        help="unpacked @lobehub/fluent-emoji-3d",
    )
    parser.add_argument(
        "--noto", type=Path, required=True, help="unpacked @iconify-json/noto"
    )
    parser.add_argument(
        "--objects",
        type=Path,
        default=HERE / "objects.csv",
        help="columns object, codepoint",
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="style",
        help="which of the two names the folders",
    )
    parser.add_argument("--out", type=Path, default=HERE / "pictures")
    args = parser.parse_args()
    styles: dict[str, Callable[[str], Image.Image]] = {
        "fluent": partial(fluent_drawing, args.fluent),
        "noto": partial(noto_drawing, args.noto),
    }
    rows = read_csv_rows(args.objects, ("object", "codepoint"), "the objects")
    for style, draw in styles.items():
        for row in rows:
            path = args.out / LAYOUTS[args.layout].format(
                style=style, name=row["object"].replace(" ", "_")
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            fit_drawing(draw(row["codepoint"])).save(
                path, lossless=True, quality=100, method=6
            )


if __name__ == "__main__":
    main()
