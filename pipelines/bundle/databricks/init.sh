#!/bin/bash
# Runs on every machine of a cluster before Spark starts: installs the wheels of a volume, and nothing else.
# RINGLAKE_WHEELS is the folder that has them with requirements.txt; the cluster's definition sets it.
set -euo pipefail

python=${RINGLAKE_PYTHON:-/databricks/python/bin/python}
: "${RINGLAKE_WHEELS:?set it in spark_env_vars to the folder of the wheels in a volume}"

if [ ! -r "$RINGLAKE_WHEELS/requirements.txt" ]; then
    echo "ringlake: no requirements.txt in $RINGLAKE_WHEELS; copy the bundle's folder volume/ there" >&2
    exit 1
fi

# No index and no dependencies: what the list does not name with its hash is not installed.
"$python" -m pip install --quiet --no-index --no-deps --no-cache-dir --disable-pip-version-check \
    --only-binary :all: --require-hashes --find-links "$RINGLAKE_WHEELS" \
    --requirement "$RINGLAKE_WHEELS/requirements.txt"

"$python" -c 'import ringlake; from pipelines.bundle.databricks.installed import main; main()'
