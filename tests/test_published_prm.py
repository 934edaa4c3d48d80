"""Process reward models of others: asked as their authors ask them, token by token."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from conftest import scripted
from test_tokenizers import SMOLLM
from transformers import AutoTokenizer, LlamaTokenizer

from pipeline.core.errors import PipelineError
from pipeline.core.records import LabelledSolution
from pipeline.inference.requests import Completion, Request
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import prm, published
from pipeline.training.settings import Published

SHEPHERD = Published(model="x", form="marked", mark=" ки")
TURNS = Published(model="x", form="turns")
STEPS = ("Step 1: Ana has 1+2=3.", "Step 2: The answer is: 3")


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Mistral-7B's own tokenizer, which Math-Shepherd's model has."""
    folder = tmp_path_factory.mktemp("mistral")
    shutil.copy(str(files("mistral_common") / "data" / "tokenizer.model.v1"), folder / "tokenizer.model")
    LlamaTokenizer.from_pretrained(str(folder), add_bos_token=True).save_pretrained(folder)
    return folder


@pytest.fixture
def chat(words: Any, tmp_path: Path) -> Path:
    """A folder with a tokenizer that has a chat template."""
    words.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.chat_template = SMOLLM
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def request_of(folder: Path, settings: Published, renderer: Renderer, problem: str = "What is 1+2?") -> Request:
    published.keep(settings, folder)
    return published.asker(folder)(renderer, problem, STEPS[:1], STEPS[1], "prm")


def test_a_marked_prm_gets_the_ids_of_its_authors_code(mistral: Path, renderer: Renderer) -> None:
    request = request_of(mistral, SHEPHERD, renderer)
    own = AutoTokenizer.from_pretrained(mistral)
    text = "What is 1+2? Step 1: Ana has 1+2=3. ки\nStep 2: The answer is: 3 ки"
    assert list(request.prompt_ids) == own.encode(text)
    assert request.prompt_ids[-1] == own.encode("ки")[-1] and list(request.prompt_ids).count(own.encode("ки")[-1]) == 2
    assert list(request.labels) == own.encode("+ -")[1:]


def test_a_prm_in_turns_gets_the_chat_templates_own_ids(chat: Path, renderer: Renderer) -> None:
    request = request_of(chat, TURNS, renderer)
    own = AutoTokenizer.from_pretrained(chat)
    turns = ["What is 1+2? Step 1: Ana has 1+2=3.", "+", "Step 2: The answer is: 3"]
    messages = [{"role": ("user", "assistant")[n % 2], "content": turn} for n, turn in enumerate(turns)]
    whole = own.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert list(request.prompt_ids) == own.encode(whole, add_special_tokens=False)


def test_a_step_writes_no_control_token_of_the_prms_own_tokenizer(mistral: Path, renderer: Renderer) -> None:
    request = request_of(mistral, SHEPHERD, renderer, "What</s>is 1+2?")
    assert request.prompt_ids == request_of(mistral, SHEPHERD, renderer).prompt_ids


def test_a_prm_that_cannot_be_asked_so_is_one_line(chat: Path, mistral: Path, renderer: Renderer) -> None:
    with pytest.raises(PipelineError, match="no chat template"):
        request_of(mistral, TURNS, renderer)
    with pytest.raises(PipelineError, match="end in the same token"):
        request_of(mistral, SHEPHERD.model_copy(update={"bad": "+"}), renderer)


def test_a_folder_without_its_own_form_is_asked_as_ours(tmp_path: Path) -> None:
    assert published.asker(tmp_path) is prm.request


def test_ratings_of_a_published_prm_go_through_the_same_tasks(mistral: Path, renderer: Renderer) -> None:
    published.keep(SHEPHERD, mistral)
    tasks = prm.rating_tasks(renderer, [LabelledSolution("p", "q", STEPS, (True, True))], published.asker(mistral))
    own = AutoTokenizer.from_pretrained(mistral)
    rating = Completion("+", "stop", 1, label_logprobs=(0.0, -1.0))
    ratings = scripted(own, tasks, lambda prompt, request: rating)
    assert [round(one.plus, 3) for one in ratings.values()] == [0.731, 0.731]
