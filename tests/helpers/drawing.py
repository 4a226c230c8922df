"""Generators of the tests: mini's renderer, which lies, draws other pictures, or flags some."""

import dataclasses

from aobench.newset.generators import Renderer

#: What a lie shows instead.
ANOTHER = {
    "striped": "turquoise",
    "turquoise": "striped",
    "neon": "plaid",
    "plaid": "neon",
    "accordion": "banana",
    "banana": "airliner",
    "airliner": "accordion",
    "disc": "tall box",
    "tall box": "wedge",
    "wedge": "disc",
}


def lies(index, image_id):
    """Every tenth image of a composition's twenty is wrong: by turns in its attribute and its
    object.
    """
    return {3: "attribute", 13: "object"}.get(index)


class Planted:
    """The renderer; two of twenty images are drawn with another attribute or object than they
    claim.
    """

    own_pictures = True

    def __init__(self, model, options):
        self.renderer = Renderer(model, options)
        self.facts = {"generator": "planted"}

    def __call__(self, tasks):
        """Drawings by the tasks' own seeds."""
        drawn = []
        for task in tasks:
            part = lies(task.index, task.image_id)
            if part:
                task = dataclasses.replace(
                    task, **{part: ANOTHER[getattr(task, part)]}
                )
            drawn.append(task)
        return self.renderer(drawn)


class Backwards(Renderer):
    """Draws the same compositions with other seeds, under the same ids."""

    def __call__(self, tasks):
        return super().__call__(
            [dataclasses.replace(task, seed=task.seed + 1) for task in tasks]
        )


class Flagging(Renderer):
    """Marks the first image of each composition as not to be shown."""

    def __call__(self, tasks):
        drawn = super().__call__(tasks)
        return [
            dataclasses.replace(one, flagged=task.index == 0)
            for one, task in zip(drawn, tasks, strict=True)
        ]
