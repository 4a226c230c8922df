"""Layout vaw-czsl: VAW-CZSL of the compositional zero-shot field, as `aobench.layouts.pair_lists`
describes it."""

from aobench.layouts.pair_lists import pair_list_layout

LAYOUT = pair_list_layout("vaw-czsl", "pair lists with a plus sign (red+car)")
