"""Layout mit-states: MIT-States of the compositional zero-shot field, as
`aobench.layouts.pair_lists` describes it."""

from aobench.layouts.pair_lists import pair_list_layout

LAYOUT = pair_list_layout(
    "mit-states",
    "pictures in images/ATTRIBUTE_OBJECT/, a space parts the pairs",
)
