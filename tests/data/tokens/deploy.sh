#!/usr/bin/env bash
# Builds an image, pushes it, and waits until all of its pods are ready.
set -euo pipefail

readonly REGISTRY="${REGISTRY:-registry.example.com/team}"
readonly NAMESPACE="${NAMESPACE:-staging}"
VERSION=""

usage() {
  cat <<EOF
Usage: $(basename "$0") [-v VERSION] [-n NAMESPACE] SERVICE...
  -v  version to deploy (default: the current commit)
EOF
}

log() { printf '%s %s\n' "$(date -u +%FT%TZ)" "$*" >&2; }
die() { log "error: $*"; exit 1; }

while getopts ':v:n:h' option; do
  case "$option" in
    v) VERSION=$OPTARG ;;
    h) usage; exit 0 ;;
    :) die "option -$OPTARG needs an argument" ;;
    *) usage >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[[ $# -gt 0 ]] || { usage >&2; exit 2; }
: "${VERSION:=$(git rev-parse --short=12 HEAD)}"

for service in "$@"; do
  image="$REGISTRY/$service:$VERSION"
  if ! docker manifest inspect "$image" >/dev/null 2>&1; then
    log "building $image"
    docker build --pull -t "$image" -f "services/$service/Dockerfile" . | tee "/tmp/$service.log"
    docker push "$image"
  fi
  kubectl -n "$NAMESPACE" set image "deployment/$service" "app=$image"
  if ! kubectl -n "$NAMESPACE" rollout status "deployment/$service" --timeout=300s; then
    kubectl -n "$NAMESPACE" get pods -l "app=$service" -o jsonpath='{range .items[*]}{.metadata.name}{"\t"}{.status.phase}{"\n"}{end}'
    kubectl -n "$NAMESPACE" rollout undo "deployment/$service"
    die "$service did not become ready; rolled back"
  fi
  log "deployed $image ($(kubectl -n "$NAMESPACE" get deploy "$service" -o json | jq '.status.readyReplicas') pods)"
done
