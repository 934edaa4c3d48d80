VENV ?= .venv
PYTHON ?= python3

# Quiet and offline-friendly tools; a value already in the environment wins.
export DVC_NO_ANALYTICS ?= 1
export VLLM_NO_USAGE_STATS ?= 1
export HF_HUB_DISABLE_TELEMETRY ?= 1

bin = PATH="$(abspath $(VENV))/bin:$$PATH"

.PHONY: help install repro gates pictures judging push bench test browser test-slow chaos lint lock clean
.DEFAULT_GOAL := help

help: ## print the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS="$$(printf '\t')" read -r name what; do printf '  make %-9s %s\n' "$$name" "$$what"; done

install: ## create .venv from the CPU lock, from the GPU lock where a GPU is found or GPU=1 (nothing when up to date)
	@PYTHON="$(PYTHON)" GPU="$(GPU)" requirements/install.sh "$(VENV)"

repro: install ## run whatever is out of date in the graph, then print the table of all models
	@$(bin) dvc repro
	@cat reports/table.md

gates: install ## measure the embedded world with its oracle, then the table of gates; of finished runs: `make gates RUNS=folders`
	@[ -n "$(RUNS)" ] || { $(bin) dvc repro diagnostics/dvc.yaml && cat reports/diagnostics/*.json; }
	@$(bin) python -m benchmarks.gates $(or $(RUNS),.) $(OPTIONS)

pictures: install ## the pictures of README.md from finished runs: `make pictures [RUNS="folder folder"]` (docs/pictures)
	@requirements/browser.sh
	@$(bin) python -m benchmarks.pictures $(or $(RUNS),.)

judging: install ## ways of judging side by side on a finished run: `make judging [RUNS=folders] [OPTIONS="--rounds --train"]`
	@$(bin) python -m benchmarks.judging $(or $(RUNS),.) $(OPTIONS)

push: install ## publish the run on the Hugging Face Hub: `make push REPO=org/name [OPTIONS="--dry-run --models m4"]`
	@$(bin) psr push "$(REPO)" $(OPTIONS)

bench: install ## measure speed and memory beside the simplest way to do the same (reports/bench.md; `OPTIONS="--parts loops"`)
	@$(bin) python -m benchmarks $(OPTIONS)

# A file's tests in one process; the children of tests compile our modules once.
test: lint browser ## lint, then the tests with an end-to-end run, two files at a time (JOBS=1: less than 8 GB of memory)
	@$(bin) env -u PYTHONDONTWRITEBYTECODE python -m pytest -n $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder

browser:
	@requirements/browser.sh

test-slow: install ## the tests that `make test` leaves out: every command of the documents, servers that die, a toy method
	@$(bin) python -m pytest -m slow

chaos: install ## kill a small run at random moments of every longer stage (docs/chaos.md): `make chaos OPTIONS="--kills 12"`
	@$(bin) python -m benchmarks.chaos $(OPTIONS)

lint: install ## ruff, mypy, import-linter
	@$(bin) ruff check .
	@$(bin) ruff format --check .
	@$(bin) mypy
	@$(bin) lint-imports

lock: ## remake requirements/*.lock; `make lock UPGRADE=--upgrade` moves to newest versions
	@[ -x .work/uv/bin/uv ] || { $(PYTHON) -m venv .work/uv && .work/uv/bin/pip install --quiet 'uv>=0.13,<0.14'; }
	.work/uv/bin/uv pip compile $(lock_options) --universal --fork-strategy fewest --extra cpu \
		--override requirements/overrides.txt -o requirements/cpu.lock
	@sed -i -E "s/ ; $(always)$$//" requirements/cpu.lock
	.work/uv/bin/uv pip compile $(lock_options) --python-version 3.11 --python-platform x86_64-manylinux_2_31 \
		--extra gpu -o requirements/gpu.lock

lock_options = pyproject.toml --quiet --extra dev --no-annotate --custom-compile-command "make lock" $(UPGRADE)
# The marker that holds wherever requirements/install.sh runs.
always = python_full_version < '3\.15' and (implementation_name [!=]= '[A-Za-z]+' and )?platform_machine == 'x86_64' and (platform_python_implementation != 'PyPy' and )?sys_platform == 'linux'

clean: ## remove .venv, the tools' caches and journals of unfinished stages (data/, DVC's cache and annotator answers stay)
	[ ! -f "$(VENV)/.installed" ] || rm -rf "$(VENV)"
	[ ! -d .work ] || find .work -mindepth 1 -maxdepth 1 ! -name annotator -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dvc_plots *.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
