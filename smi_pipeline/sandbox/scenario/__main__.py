"""`python -m smi_pipeline.sandbox.scenario DIR [--seed N]`: write the scenario as a data set directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from smi_pipeline.sandbox.scenario.write import SEED, write_scenario

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m smi_pipeline.sandbox.scenario")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    write_scenario(given.directory, given.seed)
