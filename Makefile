# Two commands do everything:  make demo   and   make test
#
#   make demo DRIVE=path/to/images_or_video_or_bag    one's own drive
#   make demo DURATION=60 MODEL=my.tflite
#   make models CAMVID=path/to/camvid START=nanodet_m.bin    the shipped models again
#   make figures                                      docs/masks.png and docs/scores.png
#   make tables                                       docs/tables.md: every system, measured here; an hour or more
#   make parameters                                   docs/parameters.md and config/*.yaml again
#   make test-arm64 CAMVID=path/to/camvid             the runtime as on an ARM board, under qemu
#   make test TESTS="test/test_segmenter.py -k size"  some of the tests
#
# Where a ROS 2 is sourced, its rclpy is used; elsewhere ROS 2 comes as Python wheels (x86-64).

PYTHON ?= python3
VENV ?= .venv
DRIVE ?=
MODEL ?=
DURATION ?= 20
OUTPUT ?= demo_out
TESTS ?= test
CAMVID ?=
START ?=
UNDO ?= 0.25

BIN := $(VENV)/bin
# Sourcing a ROS 2 sets ROS_DISTRO.
SYSTEM_ROS := $(shell test -n "$$ROS_DISTRO" && \
  $(PYTHON) -c "import rclpy, sensor_msgs, diagnostic_msgs" 2>/dev/null && echo yes)
ifeq ($(SYSTEM_ROS),yes)
  VENV_OPTIONS := --system-site-packages
  ROS_EXTRA :=
  # ROS 2's binaries are built for the system's numpy 1, which the pinned versions are not.
  ROS_NUMPY := "numpy>=1.23.2,<2"
else
  VENV_OPTIONS :=
  ROS_EXTRA := ros,
  ROS_NUMPY :=
endif
# Versions are held by constraints.txt, so that the same tree installs the same tomorrow.
CONSTRAINTS := $(VENV)/constraints.txt
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)

.PHONY: demo test test-arm64 lint figures tables models parameters setup setup-dev constraints clean

demo: setup
	$(BIN)/shuffleseg demo --drive "$(DRIVE)" --model "$(MODEL)" --seconds $(DURATION) --output "$(OUTPUT)"

test: setup-dev lint
	PYTHONSAFEPATH=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

# The runtime and the shipped models on aarch64, under qemu, beside this machine; some minutes.
test-arm64: setup
	bash test/arm64/prepare.sh .arm64 "$(abspath $(BIN)/python)" "$(CURDIR)"
	$(BIN)/python test/arm64/compare.py .arm64 $(if $(CAMVID),"$(CAMVID)/val/images")

# From the nodes' declarations; a test holds them equal.
parameters: setup
	$(BIN)/python -m shuffleseg_ros.parameter_docs

lint: setup-dev
	$(BIN)/python -m ruff check

# The shipped models again: from NanoDet-m's backbone (docs/starting_weights.md), on CamVid and the
# procedural street: some two hours on two threads of an AMD EPYC with AVX-512. Interrupted, the
# training goes on. Results lie in
# runs/shipped; those that ship were copied to shuffleseg_core/shipped and evaluated there by name.
models:
	@test -d "$(CAMVID)" || { echo "make models CAMVID=DIR START=nanodet_m.bin: give the folder of CamVid (docs/data_sets.md)"; exit 2; }
	@test -f "$(START)" || { echo "make models CAMVID=DIR START=nanodet_m.bin: give NanoDet-m's weights (docs/starting_weights.md)"; exit 2; }
	@$(MAKE) --no-print-directory setup-dev
	$(BIN)/shuffleseg train camvid --root "$(CAMVID)" --start "$(START)" --output runs/shipped/stages
	$(BIN)/shuffleseg train street_open --start "$(START)" --output runs/shipped/street
	rm -rf build/street_calibration
	$(BIN)/shuffleseg draw-drive --output build/street_calibration --seeds 1000-1009 --frames 6
	set -e; for model in camvid_fast camvid_accurate street_open; do out=runs/shipped/$$model; \
	  run=$$out; \
	  case $$model in \
	    street_open) run=runs/shipped/street/full; calibration=build/street_calibration/test/images;; \
	    *) calibration="$(CAMVID)/train/images"; rm -rf $$run; \
	      case $$model in camvid_fast) stage=fast_full;; *) stage=accurate;; esac; \
	      $(BIN)/shuffleseg rebalance runs/shipped/stages/$$stage --undo $(UNDO) --output $$run;; \
	  esac; \
	  $(BIN)/shuffleseg export $$run --output $$out.tflite; \
	  $(BIN)/shuffleseg export $$run --output $${out}_int8.tflite --int8 "$$calibration" \
	    --calibration-frames 30; \
	  $(BIN)/shuffleseg compare-labels $$run $$out.tflite --root "$(CAMVID)" --split val --at-least 99.99; \
	  for kind in "" _int8; do \
	    $(BIN)/shuffleseg evaluate $$out$$kind.tflite --root "$(CAMVID)" --split val \
	      --json $$out$$kind.val.json; \
	  done; \
	done

# The pictures of the shipped models: on drives of the procedural street that none has trained
# on, and the scores on CamVid's val that lie beside the models.
figures: setup-dev
	rm -rf build/street
	$(BIN)/shuffleseg draw-drive --output build/street --seeds 0-3 --frames 2
	$(BIN)/shuffleseg compare-masks --root build/street --split test --model camvid_fast \
	  --model camvid_accurate --model street_open --frames 0001_000,0003_000 --output docs/masks.png
	$(BIN)/shuffleseg compare-scores $(foreach model,camvid_fast camvid_accurate street_open,\
	  $(model)=shuffleseg_core/shipped/$(model).val.json) --title "CamVid val (camvid_* trained on it)" --output docs/scores.png

# The paper's tables 2 and 5 for all systems, in one run. Interrupted, it goes on with the exported files.
tables: setup-dev
	$(BIN)/shuffleseg tables --work build/tables --output docs/tables $(if $(CAMVID),--source "$(CAMVID)/val/images")

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

$(VENV)/.installed: setup.py constraints.txt $(wildcard shuffleseg_core/native/*.c training/native/*.c)
	@echo "Setting up $(VENV) (a minute or two; once)"
	@$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))" || \
	  { echo "$(PYTHON) is not Python 3.10 to 3.13; give another: make demo PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV_OPTIONS) $(VENV)
ifeq ($(SYSTEM_ROS),yes)
	echo $(ROS_NUMPY) > $(CONSTRAINTS)
else
	cp constraints.txt $(CONSTRAINTS)
endif
	$(INSTALL) setuptools wheel
	$(INSTALL) --no-build-isolation -e ".[$(ROS_EXTRA)demo]"
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Adding what training and tests need (TensorFlow; some minutes; once)"
	$(INSTALL) --no-build-isolation -e ".[$(ROS_EXTRA)demo,view,benchmark,train,train-jax,dev]"
	@touch $@

# After changing requirements in setup.py. (backports.strenum 1.3 refuses Python 3.11 and later,
# which LiteRT needs it on, and typing 3.10, which cityscapesscripts asks for, every Python of today;
# the resolver does not look at such upper bounds.)
constraints: setup-dev
	$(INSTALL) uv
	printf "backports-strenum<1.3\ntyping<3.10\n" | $(BIN)/uv pip compile --universal --python-version 3.10 setup.py \
	  --all-extras -c - --no-annotate --no-header --quiet --upgrade -o constraints.txt

clean:
	rm -rf $(VENV) .arm64 build dist *.egg-info demo_out
