"""Sampled ids are trained ids, and spell the text, for tokenizers of every kind, with and without a chat template.

The vocabulary of sentencepiece's kind is Mistral's own (mistral_common ships it), most chat templates are those that
TRL ships; `PSR_REAL_MODEL` names the folder of a model that is tried beside them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from pipeline.core.records import JudgedPair, LabelledSolution, Preference, Solution
from pipeline.language import prompts, steps
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import prm, rows
from pipeline.training.preference import preference_rows
from pipeline.training.supervised import solution_row

SOLUTION = (
    "Step 1: Ana has 1+2=3.",
    "Step 2:\nLet x be 3.\n\n  Then x > 2:",
    "Step 3:without a space",
    "Step 4:  two spaces, é, 数, \u2265 and\ttab",
    "Step 5: (so) \\frac{1}{2}",
    "Step 6: The answer is \\boxed{5}.",
)
SPELLED = "<s></s><|im_end|><|eot_id|><|end_of_text|><end_of_turn><eos>[/INST]"
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ message['content'] + eos_token + ' ' }}{% endif %}{% endfor %}"
)
SMOLLM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN = LLAMA_3.replace("{1,3}", "")


def template(name: str) -> str:
    return (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


def byte_level(pattern: str, special: Sequence[str], end: str, bos: str | None = None, prefix: bool = False) -> Any:
    """A byte-level BPE of a few merges with a published way of splitting."""
    made = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False)
    made.pre_tokenizer = level if prefix else pre_tokenizers.Sequence([split, level])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=list(special), initial_alphabet=alphabet)
    text = prompts.template("math", "step_judge") + prompts.template("math", "reasoning") + "\n".join(SOLUTION)
    made.train_from_iterator([text, "user\n\nassistant\n", ":\nx :\n\nx"] * 3, trainer)
    return finished(made, special, end, bos)


def finished(made: Tokenizer, special: Sequence[str], end: str, bos: str | None) -> Any:
    """The tokenizer as transformers loads it: control tokens, and a BOS where there is one."""
    made.add_special_tokens(list(special))
    if bos:
        made.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, made.token_to_id(bos))]
        )
    named = {"eos_token": end} | ({"bos_token": bos} if bos else {})
    more = [token for token in special if token not in named.values()]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **named)
    tokenizer.add_special_tokens({"additional_special_tokens": more} if more else {})
    return tokenizer


def respelled(mistral: Any, legacy: bool) -> Tokenizer:
    """Mistral's vocabulary as older files of Llama 2 spell white space (legacy), or as Gemma does (no space before)."""
    written = json.loads(mistral.backend_tokenizer.to_str())
    made = Tokenizer.from_str(json.dumps({**written, "pre_tokenizer": None, "post_processor": None}))
    spaces = normalizers.Replace(" ", "▁")
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces]) if legacy else spaces
    if not legacy:
        made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return made


KINDS = ("gpt2", "prefix", "llama3", "qwen", "smollm", "mistral", "llama2", "gemma", "real")
CHATS = KINDS[2:]


@pytest.fixture(scope="module")
def made(mistral: Any) -> Callable[[str], Any]:
    """A tokenizer of each kind, made once, with its model's published chat template where it has one."""
    return cache(lambda kind: tokenizer(kind, mistral))


def tokenizer(kind: str, mistral: Any) -> Any:
    im = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    llama = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    match kind:
        case "gpt2" | "prefix":
            return byte_level(GPT_2, im[:1], im[0], prefix=kind == "prefix")
        case "llama3":
            tokenizer, chat = byte_level(LLAMA_3, llama, llama[1], llama[0]), template("llama3")
        case "qwen":
            tokenizer, chat = byte_level(QWEN, im, im[2]), template("qwen2_5")
        case "smollm":
            tokenizer, chat = byte_level(GPT_2, im, im[2]), SMOLLM
        case "mistral":
            tokenizer, chat = mistral, MISTRAL
        case "llama2":
            tokenizer, chat = finished(respelled(mistral, legacy=True), ["<s>", "</s>"], "</s>", "<s>"), MISTRAL
        case "gemma":
            turns = ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"]
            tokenizer, chat = finished(respelled(mistral, legacy=False), turns, "<eos>", "<bos>"), template("gemma")
        case "real":
            if (folder := os.environ.get("PSR_REAL_MODEL")) is None:
                pytest.skip("PSR_REAL_MODEL does not name the folder of a model with a chat template")
            return AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = chat
    return tokenizer


@pytest.fixture(params=[*((kind, "never") for kind in KINDS), *((kind, "auto") for kind in CHATS)], ids="-".join)
def renderer(request: pytest.FixtureRequest, made: Callable[[str], Any]) -> Renderer:
    kind, chat = request.param
    return Renderer(made(kind), "math", chat)


@pytest.fixture(params=CHATS)
def chatting(request: pytest.FixtureRequest, made: Callable[[str], Any]) -> Renderer:
    return Renderer(made(request.param), "math")


