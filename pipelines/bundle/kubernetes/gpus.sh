#!/bin/sh
# Tells Spark which GPUs an executor has: their indexes, as JSON.
set -eu
found=$(nvidia-smi --query-gpu=index --format=csv,noheader)
list=""
for index in $found; do
    list="${list:+$list, }\"$index\""
done
printf '{"name": "gpu", "addresses": [%s]}\n' "$list"
