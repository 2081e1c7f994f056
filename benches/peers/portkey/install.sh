#!/bin/sh
# Installs Portkey's gateway, at the version that peer.json names and on the web server's versions that are pinned
# here, into .tools/peers/portkey. Does nothing if it is there. With a later @hono/node-server, which is what
# npm takes on its own, the gateway answers each streamed request with 500: its issue 1389.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../../.." && pwd)/.tools/peers/portkey
version=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$here/peer.json")
wanted="@portkey-ai/gateway@$version hono@4.13.19 @hono/node-server@1.14.1 @hono/node-ws@1.2.0"

if [ "$(cat "$target/.installed" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
node -e 'process.exit(+(process.versions.node.split(".")[0] < 18))' && command -v npm >/dev/null || {
    echo 'Portkey needs Node.js 18 or later, with npm' >&2
    exit 1
}
# Beside, and then moved, so that an interrupted installation is not taken for a whole one.
rm -rf "$target.new"
mkdir -p "$target.new"
# A manifest of its own, or npm would write into the one of a folder above.
echo '{"private": true}' >"$target.new/package.json"
# Unquoted: each is an argument. The package's only script patches its own development tree.
npm install --prefix "$target.new" --loglevel=error --no-save --no-package-lock --no-audit --no-fund --omit=dev \
    --ignore-scripts --no-update-notifier $wanted >/dev/null
# npm's own lock, with the addresses that it fetched from.
rm -f "$target.new/node_modules/.package-lock.json"
echo "$wanted" >"$target.new/.installed"
rm -rf "$target"
mv "$target.new" "$target"