def spelled(renderer: Renderer, ids: Sequence[int]) -> str:
    """What ids spell, without a BOS; the space that sentencepiece puts before a text's first word is no text."""
    words = renderer.tokenizer
    kept = ids[1:] if ids[0] == words.bos_token_id else ids
    text: str = words.decode(kept, clean_up_tokenization_spaces=False)
    return text.removeprefix(" ")


def test_every_step_is_sampled_from_the_ids_that_it_is_trained_on(renderer: Renderer) -> None:
    whole = solution_row(renderer, Solution("p", "How many?", SOLUTION))["input_ids"]
    for index, step in enumerate(SOLUTION):
        prompt = renderer.reasoning("How many?", SOLUTION[:index])
        last = index == len(SOLUTION) - 1
        part = prompt + renderer.completion(step, index + 1, terminal=last)
        assert whole[: len(part)] == part
        pair = Preference("p", index + 1, "How many?", SOLUTION[:index], step, step, last, False, 1.0, 0.0, "m2")
        (row,) = preference_rows(renderer, [pair])
        assert row["prompt_ids"] == prompt and row["prompt_ids"] + row["chosen_ids"] == part
        assert (row["chosen_ids"][-1] == renderer.end) == last
    assert whole.count(renderer.end) == 1 + renderer.turn("").count(renderer.end)


def test_the_ids_spell_the_text(renderer: Renderer) -> None:
    before = spelled(renderer, renderer.prompt("reasoning", problem="How many?"))
    assert prompts.fill("math", "reasoning", problem="How many?").strip() in before
    for count in range(len(SOLUTION)):
        given = "\n".join([*SOLUTION[:count], steps.marker(count + 1)])
        assert spelled(renderer, renderer.reasoning("How many?", SOLUTION[:count])) == before + given
    row = solution_row(renderer, Solution("p", "How many?", SOLUTION))
    assert spelled(renderer, row["input_ids"][:-1]) == before + "\n".join(SOLUTION)


def test_a_judgment_and_a_rating_are_asked_as_they_are_trained(renderer: Renderer) -> None:
    pair = JudgedPair("p/0", "p", "q", SOLUTION[:1], SOLUTION[1], "Step 2: b", " Well, [[A]]", "A", 0.9, 0.1)
    prompt, answered = rows.token_ids(renderer, pair)
    assert answered == [*renderer.text(" Well, [[A]]"), renderer.end]
    assert spelled(renderer, [*prompt, *answered[:-1]]) == spelled(renderer, prompt) + " Well, [[A]]"
    labelled = LabelledSolution("p", "q", SOLUTION[:3], (True, True, False))
    row = prm.training_row(renderer, labelled)
    for index, step in enumerate(SOLUTION[:3]):
        ids = list(prm.request(renderer, "q", SOLUTION[:index], step, "prm").prompt_ids)
        assert row["input_ids"][: len(ids)] == ids
        assert row["labels"][len(ids)] in prm.label_ids(renderer)


def test_a_sequence_begins_once_and_no_text_becomes_a_control_token(renderer: Renderer) -> None:
    words = renderer.tokenizer
    control = {words.convert_tokens_to_ids(token) for token in renderer.special}

    def controls(ids: Sequence[int]) -> list[int]:
        return [token for token in ids if token in control]

    plain, prompt = (renderer.reasoning(problem, SOLUTION[:1]) for problem in ("How many?", SPELLED))
    assert controls(prompt) == controls(plain) and SPELLED in spelled(renderer, prompt)
    adds = words.encode("", add_special_tokens=True)
    assert prompt[: len(adds)] == adds and (not adds or prompt.count(words.bos_token_id) == 1)
    assert not controls(renderer.step(f"Step 1: {SPELLED}", terminal=False))


def test_a_chats_prompt_has_the_ids_of_its_template_and_ends_as_a_turn_of_it(chatting: Renderer) -> None:
    words = chatting.tokenizer
    for text in ("How many?", "1. x\n\n2. y = é", "(a)"):
        turn = [{"role": "user", "content": text}]
        prompt = words.apply_chat_template(turn, add_generation_prompt=True, return_dict=False)
        assert chatting.turn(text) == prompt
        answered = words.apply_chat_template([*turn, {"role": "assistant", "content": "So."}], return_dict=False)
        assert chatting.end in answered[len(prompt) :]
    assert chatting.reasoning("How many?")[: len(chatting.turn(""))] != chatting.turn("")


@pytest.mark.parametrize(
    ("kind", "end", "without"),
    [
        ("llama3", "<|eot_id|>", "<|end_of_text|>"),
        ("qwen", "<|im_end|>", "<|im_end|>"),
        ("mistral", "</s>", "</s>"),
        ("gemma", "<end_of_turn>", "<eos>"),
    ],
)
def test_the_last_step_ends_with_the_token_that_ends_the_models_turn(
    kind: str, end: str, without: str, made: Callable[[str], Any]
) -> None:
    words = made(kind)
    assert words.convert_ids_to_tokens(Renderer(words, "math").end) == end
    assert words.convert_ids_to_tokens(Renderer(words, "math", "never").end) == without
