"""A tiny random model of each kind, saved as its authors would save it: config, weights,
tokenizer, processor.
"""

import json
from pathlib import Path

import torch
from transformers import AutoImageProcessor, AutoTokenizer

from aobench.models.registry import BUNDLED

WORDS = [
    "a",
    "photo",
    "of",
    "the",
    "red",
    "wooden",
    "golden",
    "banana",
    "teapot",
    "lion",
    "ambulance",
    "moss",
    "covered",
    ".",
]
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
VISION = {**TEXT, "image_size": 32, "patch_size": 16}


def _clip_tokenizer(path, **changes):
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(path)
    return len(tokenizer), tokenizer


def _bert_tokenizer(path):
    from transformers import BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizer(
        vocab={word: i for i, word in enumerate(words)}
    ).save_pretrained(path)
    return len(words)


def _word_tokenizer(path, pad, start, end, unknown):
    """Words as tokens, framed as the kind frames its texts."""
    from tokenizers import (
        Tokenizer,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )
    from transformers import PreTrainedTokenizerFast

    special = [token for token in (start, pad, end, unknown) if token]
    vocabulary = {
        word: i for i, word in enumerate([*dict.fromkeys(special), *WORDS])
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    frame = f"{start} $A {end}" if start else f"$A {end}"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=frame,
        special_tokens=[(t, vocabulary[t]) for t in (start, end) if t],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        eos_token=end,
        unk_token=unknown,
        model_max_length=64,
        model_input_names=["input_ids"]
        if not start
        else ["input_ids", "attention_mask"],
    )
    fast.save_pretrained(path)
    return vocabulary


def _merged_tokenizer(path):
    """Letters merged into WORDS, framed as SigLIP 2 was converted: Gemma's tokenizer, padding on
    the right.
    """
    from tokenizers import processors
    from transformers import Siglip2Tokenizer

    vocabulary = dict.fromkeys(
        ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "\u2581"]
    )
    vocabulary |= dict.fromkeys(sorted(set("".join(WORDS))))
    merges = []
    for word in WORDS:
        for i in range(1, len(word)):
            if word[: i + 1] not in vocabulary:
                merges.append((word[:i], word[i]))
                vocabulary[word[: i + 1]] = None
    numbers = {token: i for i, token in enumerate(vocabulary)}
    tokenizer = Siglip2Tokenizer(
        vocab=numbers,
        merges=merges,
        padding_side="right",
        model_max_length=64,
        model_input_names=["input_ids"],
    )
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", numbers["<eos>"])]
    )
    tokenizer.save_pretrained(path)
    return numbers


def _processor(path, name, **settings):
    """The kind's own processor class by name, as preprocessor_config.json names it."""
    content = {"image_processor_type": name, **settings}
    (Path(path) / "preprocessor_config.json").write_text(json.dumps(content))
    AutoImageProcessor.from_pretrained(path, backend="pil")


