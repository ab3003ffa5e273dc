#!/usr/bin/env bash
# Makes lake.tar.gz: a lake whose bounds smi_pipeline 0.1.0 (commit cdc521a) has lost, and a month published from it wrongly.
#
#     make.sh CHECKOUT    a clone at that commit, after `make setup` in it
#
# Synthetic: April of the sample data set, of which Facebook refuses the field of shares. `forget --purge` of 0.1.0 set the
# bounds of every text in the catalog to null, and the next commit to a table brought its own: a collection of X, after
# which raw.collection_account.platform was 'x' to 'x', and what looked for Facebook there found nothing. So its shares,
# which nobody was told, were published as 0.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cd "$1"
lake="$(mktemp -d)/lake"
sample=smi_pipeline_tests/sample
smi() { .venv/bin/smi --lake "$lake" "$@" >/dev/null; }
port=8751
echo '{"faults": [{"platform": "facebook", "do": "reject_field", "field": "shares"}]}' > "$lake.faults"
.venv/bin/smi sandbox serve --dataset "$sample" --port $port --faults "$lake.faults" --now 2025-05-10T06:00:00+08:00 &
trap 'kill %1' EXIT
until curl -s -o /dev/null http://127.0.0.1:$port/_sandbox/health; do sleep 1; done
SMI_FACEBOOK_BASE_URL=http://127.0.0.1:$port SMI_FACEBOOK_TOKEN=sandbox SMI_REGISTRY="$sample/registry" \
    smi collect 2025-04 --platform facebook
smi collect 2025-04 --sandbox "$sample" --platform instagram --platform youtube --platform tiktok
smi lake forget youtube sbx_xian --reason "the account was closed" --purge
smi collect 2025-04 --sandbox "$sample" --platform x
SMI_LAKE="$lake" SMI_REGISTRY="$sample/registry" .venv/bin/python -c "
from smi_pipeline.launch import Launcher
from smi_pipeline.months import Month
print(Launcher.on_this_host().derive([Month.parse('2025-04')], 'report', on_step=lambda step: None).failures)
"
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
