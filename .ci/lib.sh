# Parts of a run, timed; what is skipped is never silent, and nothing here is.
started=$SECONDS
summary_lines=()
# What tests leave to be shown in the end: cargo does not show what those print that pass.
told=${CARGO_TARGET_DIR:-target}/tmp/told
rm -rf "$told"

part() {
  local name=$1 began=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  if "$@"; then
    summary_lines+=("$(printf '%5ds  ok      %s' $((SECONDS - began)) "$name")")
  else
    local code=$?
    summary_lines+=("$(printf '%5ds  FAILED  %s (exit %d)' $((SECONDS - began)) "$name" "$code")")
    summary
    exit "$code"
  fi
}

summary() {
  local file
  for file in "$told"/*.txt; do
    [ -e "$file" ] || continue
    printf '\n== %s\n' "$(basename "$file" .txt)"
    cat "$file"
  done
  printf '\n== parts\n'
  printf '%s\n' "${summary_lines[@]}"
  printf '%5ds  in all\n' $((SECONDS - started))
}

# Debian packages, only those that are missing.
install_debian() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    echo "all there: $*"
    return
  fi
  echo "installing: ${missing[*]}"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# Every tool that is needed and that Debian's packages do not bring, or not new enough: looked for before anything long is
# run, and all that lack are named at once.
tools_are_there() {
  local lacking=0 rust go
  rust=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml)
  go=$(sed -n 's/^go \([0-9.]*\)$/\1/p' tests/real/controlplane/go.mod)
  needs cargo "$rust" "rustup, from https://rustup.rs" cargo --version
  needs clippy 0 "rustup component add clippy" cargo clippy --version
  needs rustfmt 0 "rustup component add rustfmt" cargo fmt --version
  needs go "$go" "https://go.dev/dl or your package manager; Debian's golang-go is too old" \
    env GOTOOLCHAIN=local go version
  needs node 20 "your package manager, or https://nodejs.org" node --version
  needs npm 0 "your package manager: it comes with Node.js" npm --version
  needs kubectl 0 "https://kubernetes.io/docs/tasks/tools" kubectl version --client
  [ "$lacking" -eq 0 ] || return 3
}

# One of them: NAME, the least version (0: any), how it is got, and what prints its version. Counts in `lacking`.
needs() {
  local name=$1 least=$2 how=$3 said have
  shift 3
  said=$("$@" 2>/dev/null) || said=
  have=$(grep -om 1 '[0-9][0-9]*\.[0-9][0-9.]*' <<<"$said" | head -n 1) || have=
  if [ -n "$have" ] && [ "$(printf '%s\n' "$least" "$have" | sort -V | head -n 1)" = "$least" ]; then
    echo "$name $have"
    return
  fi
  lacking=$((lacking + 1))
  if [ "$least" != 0 ]; then
    name="$name $least or newer"
  fi
  echo "lacking: $name (${have:-not found}): $how" >&2
}

# A crate that must not be in the tree, on any platform.
no_crate() {
  local code=0
  grep -qxF "name = \"$1\"" Cargo.lock || code=$?
  case $code in
    1) echo "$1 is not in the tree" ;;
    0)
      echo "$1 must not be in the tree" >&2
      cargo tree --locked -i "$1"
      return 1
      ;;
    *) return "$code" ;;
  esac
}

# Runs tests that are chosen by name. None is no success: a name may have changed.
some_pass() {
  local said code=0
  said=$(mktemp) || return
  "$@" | tee "$said" || code=${PIPESTATUS[0]}
  if [ "$code" -eq 0 ] && ! grep -q '^test result: ok\. [1-9]' "$said"; then
    echo "no test has that name any more: $*" >&2
    code=4
  fi
  rm -f "$said"
  return "$code"
}
