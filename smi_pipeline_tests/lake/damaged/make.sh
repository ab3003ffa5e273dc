#!/usr/bin/env bash
# Makes lake.tar.gz: a lake whose bounds smi_pipeline 0.1.0 (commit cdc521a) has lost, and a month published from it wrongly.
#
#     make.sh CHECKOUT    a clone at that commit, after `make setup` in it
#
# Synthetic: April of the sample data set. `forget --purge` of 0.1.0 set the bounds of every text in the catalog to null.
# The next commit to a table brought its own: a collection of X alone, after which raw.collection_log.platform was 'x' to
# 'x', and no read for Facebook, Instagram or YouTube found a collection.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cd "$1"
lake="$(mktemp -d)/lake"
sample=smi_pipeline_tests/sample
smi() { .venv/bin/smi --lake "$lake" "$@" >/dev/null; }
smi backfill 2025-04 2025-04 --sandbox "$sample"
smi lake forget facebook sbx_xian --reason "the account was closed" --purge
smi collect 2025-05 --platform x --sandbox "$sample"
smi run 2025-04
smi publish 2025-04
# what is not needed to read the lake: pages, history of runs; and the catalog's log goes into the catalog
.venv/bin/python - "$lake" <<'PYTHON'
import sqlite3, sys
catalog = sqlite3.connect(f"{sys.argv[1]}/catalog.sqlite")
catalog.execute("pragma wal_checkpoint(truncate)")
catalog.execute("pragma journal_mode = delete")
catalog.execute("vacuum")
PYTHON
tar --sort=name --owner=0 --group=0 -C "$lake" -czf "$here/lake.tar.gz" catalog.sqlite tables
