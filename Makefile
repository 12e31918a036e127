# The two promises: `make demo` and `make test` need Python 3.11, git and make, nothing else.
PYTHON ?= python3.11
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

# what several targets pass on; set="path=value path=value", without spaces in a value
CHANGES = $(if $(dataset),--dataset $(dataset)) $(foreach each,$(set),-S '$(each)')
SEEDS = $(if $(seeds),--seeds $(seeds))
MODELS = $(if $(models),--models $(models))

# the tests of a file share what it makes once, so a file stays in one process; one thread in each; -rs: why some are skipped;
# without -u each of the hundreds of programs that they start would compile all modules, in a container that says so
PYTEST = OMP_NUM_THREADS=1 env -u PYTHONDONTWRITEBYTECODE pytest -rs -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help git setup demo ablation compare splits speed test check lint test-network test-slow clean clean-all

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed ## make .venv with everything pinned in requirements-dev.txt

$(VENV)/.installed: requirements.txt requirements-dev.txt pyproject.toml
	@echo "== set up .venv (one and a half to three minutes on two cores, once)"
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; name a Python 3.11 with: make PYTHON=/path/to/python"; exit 1; }
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@start=$$(date +%s); \
	while sleep 15 >/dev/null 2>&1; do echo "   $$(( $$(date +%s) - start )) s, .venv has $$(du -sm $(VENV) | cut -f1) MB"; done & \
	trap "kill $$!" EXIT; \
	echo "   1 of 3: torch, the largest" && \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check torch==$$(sed -n 's/^torch==//p' requirements.txt) && \
	echo "   2 of 3: all else that requirements-dev.txt names" && \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt && \
	echo "   3 of 3: partreid itself" && \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e . && \
	touch $@ && echo "== set up in $$(( $$(date +%s) - start )) s"

# DVC works in a git repository; a ZIP download is none
git:
	@command -v git >/dev/null || { echo "error: git not found; install it"; exit 1; }
	@git rev-parse --git-dir >/dev/null 2>&1 || { echo "error: this folder is no git repository, as a ZIP download is not, and DVC needs one. Make it one with:"; echo "  git init -q && git add -A && git -c user.name=me -c user.email=me@localhost commit -qm 'as downloaded'"; exit 1; }

demo: git setup ## rendered people, labels, training, evaluation, report: the default model on two CPU cores
	@echo "== dvc repro: render, index, label, train, evaluate, report (five to six and a half minutes on two cores)"
	@start=$$(date +%s); dvc repro && echo "== done in $$(( $$(date +%s) - start )) s"
	@python -c "from partreid import params; p = params.load(); print(f'== open results/{p.dataset}/{p.model}/report.html')"

ablation: git setup ## a paper's table by dvc's queue: make ablation paper=mpn table=1 [seeds="1 2"] [dataset=...] [set="path=value ..."]
	@python stages/ablation.py $(paper) $(table) $(SEEDS) $(CHANGES)

compare: git setup ## all methods in one leaderboard, by dvc's queue: make compare [seeds="1 2 3"] [dataset=...] [models="bot mpn"] [set="path=value ..."] [jobs=2]
	@python stages/compare.py $(MODELS) $(SEEDS) $(CHANGES) $(if $(jobs),--jobs $(jobs))

splits: git setup ## a method on every random split of CUHK01 or CUHK03, by dvc's queue: make splits dataset=cuhk01_100 [model=pabr] [seeds="1 2"] [set="path=value ..."] [jobs=2]
	@python stages/splits.py $(if $(model),--model $(model)) $(SEEDS) $(CHANGES) $(if $(jobs),--jobs $(jobs))

speed: setup ## measure again what the leaderboard says of all methods' costs: make speed [dataset=...] [models=...] [set=...]
	@python benchmarks/speed.py $(MODELS) $(CHANGES)

test: setup lint ## lint and all tests, a process per core
	@echo "== pytest (seven to ten minutes on two cores)"
	@start=$$(date +%s); $(PYTEST) -m "not network and not slow" && echo "== passed in $$(( $$(date +%s) - start )) s"

check: setup lint ## lint and the tests that take less than a second: for every few minutes of work
	@$(PYTEST) -m "not network and not slow" --quick

lint: setup ## ruff and mypy
	@ruff check . && ruff format --check . && mypy

test-network: setup ## the tests that fetch weights or programs
	@pytest -rs -m network

test-slow: setup ## the tests that take minutes each: broken files, kills (docs/reliability.md); PARTREID_FUZZ=0.1 for a tenth
	@pytest -rs -m slow

clean: ## remove what was made; `dvc checkout` brings back what stages made, not leaderboards and searches; kept/ stays
	@rm -rf tmp runs results data/synthetic data/synthetic_large data/index data/source data/tools data/labels data/params.checked dvc_plots

clean-all: clean ## and .venv and DVC's cache: all earlier experiments' results are gone for good
	@rm -rf $(VENV) .dvc/cache .dvc/tmp
