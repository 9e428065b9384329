#!/usr/bin/env bash
# One script, one verb per intent. Each verb does all its own set-up and says what it does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# A certificate bundle to parse costs every node start 40 ms, and plugins inherit our environment. npm keeps it.
EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS-}
unset NODE_EXTRA_CA_CERTS

case $(uname -m) in
  x86_64) NODE_ARCH=x64 BUN_ARCH=x64 ;;
  aarch64) NODE_ARCH=arm64 BUN_ARCH=aarch64 ;;
  *) echo "build.sh: no Node.js and Bun packages for $(uname -m)" >&2 && exit 1 ;;
esac
# The Node of node_modules, by its own path: older npm versions leave it out of .bin.
NODE=$PWD/node_modules/node-linux-$NODE_ARCH/bin/node
BIN=$PWD/dist/bin
# Names under which the one executable is a CNI plugin; it dispatches on its own name.
PLUGINS=(fairlead-bridge fairlead-ipam fairlead-loopback fairlead-macvlan fairlead-portmap fairlead-static)
UNITS=(fairlead-server fairlead-agent)
# The Node.js of node_modules is linked to it.
NODE_PACKAGES=(libatomic1)
# The front is C, and takes the kernel's headers.
BUILD_PACKAGES=(gcc linux-libc-dev)
TEST_PACKAGES=(iproute2 nftables iputils-ping iptables conntrack strace jq procps python3 busybox-static
  containernetworking-plugins containerd runc podman conmon bind9-dnsutils docker.io bash-completion zsh fish man-db libc6-dev)
DEMO_PACKAGES=(iproute2 iputils-ping nftables)
BENCH_PACKAGES=(iproute2 nftables iptables containernetworking-plugins strace time)

say() { # in bold, where somebody sees it
  if [ -t 2 ]; then printf '\033[1m==> %s\033[0m\n' "$*" >&2; else printf '==> %s\n' "$*" >&2; fi
}
die() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}

usage() {
  cat <<'END'
usage: ./build.sh [VERB]

  build       make dist/bin/fairlead and its plugin names (default)
  test        lint, type-check and run every test (root; installs Debian packages)
  model       random histories of attachments, of crashes, restores and reboots, against the invariants
              [--histories N] [--seconds N] [--seed S] [--jobs J] [--without KIND,...] [--history JSON] (root)
  demo        two networks, names, isolation, a published port, history; in namespaces of its own [--verbose] (root)
  bench       measure against the Go reference plugins [--reference DIR] [--json FILE] [--quick] (root)
              with --networks: fairlead network beside Docker 20.10 [--json FILE] [--quick]
              with --leases: an acquire while 150,000 leases are read [--json FILE] [--quick]
  bench dns   measure names against dnsmasq [--seconds N] (root)
  mutate      puts faults into the sources and tells which of them no unit or contract test finds
              [PATHS] only there; [--sample N] only so many of them, chosen at random [--seed S]; [--jobs J]
  lint        formatter, linter, types, layers, import cycles, unused code, protocol definitions
  generate    regenerate lib/rpc/generated from the .proto files
  install     [--cni-bin DIR] [--cni-conf DIR]  default /opt/cni/bin and /etc/cni/net.d (root)
  uninstall   [--cni-bin DIR] [--cni-conf DIR]  takes away what install put there; refuses while something runs (root)
              --force: though something runs, whose daemons it ends
              --purge: and all that was made: links, bridges, firewall tables, settings, leases, configuration
  clean       remove dist and node_modules
END
}

need_root() { [ "$(id -u)" = 0 ] || die "$1: needs root (network namespaces); run: sudo ./build.sh $1"; }

packages() { # installs those of the named Debian packages that are not there
  local missing=() name
  # Elsewhere people bring what these packages hold; what is not there is missed by name when it is needed.
  command -v dpkg-query >/dev/null || return 0
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null)" = "install ok installed" ] || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || die "Debian packages are missing: install ${missing[*]}, or run as root"
  say "apt-get install ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

dependencies() { # npm ci, when the lock file is not what was installed last
  local stamp=node_modules/.fairlead-lock
  command -v npm >/dev/null || die "npm not found: apt-get install nodejs npm"
  packages "${NODE_PACKAGES[@]}"
  cmp -s package-lock.json "$stamp" 2>/dev/null && return
  say "npm ci"
  env ${EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS="$EXTRA_CA_CERTS"} npm ci --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json "$stamp"
}

