"""Models of published sizes with random weights, saved once: what they compute is noise, how
long it takes is not.
"""

from __future__ import annotations

from pathlib import Path

SIZES = {
    "ViT-B/32": {
        "text": {
            "hidden_size": 512,
            "num_hidden_layers": 12,
            "num_attention_heads": 8,
            "intermediate_size": 2048,
        },
        "vision": {
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "patch_size": 32,
        },
        "dim": 512,
    },
    "ViT-L/14": {
        "text": {
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
        },
        "vision": {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "patch_size": 14,
        },
        "dim": 768,
    },
}


def saved(size: str, folder: Path) -> str:
    """A CLIPModel of ``size`` under ``folder``, with the bundled tokenizer and OpenAI's
    preprocessing.
    """
    import torch
    from transformers import AutoTokenizer, CLIPConfig, CLIPModel

    from aobench.models.registry import BUNDLED

    path = folder / size.replace("/", "-")
    if (path / "config.json").exists():
        return str(path)
    torch.manual_seed(0)
    shape = SIZES[size]
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    tokenizer.model_max_length = 77
    text = {
        **shape["text"],
        "vocab_size": 49408,
        "max_position_embeddings": 77,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    model = CLIPModel(
        CLIPConfig(
            text_config=text,
            vision_config={**shape["vision"], "image_size": 224},
            projection_dim=shape["dim"],
        )
    )
    for _name, value in model.named_parameters():
        if value.dim() > 1:
            torch.nn.init.normal_(value, std=0.04)
    tokenizer.save_pretrained(path)
    (path / "preprocessor_config.json").write_text(
        '{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}, '
        '"crop_size": 224}'
    )
    model.save_pretrained(path)
    return str(path)
