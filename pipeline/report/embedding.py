"""Figure 2: prompts and responses of the IFT, EFT and PPD data as points of a plane, and how far the kinds lie apart.

The paper embeds with BERT and maps with t-SNE. Here a sentence-embedding model is used where one is named; else TF-IDF
vectors of words, digits and signs, reduced by a truncated SVD (latent semantic analysis).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from pipeline.core.errors import PipelineError
from pipeline.core.files import replacing
from pipeline.core.means import mean_and_error, named
from pipeline.core.records import Text

Vectors = NDArray[np.float64]
NEIGHBOURS = 10
_WORD = r"[^\W\d_]+|\d|[^\w\s]"
_COMPONENTS, _PERPLEXITY = 50, 30.0
_BATCH, _LENGTH = 32, 512  # texts; tokens of a text that a model reads


@dataclass(frozen=True)
class Point:
    """One text on the plane of its panel (`prompts` or `responses`)."""

    panel: str
    kind: str
    key: str
    x: float
    y: float


def figure(texts: Sequence[Text], embedder: str, seed: int) -> tuple[list[Point], dict[str, Any]]:
    """The points of both panels, and for each kind the shares of its texts' nearest neighbours that each kind has.

    embedder: a model folder or Hub id, or "" for TF-IDF. One thread, so that the same texts give the same points on
    one machine. Raises PipelineError for fewer than three texts.
    """
    if len(texts) < 3:
        raise PipelineError(f"figure 2: {len(texts)} texts are too few to map; raise report.points")
    points: list[Point] = []
    neighbours: dict[str, Any] = {}
    kinds = [text.kind for text in texts]
    with threadpool_limits(1):
        for panel in ("prompts", "responses"):
            strings = [text.prompt if panel == "prompts" else text.response for text in texts]
            vectors = model_vectors(strings, embedder) if embedder else tf_idf_vectors(strings, seed)
            neighbours[panel] = neighbour_shares(vectors, kinds)
            for text, (x, y) in zip(texts, plane(vectors, seed), strict=True):
                points.append(Point(panel, text.kind, text.key, round(float(x), 2), round(float(y), 2)))
    method = f"mean-pooled {embedder}" if embedder else "TF-IDF and truncated SVD"
    sizes = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    return points, {"method": f"{method}, t-SNE", "texts": sizes, "neighbours": neighbours}


def tf_idf_vectors(texts: Sequence[str], seed: int) -> Vectors:
    """Unit vectors, shape (texts, at most 50)."""
    weights = TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True).fit_transform(texts)
    components = min(_COMPONENTS, weights.shape[1] - 1)
    reduced = TruncatedSVD(components, random_state=seed).fit_transform(weights)
    return np.asarray(normalize(reduced), dtype=np.float64)


def model_vectors(texts: Sequence[str], model: str) -> Vectors:
    """Unit vectors, shape (texts, hidden size): the mean of the last hidden states of each text's first 512 tokens."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        words = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
        encoder = AutoModel.from_pretrained(model, trust_remote_code=False, use_safetensors=True).eval()
    except OSError as error:
        reason = str(error).splitlines()[0]
        problem = f"report.embedder: no model with safetensors at {model!r} ({reason}); correct it"
        raise PipelineError(problem) from error
    words.pad_token = words.pad_token or words.eos_token
    how = {"padding": True, "padding_side": "right", "truncation": True, "max_length": _LENGTH, "return_tensors": "pt"}
    means = []
    for start in range(0, len(texts), _BATCH):
        batch = words(list(texts[start : start + _BATCH]), **how)
        with torch.inference_mode():
            states = encoder(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        means.append(((states * mask).sum(1) / mask.sum(1)).double().numpy())
    return np.asarray(normalize(np.concatenate(means)), dtype=np.float64)


def plane(vectors: Vectors, seed: int) -> Vectors:
    """t-SNE of the vectors, shape (texts, 2)."""
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    return np.asarray(TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors))


def neighbour_shares(vectors: Vectors, kinds: Sequence[str]) -> dict[str, dict[str, float]]:
    """For each kind: the mean share of every kind among a text's ten nearest others by cosine, with standard errors.

    Measured before t-SNE, whose distances mean little.
    """
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    count = min(NEIGHBOURS, len(kinds) - 1)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    labels = np.array(kinds)
    shares: dict[str, dict[str, float]] = {}
    for kind in sorted(set(kinds)):
        neighbours = labels[nearest[labels == kind]]
        shares[kind] = {}
        for other in sorted(set(kinds)):
            each = (neighbours == other).mean(axis=1)
            shares[kind] |= named(other, mean_and_error(each.tolist()))
    return shares


def write(points: Sequence[Point], path: Path) -> None:
    """The points as CSV."""
    with replacing(path) as temporary:
        pl.DataFrame(points).write_csv(temporary)
