"""Classes that a configuration names: built in, of an installed package, or of one's own code where
that is allowed.

A configuration is data: one that somebody sent must run nothing. So a name in it means a built-in
kind, or an entry point that an installed package registered for this purpose. ``module:Class`` is
code; it is imported only where the user repeats that very name on the command line, behind
``--allow-code``. `refuse_code` asks for that where a configuration is read; what has passed is
imported by `find_class`.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module, metadata
from typing import Any

from aobench.errors import UserError, did_you_mean

#: Groups of entry points: the name is what a configuration says, the object is the class.
GENERATORS, JUDGES = "imagenet_ao.generators", "imagenet_ao.judges"

MODULE_CLASS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def refuse_code(
    names: Iterable[str], allowed: Iterable[str], where: str
) -> None:
    """UserError for a ``module:Class`` of a configuration that is not allowed, or an allowed one
    that it lacks.

    Args:
        names: what the configuration names as generator and judges.
        allowed: what the user allows, as given to ``--allow-code``.
        where: the configuration's name.
    """
    code = {name for name in names if ":" in name}
    for name in sorted(code):
        if not MODULE_CLASS.fullmatch(name):
            raise UserError(
                f"{where} names {name[:80]!r}, which is no package.module:Class"
            )
    missing = sorted(code - set(allowed))
    if missing:
        flags = " ".join(f"--allow-code {name}" for name in missing)
        raise UserError(
            f"{where} would import and run {', '.join(missing)}; if you know that code and want it "
            f"to run, add {flags}"
        )
    strange = sorted(set(allowed) - code)
    if strange:
        raise UserError(
            f"--allow-code {strange[0][:80]}: {where} names no such "
            f"class{did_you_mean(strange[0], code)}"
        )


def find_class(
    name: str, known: Mapping[str, str], group: str, what: str
) -> Any:
    """The class of a built-in kind, of an entry point, or of ``module:Class``, which is imported.

    Args:
        name: as the configuration has it; `refuse_code` must have passed it.
        known: the built-in kinds and where they are, as ``module:Class``.
        group: entry points of this group extend them.
        what: "generator" or "judge", for messages.

    Raises:
        UserError: where there is no such kind, module or class, or it is no class that can be
            called. An error within the module is the module's own, and is not caught.
    """
    path = known.get(name, name)
    if ":" in path:
        module, _, attribute = path.partition(":")
        with _is_there(module, f"the {what} {name!r}"):
            named = getattr(import_module(module), attribute, None)
        if named is None:
            raise UserError(
                f"the {what} {name!r}: the module {module} has no {attribute!r}"
            )
    else:
        named = _entry_point(name, known, group, what)
    if not inspect.isclass(named) or not any(
        "__call__" in vars(one) for one in named.__mro__
    ):
        raise UserError(
            f"{name!r} is no {what}: name a class whose objects can be called"
        )
    return named


@contextlib.contextmanager
def _is_there(module: str, what: str) -> Iterator[None]:
    """Turn the absence of this module into a UserError; what goes wrong inside it is its own."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UserError(
            f"{what}: there is no module {error.name!r}; install it, or set PYTHONPATH"
        ) from error


def _entry_point(
    name: str, known: Mapping[str, str], group: str, what: str
) -> Any:
    points = {
        point.value: point
        for point in metadata.entry_points(group=group, name=name)
    }
    if not points:
        every = [
            *known,
            *sorted(
                {point.name for point in metadata.entry_points(group=group)}
            ),
        ]
        raise UserError(
            f"no {what} {name[:80]!r}{did_you_mean(name[:80], every)}; there are "
            f"{', '.join(every)}, entry points of "
            f"the group {group}, and package.module:Class with --allow-code"
        )
    if len(points) > 1:
        raise UserError(
            f"two installed packages have a {what} {name!r}: {', '.join(sorted(points))}; "
            "uninstall one"
        )
    return next(iter(points.values())).load()


def refuse_call(
    kind: type, arguments: tuple[Any, ...], name: str, what: str, form: str
) -> None:
    """UserError where the class can't be called with what a generator or judge is given, such as
    (model, options).
    """
    try:
        inspect.signature(kind).bind(*arguments)
    except (
        TypeError,
        ValueError,
    ) as error:  # of bind and signature: they run none of the class' own code
        raise UserError(
            f"{name!r} is no {what} ({error}); name a class that is called as {form}"
        ) from error


@contextlib.contextmanager
def naming_class(what: str) -> Iterator[None]:
    """A bug in the user's own class keeps its traceback, whose last line then says which class
    it is of.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        error.add_note(f"in {what}")
        raise
