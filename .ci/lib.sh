# Parts of a run, timed; what is skipped is never silent, and nothing here is.
started=$SECONDS
summary_lines=()

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

rust_is_there() {
  if ! command -v cargo >/dev/null; then
    echo "no cargo on PATH: install Rust 1.89 or newer with rustup" >&2
    return 3
  fi
  cargo --version && cargo clippy --version && cargo fmt --version
}

# A crate that must not be in the tree.
no_crate() {
  if cargo tree --locked -i "$1" >/dev/null 2>&1; then
    cargo tree --locked -i "$1"
    echo "$1 must not be in the tree" >&2
    return 1
  fi
  echo "$1 is not in the tree"
}
