"""The sections of params.yaml as frozen types; each field is a key."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sampling:
    """How a step or a judgment is sampled; temperature 0 is greedy. max_tokens is the cap of one request."""

    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True)
class Prompts:
    """family: a template family shipped in pipeline/templates, or a folder with the same file names."""

    family: str


@dataclass(frozen=True)
class Engine:
    """vLLM. context: tokens of prompt and completion; seats: requests run at once by one copy of the model.

    copies: processes, each with the whole model (CPU: one a core). window: problems in work at once.
    cache_tokens: KV cache of one copy on a CPU.
    """

    dtype: str
    context: int
    seats: int
    copies: int
    window: int
    cache_tokens: int


@dataclass(frozen=True)
class Training:
    """Training: batch in rows, one cosine schedule with warm-up as a share of all updates.

    checkpoint_updates: a killed training goes on from the last of its checkpoints, one every so many updates (0: none).
    """

    epochs: int
    batch: int
    learning_rate: float
    warmup: float
    max_length: int
    bf16: bool
    threads: int
    checkpoint_updates: int


@dataclass(frozen=True)
class EftSearch:
    """Monte-Carlo tree search: PUCT constant, sampled candidates an expansion, simulated steps, iterations."""

    width: int
    iterations: int
    depth: int
    exploration: float
    sampling: Sampling
    max_steps: int


@dataclass(frozen=True)
class Eft:
    """margin: smallest difference of P("+") between best and worst; pairs_per_problem: annotated at most.

    train_pairs: decided pairs to train on at most (0: all); test_pairs are held out by problem. ties: largest share of
    the train rows that the annotator calls a tie (0: none, as in the paper). ratings: a file of human step ratings
    (PRM800K) whose pairs are added, or "".
    """

    ratings: str
    margin: float
    pairs_per_problem: int
    train_pairs: int
    test_pairs: int
    ties: float


@dataclass(frozen=True)
class EftScores:
    """SRLM's own EFT data: whole solutions of the EFT problems, scored by the annotator.

    policies: the model whose solutions they are, [m0], or [] without an SRLM arm. samples: solutions a problem.
    test_rows are held out by problem. per_score: train rows of one score at most, so that common scores do not
    crowd out the others (0: no cap).
    """

    policies: list[str]
    samples: int
    sampling: Sampling
    test_rows: int
    per_score: int


@dataclass(frozen=True)
class Ift:
    """segmenter: `rule` (every line that is not empty is a step) or `annotator`."""

    segmenter: str


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server. api: `chat` or `completions`.

    key_variable: name of the environment variable that holds the key ("" for none). retries: with back-off, for each
    request; seconds: time limit of one. max_tokens_spent, max_requests: stop where the kept answers of this url and
    model, of all stages and runs together, have cost so much (0: no cap); requests under way then still end, so tokens
    may pass their cap by `concurrency` answers. omit: parameters that are not sent because the server refuses them, of
    seed, temperature, top_p, max_tokens, max_completion_tokens; api `chat` names the cap max_completion_tokens, or
    max_tokens where that one is omitted.
    """

    url: str
    api: str
    key_variable: str
    concurrency: int
    retries: int
    seconds: float
    max_tokens_spent: int
    max_requests: int
    sampling: Sampling
    omit: list[str] = field(default_factory=list, kw_only=True)


@dataclass(frozen=True)
class Annotator(Endpoint):
    """Who segments solutions and judges EFT pairs. kind: `world` (the oracle), `endpoint` (OpenAI-compatible, at `url`)
    or `model` (a model folder, served here)."""

    kind: str
    model: str


@dataclass(frozen=True)
class Reference(Endpoint):
    """Models that are evaluated as ours are (the paper's GPT-4o), by the endpoint's names.

    sampling: of the solution that counts for accuracy; its cap also holds for samples that are averaged.
    """

    models: list[str]


@dataclass(frozen=True)
class Judge:
    """orders: `both` (a win counts only if it holds in both orders) or `single` (one order, drawn by hash)."""

    orders: str
    sampling: Sampling


@dataclass(frozen=True)
class Search:
    """Step-wise search with the model's own judgments (paper, section 3.3)."""

    width: int
    sampling: Sampling
    max_steps: int
    rollbacks: int
    judge: Judge


@dataclass(frozen=True)
class Scorer:
    """How a model scores whole solutions: a score is the mean of `samples` judgments."""

    samples: int
    sampling: Sampling


@dataclass(frozen=True)
class SolutionSearch:
    """SRLM: `samples` whole solutions a problem, and how the model scores each (Yuan et al. 2024, section 2.2)."""

    samples: int
    sampling: Sampling
    scorer: Scorer


@dataclass(frozen=True)
class Pairs:
    """Pairs of steps. min_gap: smallest difference in wins. beats_all: the chosen step must win all of its comparisons,
    else the best and the worst make a pair wherever their wins differ (the paper's rule)."""

    min_gap: float
    beats_all: bool


@dataclass(frozen=True)
class SolutionPairs:
    """Pairs of whole solutions (srlm). min_gap: smallest difference in points of the score."""

    min_gap: float


@dataclass(frozen=True)
class Dpo:
    """Step-wise DPO: beta, weight of the likelihood term on the chosen step, and the training itself.

    The likelihood term is a mean over tokens, where the preference loss sums over them: a weight of the number of
    tokens in a step makes it as strong as the summed log-likelihood.
    """

    beta: float
    likelihood: float
    training: Training
