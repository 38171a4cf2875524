"""The packages that a solution may import: those that are installed here and of use to it."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

#: Names as on PyPI; of those that are installed, models are told the version.
USEFUL = (
    "numpy", "pandas", "polars", "pyarrow", "scipy", "scikit-learn", "statsmodels", "lightgbm",
    "xgboost", "xgboost-cpu", "catboost", "ngboost", "tabpfn", "pytorch-tabnet", "interpret",
    "imbalanced-learn", "category-encoders", "feature-engine", "skrub", "optuna", "hyperopt",
    "torch", "torchvision", "torchaudio", "timm", "transformers", "sentence-transformers",
    "tokenizers", "datasets", "tensorflow", "keras", "jax", "flax", "pillow", "opencv-python",
    "opencv-python-headless", "scikit-image", "albumentations", "librosa", "soundfile", "nltk",
    "spacy", "gensim", "networkx", "umap-learn", "hdbscan", "numba", "joblib", "prophet",
    "sktime", "tsfresh", "geopandas", "shapely", "rdkit",
)  # fmt: skip


@cache
def installed() -> str:
    """The useful packages with their versions, in one line, Python first."""
    found = [f"Python {platform.python_version()}"]
    for name in USEFUL:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
