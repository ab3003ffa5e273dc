"""An edition is the same to the last bit however many threads work on it."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from smi import PROJECT, environment

from smi_pipeline.index.assessment import assess

HERE = Path(__file__).parent
FOUR = ("facebook", "x", "instagram", "youtube")
FRAMES = ("indicator_score", "platform_index", "platform_weight", "composite", "contribution", "score_change")
ASSESSED = ("rank_interval", "sensitivity", "indicator_audit", "indicator_correlation", "group_audit")


def digests(world) -> dict[str, str]:
    """SHA-256 of every frame of May, from a crowd of which no two cities are alike and some lack something."""
    for number in range(60):
        on = FOUR[: 1 + number % 4]
        world.city(f"c{number:02}", *on)
        for place, platform in enumerate(on):
            for month, more in (("2025-04", 0), ("2025-05", number % 7)):
                if (number + place) % 13:
                    world.fill(month, platform, f"c{number:02}", level=3 + number + 2 * place + more)
    made = world.edition("2025-05")
    told = assess(made, experts=None)
    frames = [(name, getattr(made, name)) for name in FRAMES] + [(name, getattr(told, name)) for name in ASSESSED]
    return {name: hashlib.sha256(frame.write_json().encode()).hexdigest() for name, frame in frames}


def in_a_process(threads: int) -> dict[str, str]:
    code = (
        "import json; from conftest import World; from test_index_threads import digests;"
        "from smi_pipeline.index.method import load_method; print(json.dumps(digests(World(load_method('m1')))))"
    )
    settings = dict.fromkeys(("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(threads))
    path = f"{HERE}:{HERE.parent}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(PYTHONPATH=path, **settings),
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_one_thread_and_two_give_the_same_edition():
    one, two = in_a_process(1), in_a_process(2)
    assert len(one) == len(FRAMES) + len(ASSESSED)
    assert one == two
