"""Running the towers: each shard of images or of texts once, by whichever process it falls to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from aobench.errors import UserError
from aobench.evaluation.embedding_store import Store
from aobench.evaluation.image_loader import Read, read_batches
from aobench.models.halving import Halving
from aobench.vocabulary.templates import fill, texts_hash

if TYPE_CHECKING:
    from aobench.evaluation.data import Split
    from aobench.models.base import DualEncoder, Model
    from aobench.processes import Alone, Together

#: Names in a shard of texts; with 80 templates 10,240 prompts.
NAMES = 128


def _mine(store: Store, together: Alone | Together) -> list[int]:
    """The missing shards that fall to this process. All processes look before any writes."""
    missing = store.missing(say=together.is_main_process)
    together.wait_for_everyone()
    return missing[together.process_index :: together.num_processes]


def _bar(total: int, what: str, unit: str, show: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        disable=None if show else True,  # None: where nobody watches
        leave=False,
        smoothing=0.1,
    )


def model_key(model: Any) -> dict[str, Any]:
    """What of a model makes its vectors, for the key of a store."""
    info = model.info
    key = {
        "kind": info.kind,
        "revision": info.revision,
        "dtype": info.dtype,
        # vectors of a GPU are not those of a processor, to the last bit
        "device": info.device,
        "attention": info.notes.get("attention"),
    }
    return key | (
        {"classes": info.notes["classes"]} if "classes" in info.notes else {}
    )


def embed_names(
    model: DualEncoder,
    names: Sequence[str],
    templates: Sequence[str],
    folder: Path,
    together: Alone | Together,
) -> torch.Tensor:
    """float32 C x D on the model's device: the zero-shot classifier of ``names``.

    Each name's prompts are embedded, normalised, averaged over the templates and normalised again,
    in float32. Source: Radford et al. 2021 (arXiv 2103.00020), section 3.1.4. A name that comes
    twice has the same bits twice.
    """
    unique = sorted(set(names))
    if not unique:
        raise UserError(
            "there are no candidates to choose from: the dataset is empty"
        )
    key = {
        "what": "texts",
        **model_key(model),
        "templates": texts_hash(templates),
        "names": texts_hash(unique),
        "tokens": "padded as the kind was trained",  # not, as once, as tokenizer_config.json has it
    }
    store = Store(folder, key, len(unique), NAMES)
    mine = _mine(store, together)

    def embed(shard: int) -> int:
        part = [unique[i] for i in store.items(shard)]
        prompts = [fill(t, name) for name in part for t in templates]
        embedded = model.encode_texts(prompts)
        mean = embedded.view(len(part), len(templates), -1).mean(dim=1)
        store.write(shard, functional.normalize(mean, dim=-1))
        return len(prompts)

    total = sum(len(store.items(s)) for s in mine) * len(templates)
    with _bar(total, "texts", "text", together.is_main_process) as bar:
        for shard in mine:
            bar.update(embed(shard))
    together.wait_for_everyone()
    read = [store.read(shard, embed)[0] for shard in range(len(store))]
    classifier = torch.cat(read)
    where = {name: i for i, name in enumerate(unique)}
    if list(names) != unique:
        classifier = classifier[torch.tensor([where[name] for name in names])]
    return classifier.to(together.device)


def image_store(
    model: Model, split: Split, folder: Path, size: int, draft: int | None
) -> Store:
    """Where the vectors of a split's images are kept: keyed by model, processor, dtype and the
    dataset, that is its fingerprint and the order of its rows: a vector is known by its place.
    """
    key = {
        "what": "images",
        **model_key(model),
        "processor": model.info.processor,
        "draft": draft,
        "compiled": bool(model.info.notes.get("compiled")),
        "fingerprint": split.fingerprint,
        "split": split.name,
        "order": texts_hash(split.sample_ids),
    }
    if split.content is not None:
        key["content"] = split.content
    # the fingerprint of a drawn set does not hang on its pixels, these vectors do
    if split.pixels is not None:
        key["pixels"] = split.pixels
    return Store(folder, key, len(split), size)


def embed_images(
    model: Model,
    split: Split,
    store: Store,
    together: Alone | Together,
    batch: int,
    workers: int,
    draft: int | None = None,
    stop_on_bad: bool = False,
) -> int:
    """Write the missing shards of ``split``'s vectors; returns how many images this process ran.

    An unreadable image has the zero vector and its reason as a note. Raises UserError at the first
    one where ``stop_on_bad``.
    """
    mine = _mine(store, together)
    show = together.is_main_process
    embed_shards(
        model, split, store, mine, batch, workers, draft, stop_on_bad, show
    )
    together.wait_for_everyone()
    return sum(len(store.items(shard)) for shard in mine)


def embed_shards(
    model: Model,
    split: Split,
    store: Store,
    mine: Sequence[int],
    batch: int,
    workers: int,
    draft: int | None = None,
    stop_on_bad: bool = False,
    show: bool = False,
) -> None:
    """Write the shards ``mine``, whatever other processes do; as `embed_images`.

    ``show``: with a progress bar, on a terminal.
    """
    chunks = [
        items[i : i + batch]
        for items in map(store.items, mine)
        for i in range(0, len(items), batch)
    ]
    encode = Halving(model.encode_images)
    with _bar(
        sum(map(len, chunks)), f"images ({split.name})", "image", show
    ) as bar:
        reads = read_batches(split, chunks, model.transform, workers, draft)
        for shard in mine:
            items = store.items(shard)
            vectors: torch.Tensor | None = None
            notes: dict[int, str] = {}
            for read in _until(reads, items[-1]):
                if read.bad and stop_on_bad:
                    _stop(split, read.bad)
                notes.update(
                    {
                        position - items[0]: reason
                        for position, reason in read.bad.items()
                    }
                )
                if read.positions:
                    encoded = encode(_batch_of(model, read)).cpu()
                    if vectors is None:
                        vectors = torch.zeros(len(items), encoded.shape[1])
                    vectors[torch.tensor(read.positions) - items[0]] = encoded
                bar.update(len(read.positions) + len(read.bad))
            store.write(
                shard,
                torch.zeros(len(items), 1) if vectors is None else vectors,
                notes,
            )


def _batch_of(model: Any, read: Read) -> dict[str, Any]:
    """The arrays of a batch, with the images' places in the split for a model that is asked of
    each.
    """
    if not getattr(model, "takes_places", False):
        return read.arrays
    return {**read.arrays, "place": torch.tensor(read.positions)}


def _until(reads: Iterator[Read], last: int) -> Iterator[Read]:
    """The batches up to the one that holds position ``last``."""
    for read in reads:
        yield read
        if last in read.positions or last in read.bad:
            return


def _stop(split: Split, bad: dict[int, str]) -> None:
    position = min(bad)
    raise UserError(
        f"image {split.sample_ids[position]} {bad[position]}; mend or remove it, or leave out "
        "--on-bad-image stop to "
        "count it as wrong"
    )
