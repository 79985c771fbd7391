# Sourced by the `run` scripts: chooses the compiler, configures and builds, quietly unless something fails.
# Takes $root, the repository's folder, from the sourcing script.

say() { printf '%s\n' "$*" >&2; }

# LibTorch's own threads beside OpenBLAS's fight for the cores; threads that spin while they wait make a busy machine crawl.
set_threads() {
  local cores
  cores=$(nproc 2>/dev/null || echo 2)
  [ "$cores" -le 2 ] || cores=2
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$cores} MKL_NUM_THREADS=${MKL_NUM_THREADS:-$cores}
  export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1} OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
}

newest_clang() {
  local version
  for version in $(compgen -c clang++- | sed -n 's/^clang++-\([0-9]\+\)$/\1/p' | sort -rnu); do
    [ "$version" -ge 19 ] && echo "clang++-$version" && return
  done
  command -v clang++ >/dev/null && echo clang++ && return
  say "No Clang was found: AutoTuneNet is built by Clang 19 or newer. Run .ci/set-up, or name a compiler: CXX=clang++-19 $0"
  return 1
}

cached() { [ ! -e "$1/CMakeCache.txt" ] || sed -n "s/^$2:[A-Z]*=//p" "$1/CMakeCache.txt"; }

# The user's choice, else what the folder was configured with, else the newest Clang.
compiler_for() {
  local before
  before=$(cached "$1" CMAKE_CXX_COMPILER)
  if [ -n "${CXX:-}" ]; then
    command -v "$CXX" || { say "The compiler that CXX names was not found: $CXX"; return 1; }
  elif [ -n "$before" ] && [ -x "$before" ]; then
    echo "$before"
  else
    local compiler
    compiler=$(newest_clang) || return 1
    command -v "$compiler"
  fi
}

# A terminal sees one line that moves; anything else sees nothing.
progress() {
  local line
  if [ -t 2 ]; then
    while IFS= read -r line; do
      printf '%s\n' "$line"
      case "$line" in "["*) printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "building $line" >&2 ;; esac
    done
    printf '\r\033[K' >&2
  else
    cat
  fi
}

failed() {
  say "$1 The log ($2) ends:"
  tail -n "${LOG_LINES:-80}" "$2" >&2
  exit 1
}

# build FOLDER TARGETS [cmake options]: TARGETS are separated by spaces. One build of a folder at a time.
build() {
  mkdir -p "$1"
  (
    if command -v flock >/dev/null; then
      flock --nonblock 9 || { say "Waiting for another build of $1."; flock 9; }
    fi
    build_alone "$@"
  ) 9>"$1/.lock" || exit 1
}

build_alone() {
  local folder=$1 targets=$2 compiler log=$1/build.log fresh=()
  shift 2
  compiler=$(compiler_for "$folder") || exit 1

  local before generator home
  before=$(cached "$folder" CMAKE_CXX_COMPILER)
  generator=$(cached "$folder" CMAKE_GENERATOR)
  home=$(cached "$folder" CMAKE_HOME_DIRECTORY)
  if [ -n "$before" ] && [ "$(realpath -m "$before")" != "$(realpath -m "$compiler")" ]; then
    say "$folder was configured for $before: it is configured again for $compiler."
    fresh=(--fresh)
  elif [ -n "$generator" ] && [ "$generator" != Ninja ]; then
    say "$folder was configured for $generator, which cannot build modules: it is configured again for Ninja."
    fresh=(--fresh)
  elif [ -n "$home" ] && [ "$(realpath -m "$home")" != "$(realpath -m "$root")" ]; then
    say "$folder was configured for the sources in $home: it is configured again."
    fresh=(--fresh)
  fi

  local configure=(cmake -S "$root" -B "$folder" -G Ninja "-DCMAKE_CXX_COMPILER=$compiler" "$@")
  "${configure[@]}" "${fresh[@]}" >"$log" 2>&1 || failed "CMake could not configure $folder." "$log"
  # shellcheck disable=SC2086
  local ninja=(cmake --build "$folder" --parallel "${JOBS:-2}" --target $targets)
  [ -t 2 ] || [ -e "$folder/.ninja_deps" ] || say "Building in $folder; the first time takes some minutes."
  if ! "${ninja[@]}" 2>&1 | progress >"$log"; then
    # Ninja 1.11 to 1.13 can trip over module information that an earlier state of the sources left behind.
    grep -qE 'ninja: .*[Aa]ssert|Assertion .*(dyndep|Dyndep)|dyndep.*(loading|cycle)|ninja: error: .*\.dd' "$log" || failed "The build failed." "$log"
    say "Ninja stumbled over what an earlier build left in $folder: it is built anew."
    find "$folder" -mindepth 1 -maxdepth 1 ! -name results ! -name build.log ! -name .lock -exec rm -rf {} +
    "${configure[@]}" >"$log" 2>&1 || failed "CMake could not configure $folder." "$log"
    "${ninja[@]}" 2>&1 | progress >"$log" || failed "The build failed." "$log"
  fi
}
