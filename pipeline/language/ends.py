"""Where a model's turn ends: every end token that its folder names, of which chat models often have two."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.files import read_json


def end_ids(model: Path) -> tuple[int, ...]:
    """Ids of all tokens that end the model's turn, as config.json and generation_config.json of its folder say.

    vLLM knows the tokenizer's own alone, since it is told not to sample by generation_config.json. Raises PipelineError
    if one of the files is no JSON; a file that is absent names none.
    """
    found: list[int] = []
    for name in ("config.json", "generation_config.json"):
        said = read_json(model / name).get("eos_token_id") if (model / name).is_file() else None
        found += said if isinstance(said, list) else [] if said is None else [said]
    return tuple(dict.fromkeys(found))
