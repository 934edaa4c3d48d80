"""Which models become M0: sound ones as they are; each fault of a folder is one line before anything is trained."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_stand_in import Hub
from safetensors.torch import load_file, save_file
from test_params import changed
from test_params_faults import lines, put
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertForMaskedLM, T5Config

from pipeline.cli.verify import weights as verify
from pipeline.core import machine
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.inference.engines import open_engines
from pipeline.inference.loop import run
from pipeline.inference.requests import Completion, Task, sampled
from pipeline.inference.settings import Inference
from pipeline.language.renderer import Renderer, end_ids
from pipeline.training import model_files, weights
from pipeline.training.adopt import adopt

CONTEXT = 512  # positions of the tiny model
Fault = Callable[[Path], object]


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model to do harm to."""
    return Path(shutil.copytree(tiny_model, tmp_path / "given"))


def edit(name: str, **changed: Any) -> Fault:
    """Lay values over a JSON file of a model folder."""

    def fault(folder: Path) -> None:
        path = folder / name
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | changed))

    return fault


def without(*names: str) -> Fault:
    return lambda folder: [(folder / name).unlink() for name in names]


def write(name: str, data: bytes = b"") -> Fault:
    return lambda folder: (folder / name).write_bytes(data)


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Fault:
    """Change the weights."""

    def fault(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        change(held)
        save_file(held, folder / "model.safetensors", metadata={"format": "pt"})

    return fault


def spoiled(value: float, place: int = -1) -> Fault:
    """One number of the last tensor."""
    return tensors(lambda held: held[sorted(held)[place]].view(-1)[-1:].fill_(value))


def cut(folder: Path) -> None:
    """The end of the weights is lost."""
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])


def sharded(folder: Path) -> list[Path]:
    """The same model in several files with an index."""
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    loaded.save_pretrained(folder, max_shard_size="40KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 1
    return shards


def longer_vocabulary(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"extra{number}" for number in range(3)])
    tokenizer.save_pretrained(folder)


def masked(folder: Path) -> None:
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertForMaskedLM(BertConfig(vocab_size=2000, **shape)).save_pretrained(folder)


FAULTS: list[tuple[str, Fault, str]] = [
    ("config", without("config.json"), "base.model: .*given has no config.json; give the folder that"),
    ("config-torn", write("config.json", b"{"), r"base.model: .*config.json: line 1: not JSON"),
    ("config-list", write("config.json", b"[]"), "base.model: .*config.json: holds no settings by name"),
    ("config-type", edit("config.json", hidden_size="many"), "cannot be loaded by transformers .*hidden_size"),
    ("no-tokenizer", without("tokenizer.json", "tokenizer_config.json"), "has no tokenizer"),
    ("no-vocabulary", without("tokenizer.json"), "has no tokenizer"),
    ("tokenizer-torn", write("tokenizer.json", b"{}"), "has a tokenizer that cannot be loaded"),
    ("vocabulary", longer_vocabulary, r"a tokenizer with ids up to \d+, its embedding \d+ rows"),
    ("adapter", edit("adapter_config.json", peft_type="LORA"), "holds an adapter; merge it into its model"),
    ("pickle", lambda folder: (folder / "model.safetensors").rename(folder / "model.bin"), "no weights as safetensors"),
    ("other-name", lambda folder: (folder / "model.safetensors").rename(folder / "a.safetensors"), "neither are model"),
    ("torn", cut, r"has a torn file model.safetensors \(.*incomplete"),
    ("empty", write("model.safetensors"), "has a torn file model.safetensors"),
    ("no-header", write("model.safetensors", b"\xff" * 64), "has a torn file model.safetensors"),
    ("nan", spoiled(float("nan")), "has NaN or infinity in model.norm.weight; give sound weights"),
    ("infinity", spoiled(float("-inf"), 0), "has NaN or infinity in model.embed_tokens.weight;"),
    ("shard", lambda folder: sharded(folder)[0].unlink(), "lacks model-00001-of-.*, which .*index.json names"),
    ("shard-torn", lambda folder: sharded(folder)[1].write_bytes(b"x"), "has a torn file model-00002-of"),
    ("index", lambda folder: sharded(folder) and without(model_files._INDEX)(folder), "neither are model.safetensors"),
    ("index-empty", lambda folder: sharded(folder) and write(model_files._INDEX, b"{}")(folder), "`weight_map` does"),
    ("fewer-layers", edit("config.json", num_hidden_layers=2), "lacks tensors of its config.json: model.layers.1"),
    ("untied", edit("config.json", tie_word_embeddings=False), "lacks tensors of its config.json: lm_head.weight;"),
    ("more-layers", edit("config.json", num_hidden_layers=0), "has tensors beside its config.json: model.layers.0"),
    ("shapes", edit("config.json", intermediate_size=40), "other shapes than its config.json: model.layers.0.*and 2"),
    ("custom-code", edit("config.json", model_type="mine", auto_map={"AutoConfig": "my.C"}), "code of its own"),
    ("unknown", edit("config.json", model_type="mine"), "cannot be loaded by transformers .*`mine`"),
    ("classifier", edit("config.json", architectures=["LlamaForSequenceClassification"]), "no causal language model"),
    ("masked", masked, "is a BertForMaskedLM, which is no causal language model"),
    ("two-sided", lambda folder: T5Config().save_pretrained(folder), "is an encoder-decoder model"),
    ("multimodal", edit("config.json", vision_config={"depth": 2}), "is multimodal: its processor"),
    ("processor", edit("preprocessor_config.json", size=2), "is multimodal: its processor"),
    ("quantised", edit("config.json", quantization_config={"quant_method": "gptq"}), r"is quantised \(gptq\)"),
    ("generation", edit("generation_config.json", temperature=0.5, do_sample=False), "cannot be saved .*temperature"),
    ("generation-torn", write("generation_config.json", b"{"), "generation_config.json: line 1: not JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "line"), [entry[1:] for entry in FAULTS], ids=[entry[0] for entry in FAULTS])
def test_a_model_that_cannot_be_trained_and_served_is_one_line(
    model: Path, tmp_path: Path, fault: Fault, line: str
) -> None:
    fault(model)
    with pytest.raises(PipelineError, match=line) as caught:
        adopt(model, tmp_path / "m0", 256)
    assert all(one.startswith("base.model: ") and len(one) < 420 for one in str(caught.value).splitlines())
    assert not (tmp_path / "m0").exists()  # nothing of a folder is copied before all of it is known to be sound


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("config-type", r"config.json: cannot be loaded \(.*hidden_size"),
        ("nan", r"model.norm.weight: 1 of \d+ values are not finite; train it again"),
        ("fewer-layers", "model.layers.1.input_layernorm.weight: no file has this tensor"),
        ("more-layers", "model.layers.0.input_layernorm.weight: is no tensor of the model that config.json says"),
        ("shapes", r"model.layers.0.mlp.down_proj.weight: has shape \(32, \d+\), config.json says \(32, 40\)"),
    ],
)
def test_psr_verify_lays_a_model_out_as_the_stage_base_does_and_says_it_in_its_own_words(
    model: Path, name: str, line: str
) -> None:
    next(fault for known, fault, _ in FAULTS if known == name)(model)
    lines = list(verify.faults(model))
    assert any(re.search(line, one) for one in lines) and all(one.startswith(str(model)) for one in lines), lines


