# What .ci/run and .ci/long share: parts that are timed, and a table of them at the end, also of a run that fails.

# Prints a command, runs it, and notes under NAME how long it took. A failure ends the script, after the table.
part() {
    local name=$1 begun=$SECONDS
    shift
    printf '\n==> %s\n' "$*"
    NOW=$name NOW_BEGUN=$begun
    "$@"
    NOW=''
    note "$name" $((SECONDS - begun))
}

# As part, for a command that runs tests with cargo: each test program gets a row of its own.
tests() {
    local name=$1 begun=$SECONDS log status=0
    shift
    log=$(mktemp)
    printf '\n==> %s\n' "$*"
    CARGO_TERM_COLOR=never "$@" 2>&1 | tee "$log" || status=$?
    note "$name" $((SECONDS - begun)) "$( ((status == 0)) || printf 'FAILED')"
    note_test_programs "$log"
    rm -f "$log"
    ((status == 0)) || exit 1
}

# Builds what builds the control plane, and starts it in the background: it is Go's work, and cargo goes on meanwhile.
tools_begin() {
    part 'build of control-plane-tools' cargo build --locked -p aksarc-tests --bin control-plane-tools
    TOOLS_LOG=$(mktemp)
    # In a process group of its own, so that all of it ends when a check fails meanwhile.
    set -m
    (
        trap - EXIT
        exec cargo run --quiet --locked -p aksarc-tests --bin control-plane-tools -- "$@"
    ) >"$TOOLS_LOG" 2>&1 &
    TOOLS=$!
    set +m
}

# Waits for it. Its failure ends the script, with what it printed.
tools_end() {
    local begun=$SECONDS status=0
    printf '\n==> waiting for the programs of the control plane\n'
    wait "$TOOLS" || status=$?
    TOOLS=''
    cat "$TOOLS_LOG"
    note 'wait for the control plane' $((SECONDS - begun)) "$( ((status == 0)) || printf 'FAILED')"
    note_tools
    ((status == 0)) || exit 1
}

# Says all that is missing at once.
require_tools() {
    local missing=()
    command -v cargo >/dev/null || missing+=("cargo: install Rust with rustup (https://rustup.rs); rust-toolchain.toml names the version")
    if command -v cargo >/dev/null; then
        cargo fmt --version >/dev/null 2>&1 || missing+=("rustfmt: rustup component add rustfmt")
        cargo clippy --version >/dev/null 2>&1 || missing+=("clippy: rustup component add clippy")
    fi
    command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null \
        || missing+=("a C compiler, which the ring crate needs: install gcc or clang")
    command -v go >/dev/null \
        || missing+=("go: install Go 1.26 or newer (https://go.dev/dl); the end-to-end tests build their control plane with it")
    command -v git >/dev/null \
        || missing+=("git: install it (https://git-scm.com); a test copies what it tracks, and runs README's commands there")
    provide chromium chromium fonts-liberation
    provide npm nodejs npm
    provide faketime faketime
    command -v chromium >/dev/null || [[ -n ${CHROMIUM:-} ]] \
        || missing+=("Chromium: apt-get install chromium, or set CHROMIUM to the program; a test looks at the HTML report with it")
    command -v npm >/dev/null \
        || missing+=("npm: install Node.js 20 or newer with npm (https://nodejs.org); tests get axe-core and validators from it")
    command -v faketime >/dev/null \
        || missing+=("faketime: apt-get install faketime; a test moves the guard's clock with its library")
    if ((${#missing[@]} > 0)); then
        printf 'missing %s\n' "${missing[@]}" >&2
        printf 'nothing was checked\n' >&2
        exit 1
    fi
    cargo --version
    cargo clippy --version
    cargo fmt --version
    go version
}

# Installs Debian's packages of a program that is missing, where this user may. PROGRAM PACKAGE...
provide() {
    command -v "$1" >/dev/null && return
    shift
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 0
    printf '\n==> apt-get install %s\n' "$*"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"; } >/dev/null || return 0
}

# Adds a row: what, how many seconds, and a remark.
note() {
    ROWS+=("$(printf '%-44s %9s  %s' "$1" "$(minutes "$2")" "${3:-}")")
}

# From cargo's and libtest's own lines: which program ran, and how long.
note_test_programs() {
    local row
    while IFS= read -r row; do
        ROWS+=("$row")
    done < <(awk '
        function out(seconds, remark) {
            if (name != "") printf "  %-42s %3d m %04.1f s  %s\n", name, int(seconds / 60), seconds % 60, remark
            name = ""
        }
        /^ +Running / {
            out(0, "no result")
            name = $NF
            gsub(/\(.*\/|-[0-9a-f]+\)/, "", name)
            if ($2 == "unittests") name = name " " $3
        }
        /^ +Doc-tests / { out(0, "no result"); name = "doc-tests " $2 }
        /^test result: / { seconds = $NF; sub(/s$/, "", seconds); out(seconds + 0, $3 == "ok." ? "" : "FAILED") }
        END { out(0, "no result") }
    ' "$1")
}

# From the lines of control-plane-tools: which program was built, and how long. Built beside other parts, not added to them.
note_tools() {
    local row
    while IFS= read -r row; do
        ROWS+=("$row")
    done < <(sed -nE 's/^control plane: built (.*) in ([0-9]+)s$/\1\t\2/p' "$TOOLS_LOG" \
        | awk -F '\t' '{ printf "  %-42s %3d m %04.1f s  built beside the rest\n", $1, int($2 / 60), $2 % 60 }')
}

minutes() {
    printf '%3d m %02d s' $(($1 / 60)) $(($1 % 60))
}

# The table, whatever the end. What still runs in the background ends with it.
finish() {
    local status=$? word=passed
    # Nothing here hides how the run ended.
    set +e
    ((status == 0)) || word=FAILED
    if [[ -n $TOOLS ]]; then
        kill -- "-$TOOLS" 2>/dev/null
        wait "$TOOLS" 2>/dev/null
        cat "$TOOLS_LOG"
        note_tools
    fi
    [[ -z $TOOLS_LOG ]] || rm -f "$TOOLS_LOG"
    [[ -z $NOW ]] || note "$NOW" $((SECONDS - NOW_BEGUN)) FAILED
    printf '\n%-44s %9s\n' part time
    ((${#ROWS[@]} == 0)) || printf '%s\n' "${ROWS[@]}"
    printf '%-44s %9s  %s\n' all "$(minutes "$SECONDS")" "$word"
    ((${#REMARKS[@]} == 0)) || printf '\n%s\n' "${REMARKS[@]}"
}

ROWS=() REMARKS=() TOOLS='' TOOLS_LOG='' NOW='' NOW_BEGUN=0
