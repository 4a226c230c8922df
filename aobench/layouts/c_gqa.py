"""Layout c-gqa: C-GQA of the compositional zero-shot field, as `aobench.layouts.pair_lists`
describes it."""

from aobench.layouts.pair_lists import pair_list_layout

LAYOUT = pair_list_layout(
    "c-gqa", "pictures side by side in images/, a space parts the pairs"
)
