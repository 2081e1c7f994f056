#!/bin/sh
# Installs Portkey's gateway into .tools/peers/portkey, at the version in peer.json and with the versions of its web
# server that are pinned here. Does nothing if it is installed already. With a later @hono/node-server, which npm
# would choose by itself, the gateway answers every streamed request with 500: see its issue 1389.
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
# Install in a temporary folder and then move it, so that an interrupted installation is never taken for a complete
# one.
rm -rf "$target.new"
mkdir -p "$target.new"
# Without its own manifest, npm would write into the manifest of a parent folder.
echo '{"private": true}' >"$target.new/package.json"
# Unquoted, because each word is an argument. The package's only script patches its own development tree.
npm install --prefix "$target.new" --loglevel=error --no-save --no-package-lock --no-audit --no-fund --omit=dev \
    --ignore-scripts --no-update-notifier $wanted >/dev/null
# npm's own lock, which contains the addresses that it fetched from.
rm -f "$target.new/node_modules/.package-lock.json"
echo "$wanted" >"$target.new/.installed"
rm -rf "$target"
mv "$target.new" "$target"
