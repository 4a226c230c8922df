"""Tiny random vision-language models of the real classes, saved as their authors would save
them.
"""

import json
from importlib.util import find_spec

import torch
from transformers import AutoTokenizer

from aobench.models.registry import BUNDLED
from helpers.tiny_pipelines import save_llava

#: What a class' chat template says; IMG is where the class marks the image.
TEMPLATE = (
    "{% for m in messages %}{{ m['role'].upper() }}: {% for c in m['content'] %}{% if "
    "c['type']=='image' %}IMG"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %} ASSISTANT:"
)
VISION = {
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
SIZE = {"height": 32, "width": 32}


def tokenizer_with(*marks, **named):
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED, **named)
    if marks:
        tokenizer.add_special_tokens({"additional_special_tokens": list(marks)})
    # the bundled one reads short texts
    for setting in (
        "max_length",
        "truncation",
        "stride",
        "truncation_strategy",
    ):
        tokenizer.init_kwargs.pop(setting, None)
    tokenizer.model_max_length = 4096
    return tokenizer


def language(size, **more):
    return {
        "vocab_size": size,
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 4096,
        "initializer_range": 0.3,
        **more,
    }


def llava(path):
    save_llava(path, "{{ bos_token }}" + TEMPLATE.replace("IMG", "<image>"))


def idefics3(path):
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3Processor,
    )
    from transformers.models.idefics3 import Idefics3ImageProcessor

    places = [f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7)]
    marks = (
        "<image>",
        "<fake_token_around_image>",
        "<global-img>",
        "<end_of_utterance>",
        *places,
    )
    tokenizer = tokenizer_with(*marks)
    images = Idefics3ImageProcessor(
        size={"longest_edge": 32},
        max_image_size={"longest_edge": 32},
        do_image_splitting=False,
    )
    config = Idefics3Config(
        vision_config=VISION,
        text_config={"model_type": "llama", **language(len(tokenizer))},
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    Idefics3ForConditionalGeneration(config).save_pretrained(path)
    template = TEMPLATE.replace("IMG", "<image>")
    Idefics3Processor(
        images, tokenizer, image_seq_len=4, chat_template=template
    ).save_pretrained(path)


def paligemma(path):
    from transformers import (
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        SiglipImageProcessor,
    )

    tokenizer = tokenizer_with("<image>")
    images = SiglipImageProcessor(size=SIZE)
    images.image_seq_length = 16
    text = {"model_type": "gemma", "head_dim": 8}
    config = PaliGemmaConfig(
        vision_config={
            "model_type": "siglip_vision_model",
            "vision_use_head": False,
            **VISION,
        },
        text_config={
            **text,
            **language(
                len(tokenizer) + 1100, pad_token_id=tokenizer.pad_token_id
            ),
        },
        projection_dim=32,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        hidden_size=32,
    )
    PaliGemmaForConditionalGeneration(config).save_pretrained(path)
    PaliGemmaProcessor(images, tokenizer).save_pretrained(path)


def gemma3(path):
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    marks = {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    }
    tokenizer = tokenizer_with(extra_special_tokens=marks)
    number = tokenizer.convert_tokens_to_ids
    config = Gemma3Config(
        vision_config={"vision_use_head": False, **VISION},
        text_config={
            "head_dim": 8,
            "sliding_window": 64,
            **language(len(tokenizer)),
        },
        mm_tokens_per_image=4,
        boi_token_index=number("<start_of_image>"),
        eoi_token_index=number("<end_of_image>"),
        image_token_index=number("<image_soft_token>"),
    )
    Gemma3ForConditionalGeneration(config).save_pretrained(path)
    template = "{{ bos_token }}" + TEMPLATE.replace("IMG", "<start_of_image>")
    images = Gemma3ImageProcessor(size=SIZE)
    Gemma3Processor(
        images, tokenizer, image_seq_length=4, chat_template=template
    ).save_pretrained(path)


def mllama(path):
    from transformers import (
        MllamaConfig,
        MllamaForConditionalGeneration,
        MllamaImageProcessor,
        MllamaProcessor,
    )

    tokenizer = tokenizer_with("<|image|>", "<|python_tag|>")
    vision = {
        "hidden_size": 32,
        "attention_heads": 4,
        "num_hidden_layers": 2,
        "num_global_layers": 1,
        "intermediate_size": 37,
        "image_size": 32,
        "patch_size": 8,
        "vision_output_dim": 64,
        "intermediate_layers_indices": [0],
        "max_num_tiles": 1,
        "supported_aspect_ratios": [[1, 1]],
    }
    text = {
        "cross_attention_layers": [1],
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "pad_token_id": tokenizer.pad_token_id,
        **language(len(tokenizer)),
    }
    config = MllamaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<|image|>"),
    )
    MllamaForConditionalGeneration(config).save_pretrained(path)
    template = "{{ bos_token }}" + TEMPLATE.replace("IMG", "<|image|>")
    images = MllamaImageProcessor(size=SIZE, max_image_tiles=1)
    MllamaProcessor(images, tokenizer, chat_template=template).save_pretrained(
        path
    )