bun_executable() { # npm leaves it in one place or the other, depending on whether install scripts ran
  local candidate
  for candidate in node_modules/bun/bin/bun.exe "node_modules/@oven/bun-linux-$BUN_ARCH/bin/bun"; do
    if [ -f "$candidate" ] && [ "$(stat -c %s "$candidate")" -gt 1000000 ]; then
      echo "$PWD/$candidate"
      return
    fi
  done
  die "Bun is not in node_modules: rm -rf node_modules and run again"
}

sources_digest() {
  find lib plugins ipam-server agent cli main.ts build.sh tools package-lock.json -type f ! -name '*.test.ts' \
    -print0 | sort -z | xargs -0 sha256sum | sha256sum
}

types() { # the bundler takes a name that is not exported for undefined; the compiler does not
  say "types"
  node_modules/.bin/tsc --noEmit -p . >&2
}

build() {
  dependencies
  if is_built; then
    say "dist/bin/fairlead is up to date"
    return
  fi
  types
  compile
}

is_built() { [ -x "$BIN/fairlead" ] && [ "$(sources_digest)" = "$(cat dist/.digest 2>/dev/null)" ]; }

compile() {
  local digest bun plugin
  digest=$(sources_digest)
  packages "${BUILD_PACKAGES[@]}"
  say "compile dist/bin/fairlead"
  mkdir -p dist "$BIN"
  bun=$(bun_executable)
  "$NODE" --no-warnings tools/harden.ts "$bun" dist/base
  "$bun" build --compile --minify --bytecode --format=esm --splitting --reject-unresolved \
    --no-compile-autoload-dotenv --no-compile-autoload-bunfig --compile-jit-policy=1000 \
    --define "FAIRLEAD_BUILD='${digest%% *}'" --compile-executable-path=dist/base --outfile=dist/fairlead main.ts >&2
  "$NODE" --no-warnings tools/front.ts dist/fairlead "${digest%% *}" >&2
  rm -f dist/base "$BIN"/*
  mv dist/fairlead "$BIN/fairlead"
  for plugin in "${PLUGINS[@]}"; do ln "$BIN/fairlead" "$BIN/$plugin"; done
  # A damaged executable may be the bare runtime: prove that ours answers, and its front.
  "$BIN/fairlead" --version | grep -q '^fairlead ' || die "the executable does not answer"
  CNI_COMMAND=VERSION "$BIN/fairlead-bridge" </dev/null | grep -q supportedVersions || die "its front does not answer"
  echo "$digest" >dist/.digest
  say "built: $(ls "$BIN" | tr '\n' ' ')"
}

lint() {
  dependencies
  types
  rules
}

rules() {
  say "lint: format and rules"
  node_modules/.bin/biome check . >&2
  say "lint: layers and cycles"
  "$NODE" --no-warnings tools/lint-layers.ts >&2
  say "lint: heads and lengths of files, constructors"
  "$NODE" --no-warnings tools/lint-files.ts >&2
  say "lint: files, exports and packages that nothing uses"
  "$NODE" --no-warnings node_modules/knip/bin/knip.js --no-progress >&2
  say "lint: protocol definitions and what is generated from them"
  "$NODE" --no-warnings tools/generate.ts --check >&2
}

generate() {
  dependencies
  say "generate lib/rpc/generated"
  "$NODE" --no-warnings tools/generate.ts
}

run_tests() {
  need_root test
  packages "${TEST_PACKAGES[@]}"
  dependencies
  # Types once for lint and build, and the rest of lint beside the bundler.
  types
  trap wait EXIT # also of a build that fails: nothing is left behind that still speaks
  rules &
  local linting=$!
  if ! is_built; then compile; fi
  wait "$linting"
  say "test"
  jest "$@" || again "$@"
}

jest() { "$NODE" --experimental-ffi --no-warnings node_modules/jest/bin/jest.js "$@"; }

again() { # [ARGUMENT...]: of a whole run what failed, one file at a time: a machine that has too much to do is no fault of ours
  [ $# = 0 ] || return 1
  say "once more, one file at a time: what failed"
  jest --onlyFailures --maxWorkers=1 || return 1
  say "passed the second time; a test that needs one is to be mended (CONTRIBUTING.md, Tests)"
}

model() { # 10,000 histories take an hour
  need_root model
  packages "${TEST_PACKAGES[@]}"
  build
  say "model"
  "$NODE" --experimental-ffi --no-warnings --import ./test/support/register-no-bun-ffi.ts test/model/main.ts "$@"
}

mutate() { # folders or files; by default all that unit and contract tests reach. Goes on where the last run left off
  local globs=() sample='' seed=1 jobs=2
  while [ $# -gt 0 ]; do
    case $1 in
      --sample) sample=$(whole_number "$@"); shift ;;
      --seed) seed=$(whole_number "$@"); shift ;;
      --jobs) jobs=$(whole_number "$@"); shift ;;
      -*) die "mutate: unknown option $1; it takes --sample N, --seed S, --jobs J and paths" ;;
      *) if [ -d "$1" ]; then globs+=("${1%/}/**/*.ts" "!**/*.test.ts"); else globs+=("$1"); fi ;;
    esac
    shift
  done
  dependencies
  say "mutate (all tests once, then some seconds for each fault)"
  FAIRLEAD_MUTATION_SAMPLE=$sample FAIRLEAD_MUTATION_SEED=$seed \
    "$NODE" --no-warnings node_modules/@stryker-mutator/core/bin/stryker.js run stryker.config.mjs \
    --concurrency "$jobs" ${globs[0]:+--mutate "$(IFS=,; echo "${globs[*]}")"}
}

whole_number() { # OPTION [VALUE...]: the value, or an error
  [[ ${2-} =~ ^[1-9][0-9]{0,8}$ ]] || die "$1: expected a whole number from 1 to 999999999, got '${2-}'"
  echo "$2"
}

bench_dns() {
  packages "${BENCH_PACKAGES[@]}" dnsmasq-base
  build
  say "bench dns (two minutes)"
  "$NODE" --no-warnings bench/dns.ts "$@"
}

bench() {
  need_root bench
  if [ "${1-}" = dns ]; then
    shift
    bench_dns "$@"
    return
  fi
  packages "${BENCH_PACKAGES[@]}"
  case " $* " in *" --networks "*) packages docker.io busybox-static tar ;; esac
  build
  say "bench (some minutes; --quick for less)"
  "$NODE" --experimental-ffi --no-warnings --import ./test/support/register-no-bun-ffi.ts bench/main.ts "$@"
}

demo() {
  need_root demo
  case "$*" in '' | --verbose) ;; *) die "demo: unknown option $*; it takes --verbose, or nothing" ;; esac
  announce_downloads
  packages "${DEMO_PACKAGES[@]}"
  build
  "$NODE" --no-warnings tools/demo.ts "$BIN" "$@"
}

announce_downloads() { # measured on a bare machine, on a line of some 100 Mbit/s
  cmp -s package-lock.json node_modules/.fairlead-lock && [ -x "$BIN/fairlead" ] && return
  say "the first time this fetches some 450 MB (npm and Debian packages), takes a minute or two, and needs 1 GB of disk"
  say "all of it stays in node_modules and dist; ./build.sh clean removes both"
}

# shellcheck source=tools/install.sh
. tools/install.sh

no_arguments() { # VERB [ARGUMENT...]: refuses what it would pass over
  [ $# = 1 ] || die "$1: takes no arguments, and was given: ${*:2}"
}

verb=${1:-build}
[ $# -gt 0 ] && shift
case $verb in
  build | lint | generate | clean | help | -h | --help) no_arguments "$verb" "$@" ;;
esac
case $verb in
  build) build ;;
  test) run_tests "$@" ;;
  mutate) mutate "$@" ;;
  model) model "$@" ;;
  demo) demo "$@" ;;
  bench) bench "$@" ;;
  lint) lint ;;
  generate) generate ;;
  install) install_files "$@" ;;
  uninstall) uninstall "$@" ;;
  clean) rm -rf dist node_modules ;;
  help | -h | --help) usage ;;
  *) usage >&2 && exit 2 ;;
esac
