"""vLLM inside this process.

On a CPU the settings are those that were measured to matter: one thread an engine, eager mode, KV blocks of 32
tokens, no chunked prefill (per-request seeds crash the CPU engine with it). On GPUs vLLM's own defaults hold.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.core import machine
from pipeline.inference.requests import Completion, Request
from pipeline.inference.settings import Inference

_BLOCK = 32  # tokens
CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TORCH_LOGS": "-torch._library.triton",  # which warns that there is no Triton
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class InProcessEngine:
    """One model served by vLLM in this process, which sees `devices` alone; see `requests.Engine` for the protocol."""

    sources: Sequence[Any] = ()

    def __init__(self, model: Path, params: Inference, here: machine.Inference, devices: Sequence[str]) -> None:
        if not devices:
            for name, value in CPU_ENVIRONMENT.items():
                os.environ.setdefault(name, value)
        import torch
        from vllm import LLM

        settings: dict[str, Any] = {
            "model": str(model),
            "dtype": params.dtype,
            "max_model_len": params.max_model_len,
            "max_num_seqs": here.max_num_seqs,
            "tensor_parallel_size": here.tensor_parallel,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
            "trust_remote_code": False,
            "load_format": "safetensors",
            "generation_config": "vllm",
        }
        if not torch.cuda.is_available():
            torch.set_num_threads(1)
            settings |= {
                "enforce_eager": True,
                "block_size": _BLOCK,
                "num_gpu_blocks_override": here.kv_cache_tokens // _BLOCK,  # so vLLM calls them on a CPU too
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(params.max_model_len, 8192),
            }
        else:
            settings["gpu_memory_utilization"] = here.gpu_memory_utilization
        self.max_model_len = params.max_model_len
        self._llm = LLM(**settings)
        self.tokenizer = self._llm.get_tokenizer()
        self._early: list[tuple[str, Completion]] = []
        self._requests: dict[str, Request] = {}

    def submit(self, key: str, request: Request, group: int) -> None:
        """Queue one request; one that does not fit the context comes back as `context`, unrun."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        if len(request.prompt_ids) + request.max_tokens > self.max_model_len:
            self._early.append((key, Completion("", "context", 0)))
            return
        form = StructuredOutputsParams(regex=request.form) if request.form else None
        params = SamplingParams(**request.parameters(), structured_outputs=form)
        self._llm.llm_engine.add_request(key, {"prompt_token_ids": list(request.prompt_ids)}, params)
        self._requests[key] = request

    def step(self) -> list[tuple[str, Completion]]:
        """One engine iteration."""
        done, self._early = self._early, []
        if self._llm.llm_engine.has_unfinished_requests():
            for output in self._llm.llm_engine.step():
                if output.finished:
                    done.append((output.request_id, self._completion(output)))
        return done

    def _completion(self, output: Any) -> Completion:
        first = output.outputs[0]
        request = self._requests.pop(output.request_id)
        return Completion(
            text=first.text,
            finish=first.finish_reason,
            tokens=len(first.token_ids),
            ended=first.finish_reason == "stop" and not isinstance(first.stop_reason, str),
            label_logprobs=tuple(first.logprobs[0][token].logprob for token in request.labels),
            logprob=first.cumulative_logprob if request.likelihood else None,
        )

    def close(self) -> None:
        """Drop the model and end the processes that vLLM started for it, which else wait for ever."""
        self._llm.llm_engine.engine_core.shutdown()
        del self._llm
