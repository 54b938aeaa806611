PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
QUIET := LSTM_MNIST_PROGRESS=0

help: ## list these commands
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 12

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

lab: $(VENV)/installed ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb

test: $(VENV)/installed ## run all tests and check every notebook against its stored outputs
	$(BIN)/python -m pytest --nbval

notebooks: $(VENV)/installed ## run all notebooks and store their outputs
	$(QUIET) $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.timeout=1200 notebooks/*.ipynb

timings: $(VENV)/installed ## measure each notebook's minutes and memory, for README and the notebooks' heads
	$(QUIET) $(BIN)/python -m lstm_mnist timings

weights: $(VENV)/installed ## train the shipped weights anew, over five seeds (about 15 minutes)
	$(QUIET) $(BIN)/python -m lstm_mnist weights 2019

.PHONY: help lab test notebooks timings weights
