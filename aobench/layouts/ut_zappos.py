"""Layout ut-zappos: UT-Zappos of the compositional zero-shot field, as `aobench.layouts.pair_lists`
describes it."""

from aobench.layouts.pair_lists import pair_list_layout

LAYOUT = pair_list_layout(
    "ut-zappos",
    "pair lists with a space, names with dots (Faux.Fur Boots.Ankle)",
)
