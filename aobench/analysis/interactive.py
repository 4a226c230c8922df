"""The ID-OoD scatter as one HTML file that loads nothing: hover for a model's figures, click a
group to hide it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from aobench.analysis.effective import EffectiveScore, FittedLine
from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.analysis.plots import (
    axis_names,
    axis_ticks,
    fit_band,
    with_interval,
)
from aobench.drawing import COLOURS
from aobench.errors import UserError
from aobench.files import write_in_one_move

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 560, 60, 50, 14, 14
SHAPES = (
    "M-4,-4H4V4H-4Z",
    "M0,-5L5,4H-5Z",
    "M0,-5.5L5.5,0L0,5.5L-5.5,0Z",
    "M0,5L5,-4H-5Z",
    "M-1.6,-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z",
    "M-4.5,0A4.5,4.5 0 1 0 4.5,0A4.5,4.5 0 1 0 -4.5,0Z",
    "M-5,0L4,-5V5Z",
)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><style>
body{{font:14px system-ui,sans-serif;margin:1.5em;color:#222;max-width:1100px}}svg{{max-width:100%;height:auto}}
.wrap{{display:flex;flex-wrap:wrap;gap:1em}}
button{{display:block;border:0;background:none;font:inherit;cursor:pointer;padding:2px}}
button[aria-pressed=false]{{opacity:.35;text-decoration:line-through}}
#tip{{position:fixed;display:none;background:#fff;border:1px solid #888;padding:6px 8px}}
#tip{{white-space:pre;pointer-events:none;font-size:12px}}
.p:hover,.p:focus{{stroke:#000;stroke-width:1.5;outline:none}}
.off{{display:none}}
@media (max-width:40rem){{body{{margin:.6em}}svg text{{font-size:20px}}button{{padding:5px 2px}}}}</style></head><body><h1 style="font-size:1.1em">{title}</h1><p>{note}</p>
<div class="wrap"><svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{title}">{marks}</svg>
<div>{legend}</div></div><div id="tip"></div><script>
const tip=document.getElementById('tip');document.querySelectorAll('.p').forEach(p=>{{
const show=e=>{{tip.textContent=p.dataset.t;tip.style.display='block';const r=p.getBoundingClientRect();
tip.style.left=Math.min(r.right+8,innerWidth-tip.offsetWidth-8)+'px';
tip.style.top=Math.min(r.top,innerHeight-tip.offsetHeight-8)+'px'}};
const hide=()=>tip.style.display='none';p.addEventListener('mouseenter',show);p.addEventListener('focus',show);
p.addEventListener('mouseleave',hide);p.addEventListener('blur',hide)}});
document.querySelectorAll('button').forEach(b=>b.addEventListener('click',()=>{{
const on=b.getAttribute('aria-pressed')==='false';
b.setAttribute('aria-pressed',on);
document.querySelectorAll('[data-g="'+b.dataset.n+'"]')
.forEach(p=>p.classList.toggle('off',!on))}}));
</script></body></html>
"""


def _words(e: EffectiveScore) -> str:
    lines = [
        e.model,
        f"trained on {e.training_set}; {e.family}",
        f"ID {100 * e.id:.2f} %, OoD {100 * e.ood:.2f} %, expected {100 * e.expected:.2f} %",
        f"effective generalization {100 * e.rho:+.1f} points [{100 * e.rho_low:+.1f}, "
        f"{100 * e.rho_high:+.1f}]",
        f"odds ratio {e.odds_ratio:.2f} [{e.odds_ratio_low:.2f}, {e.odds_ratio_high:.2f}]",
    ]
    return "\n".join(
        lines + (["beyond the baseline's range"] if e.extrapolated else [])
    )


