"""The section `psrlm` of params.yaml: steps, judged pairwise (the paper's method)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.config import Count, Positive, Sampling, Section, Share

FILE = "trees.parquet"  # of a search's folder
JUDGES_STEPS = True  # its trees hold judged candidates of every state
RATED = "rated-"  # begins the keys of pairs that people's ratings made


class EftSearch(Section):
    """Monte-Carlo tree search with the PRM (paper, section 3.2)."""

    width: Positive = Field(description="sampled candidates of an expansion")
    iterations: Positive
    depth: Positive = Field(description="steps of a simulation")
    exploration: float = Field(ge=0, description="constant of PUCT")
    max_steps: Positive
    sampling: Sampling


class Eft(Section):
    """Which step pairs are annotated and kept."""

    margin: Share = Field(description='smallest difference of P("+") between best and worst')
    pairs_per_problem: Positive = Field(description="annotated at most")
    train_pairs: Count = Field(description="decided pairs to train on at most; 0: all")
    test_pairs: Count = Field(description="held out by problem")
    ties: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="largest share of the train rows that the annotator calls a tie; 0: none, as in the paper"
    )


class Judge(Section):
    """A model's own judgments of its candidate steps."""

    verdict: Literal["explain", "explain-short", "logprob"] = Field(
        description="explain: reasons, then a letter (the paper's); explain-short: after max_explanation tokens the "
        "letter's log-odds decide; logprob: they decide at once, mean of both orders"
    )
    schedule: Literal["pairs", "tournament", "listwise"] = Field(
        description="pairs: all that can change best, worst or their wins; tournament: a knockout for the best, one "
        "for the worst; listwise: rankings of all candidates in one prompt"
    )
    orders: Literal["both", "single"] = Field(
        description="both: a win must hold in both orders; single: one order, drawn by hash"
    )
    full: Share = Field(
        description="share of the states, drawn by hash, whose pairs are all judged in all orders: what is said of the "
        "judge comes from these; with schedule: pairs the round's pairs are the same at any share"
    )
    max_explanation: Positive = Field(description="explain-short: tokens")
    margin: float = Field(ge=0, description="log-odds (natural) up to which a pair is a tie")
    rankings: Positive = Field(description="listwise: how many, each in an order drawn by hash; most must agree")
    structured: bool = Field(
        default=False, description="the engine lets nothing but words that end in a verdict be sampled"
    )
    sampling: Sampling

    @model_validator(mode="after")
    def _fit_together(self) -> Judge:
        if self.schedule == "listwise" and self.verdict != "explain":
            raise ValueError(f"schedule: listwise ranks in words; it takes verdict: explain, not {self.verdict}")
        return self


class Search(Section):
    """Step-wise search with the model's own judgments (paper, section 3.3)."""

    width: Positive = Field(description="candidates a step")
    first_wave: Count = Field(
        default=0, description="sampled first; the others only where these are not all equal; 0: all at once"
    )
    sure: float = Field(
        default=0.0, ge=0, le=1, description="also where the model gives the equal ones less than this probability"
    )
    max_steps: Positive = Field(description="states visited, rollbacks included")
    rollbacks: Count = Field(description="at most, where all candidates have equally many wins")
    sampling: Sampling
    judge: Judge

    @model_validator(mode="after")
    def _two_waves(self) -> Search:
        if self.first_wave and not self.first_wave < self.width:
            raise ValueError(f"first_wave must be 0, or below width ({self.width})")
        if self.first_wave == 1 and not self.sure:
            raise ValueError("first_wave: 1 has none to differ from; give sure above 0, or 2 or more")
        if self.sure and not self.first_wave:
            raise ValueError("sure is a rule of the first wave; give first_wave 1 or more")
        return self


class Pairs(Section):
    """Best step of a state against the worst."""

    min_gap: float = Field(ge=0, description="smallest difference in wins")
    require_condorcet_winner: bool = Field(
        description="the best must win all of its comparisons; false: the paper's rule"
    )


class Settings(Section):
    """Steps, judged pairwise (the paper's method)."""

    eft_search: EftSearch
    eft: Eft
    search: Search
    pairs: Pairs
