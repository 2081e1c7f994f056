#!/bin/sh
# start.sh PORT UPSTREAM_URL: runs Portkey's gateway on 127.0.0.1:PORT, in the foreground. It ignores UPSTREAM_URL:
# each request names its upstream, with the headers in peer.json.
set -eu

[ $# -eq 2 ] || {
    echo "usage: $0 PORT UPSTREAM_URL" >&2
    exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(cd "$here/../../.." && pwd)/.tools/peers/portkey/node_modules/@portkey-ai/gateway

# A clean environment: no Redis, no proxy, no keys. TRUSTED_CUSTOM_HOSTS: the hosts that a request may name although
# they are not public.
exec env -i PATH="$PATH" HOME="${HOME:-/}" LANG=C.UTF-8 \
    NODE_ENV=production \
    TRUSTED_CUSTOM_HOSTS=127.0.0.1 \
    node --require "$here/loopback.cjs" "$gateway/build/start-server.js" "--port=$1" --headless
