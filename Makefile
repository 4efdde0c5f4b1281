# make demo       from nothing to a finished loop with its report (.venv, install, local LLM, run)
# make test       every check: format, lint, types, tests
# make test-all   the same with the slow tests, and five times as many random inputs (INLOOP_FUZZ)
# make stubs      inloop/__init__.pyi, the signatures of `import inloop`, from the configs of the loops
# make docs       the documentation as a site, in build/site
# make bench      the measurements of benchmarks/
# make audit      what is installed as a list (SBOM) in build/sbom.cdx.json, and its known vulnerabilities
# make clean      remove builds and caches, never runs/ (paid calls, checkpoints); `make distclean` also removes .venv
#
# Behind a mirror or for another build of torch, set pip's own variables, e.g.
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo

PYTHON  ?= python3
VENV    ?= .venv
PROMPT  ?= a green pentagram over a spaceship
ARGS    ?=
WORKERS ?= 2

BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip install --disable-pip-version-check --no-compile --quiet -c constraints.txt
CODE  := agents app evaluators graphs mini prompts runtime tools
# Python compiles a file when it is first imported, and keeps that. Where the environment forbids it to, each command would compile some
# thousand files again: there all are compiled when they are installed.
COMPILE := $(if $(PYTHONDONTWRITEBYTECODE),env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib $(CODE) || true,true)
SHELL := /bin/bash

export PYTHONUTF8 = 1

.PHONY: demo install dev view path stubs fetch lint types trained test test-all audit bench docs wheel clean distclean help

help:
	@sed -n '/^# make/s/^# //p' Makefile

demo: install fetch
	@$(BIN)/inloop opt2i "$(PROMPT)" --iterations 6 $(ARGS)

install: $(VENV)/.installed path
dev: $(VENV)/.installed-dev path

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "inloop needs Python 3.11 or newer; say which one with: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing inloop into $(VENV) (torch is the large part)"
	$(PIP) -e .
	@$(COMPILE)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing inloop and its development tools into $(VENV)"
	$(PIP) -e '.[dev,train,students,rag,office,detect,ocr,onnx,datasets,labels,qdrant,pgvector,postgres,ray,s3,serve,docs]'
	@$(COMPILE)
	@touch $(VENV)/.installed $@

fetch: install
	@$(BIN)/inloop models --fetch

# The package as it is installed, by links to the code folders. A .pth file leads Python and type checkers to it: they see one
# ordinary package, which the import hook of an editable install would hide from them.
view:
	@mkdir -p build/view/inloop
	@for p in inloop/* $(CODE); do ln -sfn ../../../$$p build/view/inloop/$${p##*/}; done

path: view $(VENV)/.created
	@$(BIN)/python -c 'import pathlib, sys, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "inloop.pth").write_text(sys.argv[1] + "\n", encoding="utf-8")' "$(CURDIR)/build/view"

stubs: dev
	$(BIN)/python -m inloop._stub
	$(BIN)/ruff format --quiet inloop

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: dev
	$(BIN)/mypy

# What trains must learn on every processor: once without AVX and with two threads, then with what is there and one.
# pytest's exit code 5: ARGS chose no such test.
TRAINS := ATEN_CPU_CAPABILITY=default OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q

trained: dev
	$(TRAINS) -m 'trains and not slow' $(ARGS) || [[ $$? == 5 ]]

# Tests in WORKERS processes; an idle one takes tests over from the other. One thread each: more would wait for one another.
TOGETHER := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# The models that tests open, 170 MB once; where there is no registry these tests are skipped. Types are checked beside what trains.
test: dev lint
	@$(BIN)/inloop models --fetch smollm2 ssd || true
	@$(MAKE) --no-print-directory -j2 -O types trained
	$(TOGETHER) -m 'not slow' $(ARGS)

test-all: dev lint types
	@$(BIN)/inloop models --fetch || true
	$(TRAINS) -m trains $(ARGS) || [[ $$? == 5 ]]
	INLOOP_FUZZ=$${INLOOP_FUZZ:-5} $(TOGETHER) $(ARGS)

# Tools of an environment of their own, so that the list has the product's packages alone.
audit: dev
	@test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit \
	  && build/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.10,<3' 'cyclonedx-bom>=7.2,<8'; } \
	  || { rm -rf build/audit; echo "audit: NOT run: pip-audit cannot be installed here"; }
	@test ! -d build/audit || build/audit/bin/python .ci/audit.py $(BIN)/python build

bench: dev
	$(BIN)/python -m benchmarks $(ARGS)

docs: dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "the site is in build/site: open build/site/index.html"

wheel: dev
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