def _axes(
    line: FittedLine,
    records: Sequence[ModelAccuracies],
    to_x: Callable[[Any], Any],
    to_y: Callable[[Any], Any],
    what: str | tuple[str, str],
) -> list[str]:
    out = []
    for ticks, vertical in (
        (
            axis_ticks(
                line.transform,
                min(r.id for r in records),
                max(r.id for r in records),
            ),
            True,
        ),
        (
            axis_ticks(
                line.transform,
                min(r.ood for r in records),
                max(r.ood for r in records),
            ),
            False,
        ),
    ):
        for value, name in zip(*ticks, strict=True):
            at = to_x(value) if vertical else to_y(value)
            if not (
                LEFT <= at <= WIDTH - RIGHT
                if vertical
                else TOP <= at <= HEIGHT - BOTTOM
            ):
                continue
            if vertical:
                x = at
                out.append(
                    f'<path d="M{x:.1f},{TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                )
                out.append(
                    f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" '
                    f'font-size="11">{name}</text>'
                )
            else:
                y = at
                out.append(
                    f'<path d="M{LEFT},{y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                )
                out.append(
                    f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" '
                    f'font-size="11">{name}</text>'
                )
    across, up = axis_names(what)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    below = f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle" font-size="13">'
    out.append(f"{below}{escape(across)}, %</text>")
    out.append(
        f'<text transform="translate(14,{middle}) rotate(-90)" text-anchor="middle" font-size="13">'
        f"{escape(up)}, %</text>"
    )
    return out


def _path(xs: np.ndarray, ys: np.ndarray) -> str:
    return "M" + "L".join(
        f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True)
    )


class _Frame:
    """Where values of T stand in the picture, in its pixels."""

    def __init__(self, xs: np.ndarray, ys: np.ndarray) -> None:
        self.x, self.y = (
            (v.min() - pad, v.max() + pad)
            for v, pad in ((xs, _pad(xs)), (ys, _pad(ys)))
        )

    def to_x(self, v: Any) -> Any:
        """Pixels from the left."""
        return LEFT + (v - self.x[0]) / (self.x[1] - self.x[0]) * (
            WIDTH - LEFT - RIGHT
        )

    def to_y(self, v: Any) -> Any:
        """Pixels from the top."""
        return (
            HEIGHT
            - BOTTOM
            - (v - self.y[0])
            / (self.y[1] - self.y[0])
            * (HEIGHT - BOTTOM - TOP)
        )


def _pad(values: np.ndarray) -> float:
    return 0.05 * float(np.ptp(values) + 0.1)


def _line(line: FittedLine, frame: _Frame) -> list[str]:
    """The fit and its band, cut off at the frame."""
    x, middle, lower, upper = fit_band(line, *frame.x)
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM - TOP
    across = frame.to_x(x)
    area = _path(
        np.r_[across, across[::-1]],
        np.r_[frame.to_y(upper), frame.to_y(lower[::-1])],
    )
    fit = _path(across, frame.to_y(middle))
    return [
        f'<clipPath id="c"><rect x="{LEFT}" y="{TOP}" width="{wide}" height="{high}"/></clipPath>',
        f'<path clip-path="url(#c)" d="{area}Z" fill="#999" opacity=".3"/>',
        f'<path clip-path="url(#c)" d="{fit}" fill="none" stroke="#222" stroke-width="1.5"/>',
    ]


def _model(
    line: FittedLine,
    frame: _Frame,
    r: ModelAccuracies,
    e: EffectiveScore,
    group: int,
) -> str:
    """One model's mark and the bars of its intervals."""
    px, *x_ends = map(frame.to_x, with_interval(line.transform, r.id, r.n_id))
    py, *y_ends = map(frame.to_y, with_interval(line.transform, r.ood, r.n_ood))
    colour, shape = COLOURS[group % len(COLOURS)], SHAPES[group % len(SHAPES)]
    bars = f"M{x_ends[0]:.1f},{py:.1f}H{x_ends[1]:.1f}M{px:.1f},{y_ends[0]:.1f}V{y_ends[1]:.1f}"
    return (
        f'<path data-g="{group}" clip-path="url(#c)" d="{bars}" stroke="{colour}"/>'
        f'<path class="p" tabindex="0" data-g="{group}" data-t="{escape(_words(e), quote=True)}" '
        f'd="{shape}" '
        f'transform="translate({px:.1f},{py:.1f})" fill="{colour}"/>'
    )


def _button(group: int, name: str) -> str:
    colour, shape = COLOURS[group % len(COLOURS)], SHAPES[group % len(SHAPES)]
    mark = (
        f'<svg width="14" height="14" viewBox="-7 -7 14 14"><path d="{shape}" '
        f'fill="{colour}"/></svg>'
    )
    return f'<button data-n="{group}" aria-pressed="true">{mark} {escape(name)}</button>'


def scatter_page(
    line: FittedLine,
    records: Sequence[ModelAccuracies],
    scores: Sequence[EffectiveScore],
    title: str,
    note: str,
    column: str = "training_set",
    what: str | tuple[str, str] = "accuracy",
) -> str:
    """The whole HTML text. ``scores`` are the records' figures, in their order; ``column`` groups
    them; ``what`` says which accuracy it is."""
    places = [
        (
            with_interval(line.transform, r.id, r.n_id)[0],
            with_interval(line.transform, r.ood, r.n_ood)[0],
        )
        for r in records
    ]
    frame = _Frame(
        np.array([x for x, _ in places]), np.array([y for _, y in places])
    )
    names = sorted({r.fact(column) for r in records})
    marks = [
        *_axes(line, records, frame.to_x, frame.to_y, what),
        *_line(line, frame),
    ]
    pairs = zip(records, scores, strict=True)
    marks += [
        _model(line, frame, r, e, names.index(r.fact(column))) for r, e in pairs
    ]
    legend = "".join(_button(group, name) for group, name in enumerate(names))
    return PAGE.format(
        title=escape(title),
        note=escape(note),
        width=WIDTH,
        height=HEIGHT,
        marks="".join(marks),
        legend=legend,
    )


def write_page(text: str, path: Path) -> Path:
    """Write ``text``; raises UserError where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_in_one_move(path, text.encode())
    except OSError as error:
        raise UserError(f"{path} could not be written: {error}") from error
    return path