def test_all_faults_of_the_files_are_told_at_once(model: Path, tmp_path: Path) -> None:
    cut(model)
    edit("config.json", quantization_config={}, is_encoder_decoder=True, vision_config={})(model)
    without("tokenizer.json")(model)
    with pytest.raises(PipelineError) as caught:
        adopt(model, tmp_path / "m0", 1024)
    assert len(str(caught.value).splitlines()) == 5


ROPE: list[tuple[dict[str, Any], int]] = [
    ({}, CONTEXT),
    ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, 2 * CONTEXT),
    ({"rope_scaling": {"type": "dynamic", "factor": 4.0}}, 4 * CONTEXT),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}}, CONTEXT),
    ({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 3.0}}}, 3 * CONTEXT),
]


@pytest.mark.parametrize(("scaling", "positions"), ROPE)
def test_the_context_may_not_be_longer_than_the_models_positions(
    model: Path, scaling: dict[str, Any], positions: int
) -> None:
    edit("config.json", **({"rope_parameters": None} | scaling if scaling else {}))(model)
    assert not [*model_files.faults(model, "given", positions)]
    (line,) = model_files.faults(model, "given", positions + 1)
    assert line.startswith(f"inference.max_model_len: {positions + 1} is above the {positions} positions of given")


def test_positions_that_the_configuration_leaves_to_its_default_count_too(model: Path, tmp_path: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    del config["max_position_embeddings"]  # of a Llama: 2,048
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(PipelineError, match=r"^inference\.max_model_len: 4096 is above the 2048 positions of .*given"):
        adopt(model, tmp_path / "m0", 4096)


def untied(folder: Path) -> None:
    tensors(lambda held: held.setdefault("lm_head.weight", held["model.embed_tokens.weight"].clone()))(folder)
    edit("config.json", tie_word_embeddings=False)(folder)


def padded(folder: Path) -> None:
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    loaded.resize_token_embeddings(4096)
    loaded.save_pretrained(folder)


SOUND: dict[str, Fault] = {
    "as-it-is": lambda folder: None,
    "sharded": sharded,
    "untied": untied,
    "no-generation-config": without("generation_config.json"),
    "two-ends": edit("generation_config.json", eos_token_id=[0, 5]),
    "native-beside-code": edit("config.json", auto_map={"AutoModelForCausalLM": "my.M"}),
    "half": tensors(lambda held: held.update({name: one.to(torch.bfloat16) for name, one in held.items()})),
    "more-rows-than-tokens": padded,
}


@pytest.mark.parametrize("change", SOUND.values(), ids=SOUND)
def test_a_sound_model_is_adopted_with_the_files_it_needs_alone(model: Path, tmp_path: Path, change: Fault) -> None:
    change(model)
    for name in ("model.bin", "README.md", "modeling_my.py", "consolidated.safetensors"):
        write(name, b"x")(model)
    adopt(model, tmp_path / "m0", 256)
    copied = {file.name for file in (tmp_path / "m0").iterdir()}
    assert copied == {file.name for file in model.iterdir() if file.suffix in (".json", ".safetensors")} - {
        "consolidated.safetensors"
    }
    loaded, tokenizer = weights.load(tmp_path / "m0")
    weights.save(loaded, tokenizer, tmp_path / "m1")  # what every training does in the end


def test_an_index_beside_whole_weights_does_not_come_along(model: Path, tmp_path: Path) -> None:
    edit(model_files._INDEX, weight_map={"model.norm.weight": "model-00001-of-00002.safetensors"})(model)
    adopt(model, tmp_path / "m0", 256)
    assert not (tmp_path / "m0" / model_files._INDEX).exists()


def test_a_model_of_the_hub_is_checked_and_leaves_nothing_of_the_client(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    files = {file.name: file.read_bytes() for file in model.iterdir()} | {"original/params.json": b"{}", "a.py": b""}
    with Hub() as hub:
        for name, changed in (("good", {}), ("torn", {"model.safetensors": b"x"})):
            hub.create("model", f"org/{name}", private=False).commit("main", "files", files | changed)
        monkeypatch.setattr("pipeline.training.adopt.snapshot_download", downloaded(hub))
        adopt("org/good", tmp_path / "m0", 256)
        with pytest.raises(PipelineError, match=r"^base\.model: org/torn has a torn file model\.safetensors"):
            adopt("org/torn", tmp_path / "m1", 256)
        with pytest.raises(PipelineError, match="no model folder or reachable Hub model org/absent; correct it"):
            adopt("org/absent", tmp_path / "m2", 256)
    assert {file.name for file in (tmp_path / "m0").iterdir()} == {file.name for file in model.iterdir()}


def downloaded(hub: Hub) -> Callable[..., str]:
    """The client's download, from the stand-in."""
    from huggingface_hub import snapshot_download

    return lambda *args, **how: snapshot_download(*args, **how, endpoint=hub.url, token=False)


def task(renderer: Renderer, ids: list[int]) -> Task[Completion]:
    (completion,) = yield [sampled(renderer, ids, Sampling(temperature=0.0, top_p=1.0, max_tokens=24), 1)]
    return completion


def test_a_turn_may_end_on_any_of_the_models_end_tokens_and_is_trained_on_one(model: Path, words: Any) -> None:
    here = machine.Inference(replicas=1, max_num_seqs=8, concurrent_problems=2, kv_cache_tokens=4096)
    completions: list[Completion] = []
    with open_engines({"policy": model}, Inference(dtype="float32", max_model_len=256), here) as engines:
        renderer = Renderer(words, "arithmetic", end_ids=end_ids(model))
        ids = renderer.reasoning("Ana has 3 keys.")
        run(engines, [("one", task(renderer, ids))], 1, lambda _, row: completions.append(row))
        assert renderer.ends == (renderer.end,) and not completions[0].ended
        (second,) = words.encode(completions[0].text[0], add_special_tokens=False)  # random weights repeat one token
        edit("generation_config.json", eos_token_id=[renderer.end, second])(model)
        renderer = Renderer(words, "arithmetic", end_ids=end_ids(model))
        run(engines, [("two", task(renderer, ids))], 1, lambda _, row: completions.append(row))
    assert renderer.ends == (renderer.end, second) and renderer.step("Step 1: a", terminal=True)[-1] == renderer.end
    free, ended = completions
    assert ended.ended and ended.finish == "stop" and free.text.startswith(ended.text)


def test_the_end_tokens_of_a_model_are_those_of_both_its_files(tmp_path: Path) -> None:
    assert end_ids(tmp_path) == ()
    edit("config.json", eos_token_id=7)(tmp_path)
    edit("generation_config.json", eos_token_id=[9, 7])(tmp_path)
    assert end_ids(tmp_path) == (7, 9)
    edit("generation_config.json", eos_token_id=None)(tmp_path)
    assert end_ids(tmp_path) == (7,)


def test_psr_check_tells_what_the_files_of_a_model_folder_say(model: Path, tmp_path: Path) -> None:
    def given(document: Any) -> None:
        put(document, "base/model", str(model))

    def short(document: Any) -> None:
        given(document)
        put(document, "inference/max_model_len", 256)

    (unseen,) = lines(changed(tmp_path, short))
    assert "is not in data/sources" in unseen
    cut(model)
    _, torn, long = lines(changed(tmp_path, given))
    assert torn.startswith(f"base.model: {model} has a torn file model.safetensors")
    assert long == f"inference.max_model_len: 1024 is above the 512 positions of {model}; give at most 512"
