"""How likely a causal language model finds a sentence."""

from __future__ import annotations

from collections.abc import Sequence


def mean_log_probability(
    model: str, texts: Sequence[str], batch_size: int = 64
) -> list[float]:
    """Mean log-probability of a token (nats, the first one not counted) of each text under the
    model of that id.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from aobench.models.checkpoints import load_checked
    from aobench.models.tokenizers import load_tokenizer

    network = load_checked(AutoModelForCausalLM, model)
    tokenizer = load_tokenizer(
        model, rows=network.get_input_embeddings().num_embeddings
    )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    means: list[float] = []
    with torch.inference_mode():
        for start in range(0, len(texts), batch_size):
            batch = tokenizer(
                list(texts[start : start + batch_size]),
                return_tensors="pt",
                padding=True,
            )
            ids, mask = batch["input_ids"], batch["attention_mask"]
            logits = network(input_ids=ids, attention_mask=mask).logits.float()
            each = (
                logits[:, :-1]
                .log_softmax(-1)
                .gather(-1, ids[:, 1:, None])[..., 0]
            )
            counted = mask[:, 1:].float()
            means += (
                (each * counted).sum(1) / counted.sum(1).clamp(min=1)
            ).tolist()
    return means
