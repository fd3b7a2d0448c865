# make demo [PORT=8080]   the whole thing on this machine: a live show, a synthetic creator, three links
# make test               everything CI runs
# make check              the fast subset (< 60 s)
# make bench              measures the README's numbers
# make bench-relay        the relay beside Janus, pion and werift in one run, and how many viewers it can carry
# make bench-buy          purchases over HTTP: a second and by CPU, how long they take, beside a crowd at what is sold out, and beside Vendure
# make soak               a million purchases over HTTP, store and web workers killed meanwhile (SOAK_PURCHASES=n)
# make soak-failover      20 sales a kind of failover: primary killed, silent, cut off (FAILOVER_SEEDS=n)
# make fuzz               parsers, kernel and router with 50 times the examples (FUZZ_TIMES=n)
# make image              a container image, with the first of docker, podman and buildah that is there

PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench bench-relay bench-buy soak soak-failover fuzz image lint debian clean

demo: .make/run
	@$(BIN)/vendue demo --port $(PORT)

test: debian .make/dev
	@./scripts/tests.sh

check: .make/dev lint
	@./scripts/page-tests.sh
	$(BIN)/pytest -q -m "not slow" tests/unit tests/property

bench-relay: .make/dev
	./scripts/bench-debian.sh
	$(BIN)/python bench/relay.py --peers
	$(BIN)/python bench/relay.py --most

bench-buy: .make/dev
	./scripts/bench-debian.sh
	$(BIN)/python bench/buy.py
	$(BIN)/python bench/crowd.py
	$(BIN)/python bench/shop.py

bench: .make/dev
	$(BIN)/python -m bench

soak: SOAK_PURCHASES ?= 1000000
soak: .make/dev
	SOAK_PURCHASES=$(SOAK_PURCHASES) $(BIN)/pytest -s tests/soak

soak-failover: FAILOVER_SEEDS ?= 20
soak-failover: .make/dev
	FAILOVER_SEEDS=$(FAILOVER_SEEDS) $(BIN)/pytest -s tests/integration/test_failover.py tests/integration/test_cluster.py

fuzz: FUZZ_TIMES ?= 50
fuzz: .make/dev
	FUZZ_TIMES=$(FUZZ_TIMES) $(BIN)/pytest tests/fuzz tests/unit/test_kernel_native.py tests/property/test_router_numbers.py

image:
	./scripts/image.sh

lint: .make/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	./scripts/with-node.sh $(BIN)/pyright

debian:
	@./scripts/debian.sh $(PYTHON)

clean:
	rm -rf $(VENV) .make build dist *.egg-info

# What decides what is installed; the C files are the optional fan-out kernel.
SOURCES := pyproject.toml constraints.txt $(wildcard setup.py media/kernel/*.c media/kernel/*.h)

# What it takes to run: the virtual environment with the package itself.
.make/run: $(SOURCES) | $(VENV)
	@echo "installing into $(VENV)"
	@$(BIN)/pip install -q -c constraints.txt -e .
	@./scripts/kernel-note.sh $(BIN)
	@mkdir -p .make && touch $@

# What it takes to develop, and a browser: Debian's where there is one, else Playwright's own.
.make/dev: $(SOURCES) | $(VENV)
	@echo "installing into $(VENV), with what the tests use"
	@$(BIN)/pip install -q -c constraints.txt -e ".[dev]"
	@./scripts/kernel-note.sh $(BIN)
	@./scripts/browser.sh $(BIN)
	@mkdir -p .make && touch $@ .make/run

$(VENV):
	@./scripts/venv.sh $(PYTHON) $@
