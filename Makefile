PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
QUIET := LSTM_MNIST_PROGRESS=0
OF_TESTS := PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(BIN)/python -m of_tests

help: ## list these commands
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 12

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

lab: $(VENV)/installed ## open the notebooks in JupyterLab, with the whole repository beside them
	$(BIN)/jupyter lab --ServerApp.root_dir=. notebooks/00_start_here.ipynb

test: $(VENV)/installed ## run all tests and check every notebook against its stored outputs
	$(BIN)/python -m pytest --nbval

notebooks: $(VENV)/installed ## run all notebooks and store their outputs
	$(QUIET) $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False \
		--ExecutePreprocessor.timeout=1200 notebooks/*.ipynb notebooks/solutions/*.ipynb

timings: $(VENV)/installed ## measure each notebook's minutes and memory, for README and the notebooks' heads
	$(QUIET) $(BIN)/python -m lstm_mnist timings --keep

RECIPES := 2019 quick quickest every_row best_every_row falling longer_falling scheduled distorted lstm_128 rnn_128 rnn_same_parameters open_i open_f open_o \
	one_tanh relu no_forget_bias dropout recurrent_dropout \
	logistic_regression mlp rnn gru two_layers bidirectional four_ways convolutional columns rows_and_columns patches shuffled_rows units_32 units_512 softmax_twice pixels rnn_pixels pixels_shuffled rnn_pixels_shuffled best_4000 best_8000 best_24000 best_48000 best_96000 sturdy \
	averaged_4000 larger_late_4000 smoothed_4000 dropped_4000 stronger_4000 stronger_12000 helped_4000 taught_4000 \
	setting_6_4000 setting_11_4000 setting_13_4000 best_two_layers best_bidirectional
weights: $(VENV)/installed ## train the shipped weights and the ledger's other runs anew (hours)
	for run in $(RECIPES) "best --together" "best_48000 --together" "renet --seeds 0 1 2 --together" "renet_12000 --seeds 0 1 2 --together"; do \
		$(QUIET) $(BIN)/python -m lstm_mnist weights $$run --keep || exit 1; done

figures: $(VENV)/installed ## remake the pictures in figures/ (the pad's need Chromium)
	$(BIN)/python -m lstm_mnist figures --keep
	FIGURES_FOLDER=$(CURDIR)/figures $(BIN)/python -m pytest -q tests/test_browser.py -k picture

bench: $(VENV)/installed ## time steps and whole trainings in the 2019 graph, Keras, PyTorch (if installed) and here (half an hour)
	$(BIN)/python -m lstm_mnist bench --keep

mutants: $(VENV)/installed ## break the package in the ways of tests/of_tests/mutants.toml: which tests and notebooks notice? (hours)
	$(OF_TESTS).mutants

faults: $(VENV)/installed ## kill training 20 times, flip 200 bits of the data: the long form of tests/test_faults.py
	LONG_TESTS=1 $(BIN)/python -m pytest -q tests/test_faults.py tests/test_properties.py

oldest: ## install the oldest versions that pyproject.toml allows into .venv_oldest, and run the suite there
	$(PYTHON) -m venv .venv_oldest
	.venv_oldest/bin/pip install --quiet uv
	.venv_oldest/bin/uv pip compile --quiet --python .venv_oldest/bin/python --resolution lowest-direct pyproject.toml \
		--output-file .venv_oldest/oldest.txt
	.venv_oldest/bin/pip install --quiet --editable '.[test]' --constraint .venv_oldest/oldest.txt
	.venv_oldest/bin/python -m pytest --nbval

noise: $(VENV)/installed ## run the suite as another machine would: other arithmetic, fewer threads, another order (about two hours)
	$(OF_TESTS).noise

places: $(VENV)/installed ## run some of it in odd folders, read-only, without network, from a wheel (some minutes)
	$(OF_TESTS).places

N := 2
workers: $(VENV)/installed ## train on N=2 worker processes of this machine, and check that the result is that of one
	$(QUIET) $(BIN)/python -m lstm_mnist workers --count $(N)

page: $(VENV)/installed ## write the drawing pad as one HTML file, figures/pad.html, and open it
	$(BIN)/python -m lstm_mnist page --keep --open

.PHONY: help lab test notebooks timings weights figures bench mutants faults oldest noise places workers page
