"""Packaging of the distribution ``imagenet-ao``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

CITATION = Path("CITATION.cff").read_text(encoding="utf-8")
#: The one place of the version is the citation; CHANGELOG.md heads its newest part with it.
VERSION = re.findall(r"^version: (\S+)$", CITATION, re.MULTILINE)[0]

#: Extras are named by what one wants to do; docs/install.md says what each brings and weighs.
#: aobench/extras.py has the line that a verb says where one is absent.
MATPLOTLIB, PLOTLY, POLARS = "matplotlib>=3.9", "plotly>=6", "polars>=2.0"
SKLEARN, HASHES, FAISS = (
    "scikit-learn>=1.6",
    "ImageHash>=4.3",
    "faiss-cpu>=1.11",
)
GRADIO, KRIPPENDORFF = "gradio>=6,<7", "krippendorff>=0.8"
DIFFUSERS, RAY, SHTAB = "diffusers>=0.42", "ray[data]>=2.40", "shtab>=1.13"
EXTRAS = {
    "plots": [MATPLOTLIB],
    "publish": [MATPLOTLIB, PLOTLY],
    "leaderboard": [MATPLOTLIB, PLOTLY],
    "analysis": [MATPLOTLIB, SKLEARN],
    "audit": [POLARS, MATPLOTLIB],
    "distinct": [FAISS, HASHES],
    "build": [POLARS, FAISS, HASHES],
    "generate": [DIFFUSERS],
    "annotate": [GRADIO, KRIPPENDORFF],
    "open_clip": ["open_clip_torch>=3", "torchvision"],
    "timm": ["timm>=1", "torchvision"],
    "ray": [RAY],
    "parse": ["spacy>=3.8"],
    "completion": [SHTAB],
    "bench": ["duckdb>=1.1", "pyahocorasick>=2.1"],
    "docs": ["zensical>=0.0.73"],
}
USED_BY_TESTS = (
    "publish",
    "analysis",
    "audit",
    "build",
    "generate",
    "annotate",
    "ray",
)
EXTRAS["dev"] = sorted(
    {
        need
        for extra in (*USED_BY_TESTS, "completion", "docs")
        for need in EXTRAS[extra]
    }
    | {
        "websocket-client>=1.8",
        "pytest>=8",
        "pytest-xdist>=3.8",
        "ruff>=0.14",
        "mypy>=1.18",
    }
)

setup(
    name="imagenet-ao",
    version=VERSION,
    description="Tests whether a vision-language model composes attributes and objects that it "
    "never saw together",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    py_modules=["imagenet_ao", "evaluate_models"],
    packages=[
        *find_packages(include=["aobench", "aobench.*"]),
        "compositional_ood",
        "imagenet_ao_cards",
    ],
    package_dir={
        "compositional_ood": "metrics/compositional_ood",
        "imagenet_ao_cards": "model_cards",
    },
    package_data={
        "aobench": ["py.typed"],
        "aobench.vocabulary": ["*.csv", "*.json", "*.txt", "*.md"],
        "aobench.audit": ["*.csv"],
        "aobench.annotation": ["page.*", "schema.sql"],
        "aobench.mini": [
            "*.csv",
            "pictures/*.md",
            "pictures/*/*.webp",
            "model/*",
            "generative/*",
        ],
        "aobench.models": ["lists/*"],
        "aobench.analysis": ["published/*", "pages/*"],
        "aobench.duplicates": ["*.html"],
        "aobench.study": ["bundled/*"],
        "aobench.newset": ["example_build/*"],
        "compositional_ood": ["*.md", "*.txt"],
        "imagenet_ao_cards": ["*.md"],
        "aobench.publish": ["pages/*"],
    },
    install_requires=[
        "torch>=2.6",
        "datasets>=5.0",
        "evaluate>=0.4.6",
        "transformers>=5.0",
        "accelerate>=1.10",
        "huggingface_hub>=1.31",
        "pillow>=12",
        "numpy>=2.0",
        "scipy>=1.13",
        "pyarrow>=24",
        "tqdm>=4.66.3",
        "pandas>=2.2.2",
        "safetensors>=0.5",
        "psutil>=6",
        "jinja2>=3.1",
        "pyyaml>=6",
        "numba>=0.61",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["imagenet-ao = aobench.cli:command"]},
)
