"""The templates of the pages, in which texts are escaped."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


def page_template(name: str) -> Template:
    """The template ``name`` of the folder ``pages``; a value that it lacks is an error."""
    import jinja2

    pages = resources.files("aobench.publish") / "pages"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(pages)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