def _blip(path, config_class, model_class, processor_class, tokenizers, **more):
    from transformers import BlipImageProcessor

    tokenizer = tokenizers[0]
    text = {
        "model_type": "opt",
        "vocab_size": len(tokenizer) + 10,
        "hidden_size": 32,
        "ffn_dim": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "word_embed_proj_dim": 32,
        "init_std": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
    }
    former = {
        "vocab_size": len(tokenizer) + 10,
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "encoder_hidden_size": 32,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = config_class(
        vision_config={**VISION, "initializer_range": 0.3},  # theirs is 1e-10
        qformer_config=former,
        text_config=text,
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        **more,
    )
    model_class(config).save_pretrained(path)
    processor_class(
        BlipImageProcessor(size=SIZE), *tokenizers, num_query_tokens=4
    ).save_pretrained(path)


def blip2(path):
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
    )

    tokenizer = tokenizer_with("<image>")
    _blip(
        path,
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        [tokenizer],
        image_text_hidden_size=16,
    )


def instructblip(path):
    from transformers import (
        InstructBlipConfig,
        InstructBlipForConditionalGeneration,
        InstructBlipProcessor,
    )

    tokenizer = tokenizer_with("<image>")
    _blip(
        path,
        InstructBlipConfig,
        InstructBlipForConditionalGeneration,
        InstructBlipProcessor,
        [tokenizer] * 2,
    )


def qwen2_5_vl(path):
    """Places in three dimensions; its processor also reads videos, where torchvision is there."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
    )

    marks = (
        "<|vision_start|>",
        "<|vision_end|>",
        "<|image_pad|>",
        "<|video_pad|>",
    )
    tokenizer = tokenizer_with(*marks)
    number = tokenizer.convert_tokens_to_ids
    sections = {
        "rope_type": "default",
        "mrope_section": [2, 1, 1],
        "rope_theta": 1e4,
    }
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 37,
            "num_heads": 4,
            "patch_size": 8,
            "fullatt_block_indexes": [1],
            "window_size": 32,
        },
        text_config={
            "rope_parameters": sections,
            **language(len(tokenizer), pad_token_id=tokenizer.pad_token_id),
        },
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
    )
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(path)
    mark = "<|vision_start|><|image_pad|><|vision_end|>"
    tokenizer.chat_template = TEMPLATE.replace("IMG", mark)
    tokenizer.save_pretrained(path)
    settings = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
        "patch_size": 8,
        "min_pixels": 32 * 32,
        "max_pixels": 64 * 64,
    }
    (path / "preprocessor_config.json").write_text(json.dumps(settings))


def _with_files(path, tokenizer, mark, images, processor):
    """A processor as its files, which are read without the part that reads videos."""
    tokenizer.chat_template = TEMPLATE.replace("IMG", mark)
    tokenizer.save_pretrained(path)
    (path / "preprocessor_config.json").write_text(json.dumps(images))
    (path / "processor_config.json").write_text(json.dumps(processor))


def smolvlm(path):
    """Its processor needs the package num2words."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    places = [f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7)]
    marks = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    tokenizer = tokenizer_with("<image>", *marks, *places)
    config = SmolVLMConfig(
        vision_config=VISION,
        text_config={"model_type": "llama", **language(len(tokenizer))},
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    SmolVLMForConditionalGeneration(config).save_pretrained(path)
    images = {
        "image_processor_type": "SmolVLMImageProcessor",
        "size": {"longest_edge": 32},
        "max_image_size": {"longest_edge": 32},
        "do_image_splitting": False,
    }
    processor = {"processor_class": "SmolVLMProcessor", "image_seq_len": 4}
    _with_files(path, tokenizer, "<image>", images, processor)


def internvl(path):
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    marks = {
        "context_image_token": "<IMG_CONTEXT>",
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "video_token": "<video>",
    }
    tokenizer = tokenizer_with(extra_special_tokens=marks)
    config = InternVLConfig(
        vision_config={**VISION, "image_size": [32, 32], "patch_size": [8, 8]},
        text_config={"model_type": "llama", **language(len(tokenizer))},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        downsample_ratio=0.5,
    )
    InternVLForConditionalGeneration(config).save_pretrained(path)
    images = {
        "image_processor_type": "GotOcr2ImageProcessor",
        "size": SIZE,
        "crop_to_patches": False,
    }
    processor = {"processor_class": "InternVLProcessor", "image_seq_length": 4}
    _with_files(path, tokenizer, "<IMG_CONTEXT>", images, processor)


CLASSES = {
    made.__name__: made
    for made in (
        llava,
        idefics3,
        paligemma,
        gemma3,
        mllama,
        blip2,
        instructblip,
        qwen2_5_vl,
        internvl,
        *([smolvlm] if find_spec("num2words") else []),
    )
}


def _let_images_count(path):
    """Weights that are nought or next to it before training, which hide the image."""
    from safetensors.torch import load_file, save_file

    draw = torch.Generator().manual_seed(1)
    file = path / "model.safetensors"
    state = load_file(file)
    for key, value in state.items():
        hidden = not value.any() and ("gate" in key or "projection" in key)
        if hidden or (
            "qformer" in key and key.endswith("weight") and value.ndim == 2
        ):
            state[key] = torch.randn(value.shape, generator=draw) * 0.5
    save_file(state, file, metadata={"format": "pt"})


def save(name, path):
    """The model of a class of CLASSES."""
    torch.manual_seed(0)
    path.mkdir(parents=True, exist_ok=True)
    CLASSES[name](path)
    _let_images_count(path)
