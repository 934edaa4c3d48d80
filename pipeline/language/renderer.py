"""The one place where text becomes token ids: prompts, steps and completions, for sampling and for training alike.

Prompt and steps are tokenised apart, and each step's marker `Step n:` apart from its rest, so the ids that a model
samples are the ids it is trained on. The marker of the next step ends the prompt, so that no model has to know the
form. A step that is not the last ends with a newline; the last one with the token that ends the model's turn. A model
with a chat template gets each prompt as the user's turn, and steps or a judgment as the beginning of the assistant's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json
from pipeline.core.records import Preference
from pipeline.language import harmless, prompts
from pipeline.language.steps import cut, marker

_CONTENT = "[the content of this turn]"
_ANCHORS = ("\n", "1", "=")  # before a text that is no beginning
_KEPT = 512  # texts whose ids are kept: pairs of one search share their problem and most steps
_NEXT_STEP = re.compile(r"\n(?=Step \d+:)", re.ASCII)


def end_ids(model: Path) -> tuple[int, ...]:
    """Ids of all tokens that end the model's turn, as config.json and generation_config.json of its folder say.

    Chat models often have two. vLLM knows the tokenizer's own alone, since it is told not to sample by
    generation_config.json. Raises PipelineError if one of the files is no JSON; a file that is absent names none.
    """
    files = (model / "config.json", model / "generation_config.json")
    named = [read_json(file).get("eos_token_id") for file in files if file.is_file()]
    ids = [i for value in named if value is not None for i in (value if isinstance(value, list) else [value])]
    return tuple(dict.fromkeys(ids))


@dataclass(frozen=True)
class _Frame:
    """Text around a prompt, control tokens in it, the ids before it all, and the id that ends what follows."""

    first: tuple[int, ...]
    before: str
    after: str
    end: int


class Renderer:
    """A model's tokenizer with the prompt family in force.

    chat: `auto` uses the tokenizer's chat template where it has one, `never` none. answer_end: of a text, the index
    just after its final answer, or None (of the domain in force). special: texts of all control tokens of the
    tokenizer; text from data never becomes one. end: id of the token that ends a model's turn where it is trained.
    ends: all at which a sampled turn may end, those that the model's folder names (`end_ids`) included.
    """

    def __init__(
        self,
        tokenizer: Any,
        family: str,
        chat: Literal["auto", "never"] = "auto",
        answer_end: Callable[[str], int | None] = lambda text: None,
        end_ids: Sequence[int] = (),
    ) -> None:
        self.tokenizer, self.family, self.answer_end = tokenizer, family, answer_end
        self._encode = lru_cache(_KEPT)(
            lambda text, **how: tuple(tokenizer.encode(text, add_special_tokens=False, **how))
        )
        self._marked = lru_cache(_KEPT)(lambda step: tuple(i for part in cut(step) for i in self.text(part)))
        self.special = harmless.special_tokens(tokenizer)
        ids = tokenizer.convert_tokens_to_ids(list(self.special))
        self._control = frozenset(ids) - {tokenizer.unk_token_id}  # any text may have unknown characters
        self._anchors = _ANCHORS if self._begins_words() else ()
        chatting = chat == "auto" and getattr(tokenizer, "chat_template", None)
        self._frame = self._turns() if chatting else self._plain()
        self._framed = self._controls(self._beginning(self._frame.before + self._frame.after))
        self.end = self._frame.end
        self.ends = tuple(dict.fromkeys((self.end, *end_ids)))

    def text(self, text: str) -> list[int]:
        """Ids of a text that goes on from another one; a special token that it spells stays text."""
        return self._ids(text, split_special_tokens=True) if text else []

    def prompt(self, name: str, **values: str) -> list[int]:
        """Ids of the prompt `name` of the family with its fields filled: all before what the model writes."""
        return self.turn(prompts.fill(self.family, name, **values))

    def turn(self, text: str) -> list[int]:
        """Ids of a prompt's text, those of the chat template's own call; a control token that it spells stays text."""
        first, before, after = self._frame.first, self._frame.before, self._frame.after
        ids = self._beginning(before + text + after)
        if self._controls(ids) > self._framed:  # told by the ids: a normaliser may make a token of other letters
            end = self._ids(after, split_special_tokens=False) if after else []
            ids = [*self._beginning(before), *self.text(text), *end]
        return [*first, *ids]

    def conversation(self, turns: Sequence[str]) -> list[int]:
        """Ids of a chat, the user's and the assistant's turns by turns, up to where the assistant's next one begins.

        The texts must be free of control tokens. Raises PipelineError where the tokenizer has no chat template.
        """
        if not getattr(self.tokenizer, "chat_template", None):
            raise PipelineError("the model's tokenizer has no chat template, so it cannot be asked in turns")
        roles = ("user", "assistant")
        messages = [{"role": roles[number % 2], "content": turn} for number, turn in enumerate(turns)]
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return [*self._bos(ids := self._beginning(text)), *ids]

    def last(self, text: str) -> int:
        """Id of the last token of a text that stands alone, as published models name the tokens of their labels."""
        return self._beginning(text)[-1]

    def reasoning(self, problem: str, steps: Sequence[str] = ()) -> list[int]:
        """Ids of the reasoning prompt with the steps so far and the next one's marker: where that step is sampled and
        trained."""
        ids = self.prompt("reasoning", problem=problem)
        for step in steps:
            ids += self.step(step, terminal=False)
        return ids + self.text(marker(len(steps) + 1))

    def marked(self, step: str) -> list[int]:
        """Ids of a step's text, its marker and what follows tokenised apart."""
        return list(self._marked(step))

    def step(self, step: str, *, terminal: bool) -> list[int]:
        """Ids of one step: its text, then a newline, or the end of the model's turn if it is the last."""
        return [*self.marked(step), self.end] if terminal else self.marked(step + "\n")

    def completion(self, text: str, number: int, *, terminal: bool = True) -> list[int]:
        """Ids of what a model writes after the marker of step `number`: one step, or several joined ones.

        text: marker and all. terminal: whether the last step ends the model's turn. Raises PipelineError if the text
        does not begin with that marker.
        """
        first = marker(number)
        if not text.startswith(first):
            raise PipelineError(f"a step does not begin with `{first}`, but with {text[:40]!r}")
        return self.steps(_NEXT_STEP.split(text), terminal=terminal)[len(self.text(first)) :]

    def steps(self, steps: Sequence[str], *, terminal: bool = True) -> list[int]:
        """Ids of the steps of a solution, each tokenised apart; terminal: whether the last ends the model's turn."""
        *before, last = steps
        return [i for step in before for i in self.step(step, terminal=False)] + self.step(last, terminal=terminal)

    def preference(self, pair: Preference) -> dict[str, list[int]]:
        """prompt_ids, chosen_ids and rejected_ids of a pair: what was sampled from, and what follows its marker."""
        number = len(pair.steps) + 1
        return {
            "prompt_ids": self.reasoning(pair.prompt, pair.steps),
            "chosen_ids": self.completion(pair.chosen, number, terminal=pair.chosen_terminal),
            "rejected_ids": self.completion(pair.rejected, number, terminal=pair.rejected_terminal),
        }

    def answer(self, text: str) -> list[int]:
        """Ids of a whole answer that is no solution, such as a judgment; it ends the model's turn."""
        return [*self.text(text), self.end]

    def _plain(self) -> _Frame:
        if self.tokenizer.eos_token_id is None:
            raise PipelineError("the model's tokenizer has no end-of-sequence token; set `eos_token` in its config")
        return _Frame(self._bos(()), "", "", self.tokenizer.eos_token_id)

    def _turns(self) -> _Frame:
        """The chat template around a user's turn, and the token after an assistant's."""
        turns = [{"role": "user", "content": _CONTENT}, {"role": "assistant", "content": _CONTENT}]
        opening = self.tokenizer.apply_chat_template(turns[:1], add_generation_prompt=True, tokenize=False)
        answered = self.tokenizer.apply_chat_template(turns, tokenize=False)
        before, mark, after = opening.partition(_CONTENT)
        if not mark or _CONTENT in after:
            raise PipelineError("prompts.chat: the chat template does not show a user's turn once; give `never`")
        closing = self._beginning(answered.rpartition(_CONTENT)[2])
        ends = [token for token in closing[:1] if self.tokenizer.decode([token]) in self.special]
        end = ends[0] if ends else self.tokenizer.eos_token_id
        if end is None:
            raise PipelineError("prompts.chat: neither chat template nor tokenizer says what ends a turn; give `never`")
        return _Frame(self._bos(self._beginning(before)), before, after, end)

    def _beginning(self, text: str) -> list[int]:
        """Ids of a text that begins a sequence, control tokens that it spells among them."""
        return list(self._encode(text))

    def _controls(self, ids: Sequence[int]) -> int:
        """How many of the ids are control tokens."""
        return sum(map(self._control.__contains__, ids))

    def _begins_words(self) -> bool:
        """Whether the tokenizer takes every text for the beginning of one, with a space before it (sentencepiece)."""
        texts = ("1:", " so", "\n", "so")
        apart = [token for text in texts for token in self._beginning(text)]
        return bool(self.tokenizer.decode(apart, clean_up_tokenization_spaces=False) != "".join(texts))

    def _ids(self, text: str, split_special_tokens: bool) -> list[int]:
        """Ids of a text within a sequence: without a space that the tokenizer puts before every text.

        It stands before an anchor instead, one that makes no token with the beginning of the text.
        """

        def encode(text: str) -> list[int]:
            return list(self._encode(text, split_special_tokens=split_special_tokens))

        for anchor in self._anchors:
            before, ids = encode(anchor), encode(anchor + text)
            if ids[: len(before)] == before:
                return ids[len(before) :]
        return encode(text)

    def _bos(self, first: Sequence[int]) -> tuple[int, ...]:
        """The token that begins a sequence, where the tokenizer adds one and `first` does not begin with it."""
        added = self.tokenizer.encode("", add_special_tokens=True)[:1]
        return tuple(added) if added == [self.tokenizer.bos_token_id] and list(first[:1]) != added else ()
