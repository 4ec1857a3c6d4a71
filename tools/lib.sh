# Shared by the tools: sourced from the root of the checkout.

# quietly LOG COMMAND...: shows the output only when the command fails.
quietly() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        echo "failed: $*" >&2
        return 1
    fi
}

# build PRESET [TARGET...]: configures when needed, then builds (all by default).
build() {
    local preset=$1
    shift
    [ -f "build/$preset/build.ninja" ] || quietly "build/$preset.configure.log" cmake --preset "$preset"
    quietly "build/$preset.build.log" cmake --build "build/$preset" ${1:+--target "$@"}
}
