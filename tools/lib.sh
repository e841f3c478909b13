# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What ./run and ./check share: packages and the build. Sourced.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
        printf '%s\n' "$*" >&2
}

die() {
        say "${0##*/}: $*"
        exit 1
}

# install_packages GROUP...: installs what is missing from these groups of tools/packages.debian, and says so.
install_packages() {
        local group package missing=()
        while read -r group package; do
                case " $* " in *" $group "*) ;; *) continue ;; esac
                [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
        done < <(grep -v '^#' "$top/tools/packages.debian")
        [ ${#missing[@]} -gt 0 ] || return 0

        if ! command -v apt-get >/dev/null; then
                say "This system has no apt-get; going on with what is installed. Debian's names of what is needed: ${missing[*]}"
                return 0
        fi
        local as_root=()
        if [ "$(id -u)" != 0 ]; then
                command -v sudo >/dev/null || die "as root, please: apt-get install --no-install-recommends ${missing[*]}"
                as_root=(sudo)
        fi
        say "Installing ${missing[*]}"
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 update >&2 ||
                say "apt-get update failed; trying with the lists there are"
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 install -y \
                --no-install-recommends "${missing[@]}" >&2 || die "could not install ${missing[*]}"
}

# Where builds go: ./build, or a folder of the user's own when the tree is somebody else's.
build_root() {
        if [ -w "$top" ] && { [ ! -e "$top/build" ] || [ -O "$top/build" ]; }; then
                printf '%s\n' "$top/build"
                return
        fi
        local dir
        dir=${TMPDIR:-/tmp}/poolkeeper-build-$(id -u)
        [ -d "$dir" ] || mkdir -m 700 "$dir"
        if [ ! -O "$dir" ] || [ -L "$dir" ]; then
                die "$dir belongs to somebody else; set TMPDIR to a folder of your own"
        fi
        printf '%s\n' "$dir"
}

# build DIR MESON-OPTION...: sets DIR up when it is new, and builds it. Quiet unless it fails.
build() {
        local dir=$1 log
        shift
        mkdir -p "$dir"
        log=$dir/build.log
        if [ ! -f "$dir/build.ninja" ]; then
                say "Configuring $dir"
                meson setup "$dir" "$top" "$@" >"$log" 2>&1 || { cat "$log" >&2; die "meson setup $dir failed"; }
        fi
        say "Building $dir"
        ninja -C "$dir" >"$log" 2>&1 || { tail -n 60 "$log" >&2; die "the build in $dir failed"; }
}