def _clip(path, quick="quick_gelu", legacy=False):
    from transformers import CLIPConfig, CLIPModel

    size, tokenizer = _clip_tokenizer(path)
    text = {
        **TEXT,
        "vocab_size": size,
        "max_position_embeddings": 24,
        "hidden_act": quick,
        "eos_token_id": 2 if legacy else tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = CLIPConfig(
        text_config=text,
        vision_config={**VISION, "hidden_act": quick},
        projection_dim=16,
    )
    _processor(
        path,
        "CLIPImageProcessor",
        size={"shortest_edge": 32},
        crop_size={"height": 32, "width": 32},
    )
    return CLIPModel(config)


def _clipseg(path):
    from transformers import CLIPSegConfig, CLIPSegModel

    size, tokenizer = _clip_tokenizer(path)
    text = {
        **TEXT,
        "vocab_size": size,
        "max_position_embeddings": 24,
        "eos_token_id": tokenizer.eos_token_id,
    }
    _processor(path, "ViTImageProcessor", size={"height": 32, "width": 32})
    return CLIPSegModel(
        CLIPSegConfig(text_config=text, vision_config=VISION, projection_dim=16)
    )


def _metaclip_2(path):
    from transformers import MetaClip2Config, MetaClip2Model

    vocabulary = _word_tokenizer(path, "<pad>", "<s>", "</s>", "<unk>")
    text = {
        **TEXT,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 24,
        "eos_token_id": vocabulary["</s>"],
    }
    _processor(
        path,
        "CLIPImageProcessor",
        size={"shortest_edge": 32},
        crop_size={"height": 32, "width": 32},
    )
    return MetaClip2Model(
        MetaClip2Config(
            text_config=text, vision_config=VISION, projection_dim=16
        )
    )


def _siglip(path):
    from transformers import SiglipConfig, SiglipModel

    vocabulary = _word_tokenizer(path, "</s>", None, "</s>", "<unk>")
    text = {
        **TEXT,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 64,
    }
    _processor(path, "SiglipImageProcessor", size={"height": 32, "width": 32})
    return SiglipModel(SiglipConfig(text_config=text, vision_config=VISION))


def _siglip2(path):
    from transformers import Siglip2Config, Siglip2Model

    vocabulary = _merged_tokenizer(path)
    text = {
        **TEXT,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 64,
    }
    vision = {**TEXT, "patch_size": 16, "num_patches": 16}
    _processor(path, "Siglip2ImageProcessor", patch_size=16, max_num_patches=9)
    return Siglip2Model(Siglip2Config(text_config=text, vision_config=vision))


def _align(path):
    from transformers import AlignConfig, AlignModel

    text = {
        **TEXT,
        "vocab_size": _bert_tokenizer(path),
        "max_position_embeddings": 64,
    }
    vision = {
        "image_size": 64,
        "width_coefficient": 0.1,
        "depth_coefficient": 0.1,
        "hidden_dim": 32,
        "depth_divisor": 8,
    }
    _processor(
        path,
        "EfficientNetImageProcessor",
        size={"height": 64, "width": 64},
        do_center_crop=False,
    )
    return AlignModel(
        AlignConfig(text_config=text, vision_config=vision, projection_dim=32)
    )


def _altclip(path):
    from transformers import AltCLIPConfig, AltCLIPModel

    vocabulary = _word_tokenizer(path, "<pad>", "<s>", "</s>", "<unk>")
    text = {
        **TEXT,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 66,
        "project_dim": 24,
        "pad_token_id": vocabulary["<pad>"],
    }
    _processor(
        path,
        "CLIPImageProcessor",
        size={"shortest_edge": 32},
        crop_size={"height": 32, "width": 32},
    )
    return AltCLIPModel(
        AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=16)
    )


def _chinese_clip(path):
    from transformers import ChineseCLIPConfig, ChineseCLIPModel

    text = {
        **TEXT,
        "vocab_size": _bert_tokenizer(path),
        "max_position_embeddings": 64,
    }
    _processor(
        path,
        "ChineseCLIPImageProcessor",
        size={"height": 32, "width": 32},
        do_center_crop=False,
    )
    return ChineseCLIPModel(
        ChineseCLIPConfig(
            text_config=text, vision_config=VISION, projection_dim=16
        )
    )


KINDS = {
    "clip": _clip,
    "clipseg": _clipseg,
    "metaclip_2": _metaclip_2,
    "siglip": _siglip,
    "siglip2": _siglip2,
    "align": _align,
    "altclip": _altclip,
    "chinese_clip": _chinese_clip,
}


def save(kind, path, **options):
    """Save a tiny ``kind`` under ``path``; returns the path as a string."""
    path.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = KINDS[kind](path, **options).eval()
    for name, value in model.named_parameters():
        # the libraries' small beginnings make all texts alike
        if value.dim() > 1 and "logit" not in name:
            torch.nn.init.normal_(value, std=0.2)
    model.save_pretrained(path)
    return str(path)
