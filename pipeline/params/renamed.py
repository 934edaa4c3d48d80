"""Keys of earlier versions of params.yaml, each with what it is called now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "engine.context": "inference.max_model_len",
    "engine.dtype": "inference.dtype",
    "engine.seats": "inference.max_num_seqs in machine.yaml",
    "engine.copies": "inference.replicas in machine.yaml",
    "engine.window": "inference.concurrent_problems in machine.yaml",
    "engine.cache_tokens": "inference.kv_cache_tokens in machine.yaml",
    "world.base": "base.model",
    "world.careless": "arithmetic.misconception_rate",
    "world.seed": "arithmetic.seed",
    "world.splits": "arithmetic.splits",
    "base.width": "arithmetic.recipe.width",
    "base.layers": "arithmetic.recipe.layers",
    "base.context": "arithmetic.recipe.context",
    "base.batch": "arithmetic.recipe.batch_size",
    "base.warmup": "arithmetic.recipe.warmup_ratio",
    "base.threads": "training.threads in machine.yaml",
    "base.phases": "arithmetic.recipe.phases",
    "annotator.concurrency": "endpoints.concurrency in machine.yaml",
    "annotator.retries": "endpoints.max_retries in machine.yaml",
    "annotator.seconds": "endpoints.timeout in machine.yaml",
    "reference.concurrency": "endpoints.concurrency in machine.yaml",
    "reference.retries": "endpoints.max_retries in machine.yaml",
    "reference.seconds": "endpoints.timeout in machine.yaml",
    "eft_search": "psrlm.eft_search",
    "eft.ratings": "problems.ratings",
    "eft.margin": "psrlm.eft.margin",
    "eft.pairs_per_problem": "psrlm.eft.pairs_per_problem",
    "eft.train_pairs": "psrlm.eft.train_pairs",
    "eft.test_pairs": "psrlm.eft.test_pairs",
    "eft.ties": "psrlm.eft.ties",
    "eft_scores": "srlm.eft_search and srlm.eft (policies: eft.srlm.policy)",
    "search": "psrlm.search",
    "pairs.min_gap": "psrlm.pairs.min_gap",
    "pairs.beats_all": "psrlm.pairs.require_condorcet_winner",
    "solutions": "srlm.search",
    "solution_pairs": "srlm.pairs",
    "dpo.likelihood": "dpo.loss_weights.sft",
    "dpo.training": "dpo (its keys stand there)",
    "judge_eval": "judges",
    "score_eval": "judges",
    **{f"{section}.batch": f"{section}.batch_size" for section in ("prm", "sft")},
    **{f"{section}.warmup": f"{section}.warmup_ratio" for section in ("prm", "sft")},
    **{f"{section}.threads": "training.threads in machine.yaml" for section in ("prm", "sft")},
    **{f"{section}.checkpoint_updates": "training.save_steps in machine.yaml" for section in ("prm", "sft")},
}


def renamed(document: Mapping[str, Any]) -> dict[str, str]:
    """The keys of `document` that have another name now, each with that name."""
    names = {}
    for old, new in RENAMED.items():
        value: Any = document
        for key in old.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            names[old] = new
    return names
