#!/bin/sh
# start.sh PORT UPSTREAM_URL: runs LiteLLM's proxy on 127.0.0.1:PORT, in the foreground.
set -eu

[ $# -eq 2 ] || {
    echo "usage: $0 PORT UPSTREAM_URL" >&2
    exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../../.." && pwd)/.tools/peers/litellm

# About a hundred variables configure LiteLLM, so it gets a clean environment: no database, no Redis, no proxy.
# LITELLM_LOCAL_*: use the copies in the package instead of fetching them.
exec env -i PATH="$PATH" HOME="${HOME:-/}" LANG=C.UTF-8 PYTHONPATH="$target" \
    UPSTREAM_URL="$2" \
    LITELLM_MODE=PRODUCTION \
    LITELLM_LOG=ERROR \
    LITELLM_LOCAL_MODEL_COST_MAP=true \
    LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS=true \
    LITELLM_LOCAL_AUTOROUTER_PRESETS=true \
    LITELLM_LOCAL_BLOG_POSTS=true \
    LITELLM_LOCAL_POLICY_TEMPLATES=true \
    python3 "$target/bin/litellm" --config "$here/config.yaml" --host 127.0.0.1 --port "$1" --num_workers 1
