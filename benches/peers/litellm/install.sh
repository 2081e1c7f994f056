#!/bin/sh
# Installs LiteLLM's proxy into .tools/peers/litellm, at the version in peer.json and with the packages that
# constraints.txt pins. Does nothing if it is installed already.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../../.." && pwd)/.tools/peers/litellm
version=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$here/peer.json")
wanted="litellm[proxy]==$version $(cksum <"$here/constraints.txt")"

if [ "$(cat "$target/.installed" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' && python3 -m pip --version >/dev/null || {
    echo 'LiteLLM needs Python 3.11 or later, with pip' >&2
    exit 1
}
# Install in a temporary folder and then move it, so that an interrupted installation is never taken for a complete
# one.
rm -rf "$target.new"
mkdir -p "$target.new"
PIP_REQUIRE_VIRTUALENV=0 PIP_USER=0 PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet \
    --disable-pip-version-check --no-warn-script-location --no-warn-conflicts --only-binary :all: \
    --target "$target.new" --constraint "$here/constraints.txt" "litellm[proxy]==$version"
echo "$wanted" >"$target.new/.installed"
rm -rf "$target"
mv "$target.new" "$target"
