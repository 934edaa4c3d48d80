"""The answer of a model that thinks first is what follows the thinking, in every form that servers give it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_annotator import PROMPTS, Reply, serve, settings, stage  # noqa: F401

from pipeline.inference import annotator, thinking

A = "The first is right. [[A]]"
PART = {"type": "text", "text": A}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (A, A), (f" {A}\n", f" {A}\n"), ("", ""),
        (f"<think>[[B]]?</think>{A}", A), (f"<think>\n[[B]]\n</think>\n\n{A}\n", A),
        (f"<thinking>[[B]]</thinking> {A}", A), (f"<THINK>x</THINK>{A}", A), (f"<think >x</think >{A}", A),
        (f"<thought>x</thought>{A}", A), (f"<reasoning>x</reasoning>\n{A}", A), (f"<seed:think>x</seed:think>{A}", A),
        (f"[THINK]x[/THINK]{A}", A), (f"◁think▷x◁/think▷{A}", A),
        (f"<|begin_of_thought|>x<|end_of_thought|>{A}", A), (f"<|channel>thought\nx<channel|>{A}", A),
        (f"I wonder, [[B]]?\n</think>\n\n{A}", A),  # the opening stands in the prompt
        (f"<think></think>\n\n{A}", A), (f"<think>a <think> b </think> {A}", A),
        (f"<think>a</think>x<think>b</think>{A}", A),
        (f"<think>a\n\n\nb</think>{A}", A), (f"<think>x</think><answer>{A}</answer>", A),
        (f"<think>x</think>\n<answer>\n{A}\n</answer>\n", A),
        ("<think>I wonder, [[A]]", ""), ("\n<think>\nI", ""), ("<think>a</think>\n<think>b", ""), ("[THINK]a", ""),
        ("<think>", ""),
        ("<think>a</think>", ""), ("Well.\n<think>a", "Well."),
        ("B writes `<think>`, odd. [[A]]", "B writes `<think>`, odd. [[A]]"), ("2 < 3 > 1 [[A]]", "2 < 3 > 1 [[A]]"),
        (f"<|channel|>analysis<|message|>[[B]]<|end|><|start|>assistant<|channel|>final<|message|>{A}<|return|>", A),
        (f"<|channel|>analysis<|message|>x<|end|><|channel|>final <|constrain|>json<|message|>{A}", A),
        (f"<|channel|>final<|message|>{A}<|end|>", A), ("<|channel|>analysis<|message|>I wonder [[A]]", ""),
        (f"<|start|>assistant<|channel|>commentary<|message|>x<|end|><|channel|>final<|message|>{A}", A),
        (f"analysisWe compare [[B]].assistantfinal{A}", A), ("analysisWe compare [[A]]", ""),
        ("analysis: the first. [[A]]", "analysis: the first. [[A]]"), ("Analysis. [[A]]", "Analysis. [[A]]"),
    ],
)  # fmt: skip
def test_the_answer_follows_the_thinking(text: str, answer: str) -> None:
    assert thinking.answer(text) == answer
    assert thinking.answer(answer) == answer


def chat(message: dict[str, Any], finish: str = "stop") -> Reply:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return 200, json.dumps(
        {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    )


@pytest.mark.parametrize(
    ("message", "finish", "text", "why"),
    [
        ({"content": A, "reasoning_content": "[[B]]"}, "stop", A, None),
        ({"content": A, "reasoning": "[[B]]"}, "stop", A, None),
        ({"content": None, "reasoning_content": A}, "stop", A, None),
        ({"content": "", "reasoning_content": A}, "stop", A, None),
        ({"content": None, "reasoning": A}, "stop", A, None),
        ({"reasoning_content": A}, "stop", A, None),
        ({"content": None, "reasoning_content": f"[[B]]</think>{A}"}, "stop", A, None),
        ({"content": None, "reasoning_content": f"<think>[[B]]</think>{A}"}, "stop", A, None),
        ({"content": None, "reasoning_content": A}, "length", None, "length"),
        ({"content": None, "reasoning": A}, "length", None, "length"),
        ({"content": None}, "length", None, "length"),
        ({"content": ""}, "length", None, "length"),
        ({"content": "<think>a [[A]]"}, "length", None, "length"),
        ({"content": "<think>a [[A]]"}, "stop", None, "empty"),
        ({"content": None}, "stop", None, "empty"),
        ({"content": None, "reasoning_content": A}, "content_filter", None, "refused"),
        ({"content": None, "refusal": "I cannot help."}, "stop", None, "refused"),
        ({"content": "[[A] so far", "reasoning_content": "x"}, "length", "[[A] so far", None),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "[[B]]"}]}, PART]}, "stop", A, None),
        ({"content": [PART, {"type": "text", "text": "!"}]}, "stop", f"{A}!", None),
        ({"content": [{"type": "thinking", "thinking": []}]}, "length", None, "length"),
    ],
)  # fmt: skip
def test_an_answer_is_found_wherever_a_server_puts_it_and_one_cut_short_is_told_apart(
    serve: Any,  # noqa: F811
    message: dict[str, Any],
    finish: str,
    text: str | None,
    why: str | None,
) -> None:
    server = serve(lambda prompt, count: chat(message, finish))
    texts = annotator.answers(stage(), {"k": "prompt"}, settings(server.url))
    assert texts.get("k") == text
    assert {key: reason for key, (reason, _) in texts.missing.items()} == ({"k": why} if why else {})


def test_thinking_is_left_out_of_answers_that_were_paid_before(serve: Any) -> None:  # noqa: F811
    server = serve(lambda prompt, count: chat({"content": f"<think>{prompt}</think>{A}"}))
    for _ in range(2):
        assert set(annotator.answers(stage(), PROMPTS, settings(server.url)).values()) == {A}
    assert len(server.prompts) == len(PROMPTS)
