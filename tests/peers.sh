#!/bin/sh
# Puts the real peers of the tests (gearmand, beanstalkd, gearman, gearadmin, php, perl, nc) into
# build/peers/bin, the databases that keep durable jobs (PostgreSQL, MariaDB, Redis, each with its client),
# what looks at our own work: valgrind, chromium, and what init scripts look for processes with: start-stop-daemon,
# pidof (a gigabyte when unpacked, all of them).
#
# Nothing is installed and no service is started: packages.sh fetches Debian's packages into a private folder.
# No root is needed. A peer that cannot be fetched is taken from the machine, if it is installed and runs. What
# cannot be had is said on one line, kept in build/peers/missing/<peer>, and is no error here: the tests decide
# (skip by name, or fail when CI=true).
#
# Tests may be running meanwhile, with the peers that are there: files are added, and a program is replaced in one
# step by one that was tried. Of two runs at a time one waits. With a peer missing, a run tries again when the last
# try is an hour old, or something was installed since; --again: at once; --once: not if it was ever tried.
set -u
umask 022 # a database that refuses to run as root runs as somebody else

asked=${1:-}
version=4 # raise it to have every machine fetch again
added=1 # raise it when peers are added: what is there stays
base=$(cd "$(dirname "$0")/.." && pwd)/build/peers
mkdir -p "$base" || exit 1
base=$(cd "$base" && pwd -P)
result=$base/result # version and what is added to it, and whether all is there
trial=$base/trial.$$ # where a wrapper is tried: as deep as build/peers/bin

say() {
    printf 'peers.sh: %s\n' "$1" >&2
}

settled() { # whether there is nothing to do
    [ -f "$result" ] || return 1
    read -r of outcome <"$result"
    [ "$of" = "$version.$added" ] || return 1
    [ "$outcome" = complete ] && return 0
    case $asked in
    --once) return 0 ;;
    --again) return 1 ;;
    esac
    [ -n "$(find "$result" -mmin -60)" ] && [ -z "$(find /var/lib/dpkg/status -newer "$result" 2>/dev/null)" ] &&
        say "not tried again so soon (at once: sh tests/peers.sh --again). Missing: $(echo $(ls "$base/missing"))"
}

settled && exit 0
trap 'rm -rf "$trial"' EXIT
if ! mkdir -p "$base/bin" "$base/missing" "$trial" 2>/dev/null || ! true >>"$base/lock"; then
    say "cannot write to $base. Run it as the owner of that folder, or remove the folder"
    exit 1
fi
if command -v flock >/dev/null; then # freed by the system when this process has ended, in whatever way
    exec 9>>"$base/lock"
    flock -n 9 || {
        say "another run is at it; waiting for it"
        flock 9
        settled && exit 0
    }
    find "$base" -maxdepth 1 -name 'trial.*' ! -name "${trial##*/}" -prune -exec rm -rf {} + # of a run that was killed
fi

# shellcheck source=tests/packages.sh
. "$(dirname "$0")/packages.sh"

missing() { # peer, reason
    printf '%s\n' "$2" >"$base/missing/$1"
    [ -n "$closed" ] || say "$1 is missing: $2"
}

# --- wrappers: a program that is fetched needs its libraries -----------------------------------------------------

script() { # peer, shell text; $here is build/peers at run time, so the tree may be moved
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/sh' 'here=$(cd "$(dirname "$0")/.." && pwd)' "root=\$here/root.$version" "$2" \
        >"$trial/$1"
    chmod 755 "$trial/$1"
}

wrapper() { # peer, shell text: with the path of the private libraries
    # shellcheck disable=SC2016
    script "$1" 'for d in "$root"/usr/lib/*-linux-* "$root"/lib/*-linux-* "$root"/usr/lib "$root"/lib; do
    [ -d "$d" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$d
done
export LD_LIBRARY_PATH
'"$2"
}

first() { # the first of the given files that is there, as its path below the private folder
    for candidate in "$@"; do
        if [ -e "$candidate" ]; then
            printf '%s\n' "${candidate#"$root/"}"
            return
        fi
    done
    return 1
}

fetched() { # peer: the wrapper of a program in the private folder
    case $1 in
    postgres | initdb | psql) # they find their libraries and their share folder by where they are
        found=$(first "$root"/usr/lib/postgresql/*/bin/"$1") && wrapper "$1" "exec \"\$root/$found\" \"\$@\""
        ;;
    mariadbd | mariadb-install-db) # these are told where; and no option file of the machine is read
        found=$(first "$root/usr/sbin/$1" "$root/usr/bin/$1") &&
            wrapper "$1" "exec \"\$root/$found\" --no-defaults \"--basedir=\$root/usr\" \"\$@\""
        ;;
    php) fetched_php ;;
    perl) fetched_perl ;;
    valgrind) # no library path: what runs inside it is a program of the machine
        # shellcheck disable=SC2016
        first "$root/usr/bin/valgrind.bin" >/dev/null &&
            script valgrind 'VALGRIND_LIB=$root/usr/libexec/valgrind exec "$root/usr/bin/valgrind.bin" "$@"'
        ;;
    chromium) fetched_chromium ;;
    *)
        found=$(first "$root/usr/bin/$1" "$root/usr/sbin/$1" "$root/bin/$1" "$root/sbin/$1" "$root/bin/$1.openbsd" \
            "$root/usr/bin/$1.openbsd") &&
            wrapper "$1" "exec \"\$root/$found\" \"\$@\""
        ;;
    esac
}

fetched_php() { # -n: no ini file of the machine; json is part of php itself
    binary=$(first "$root"/usr/bin/php[0-9]*.[0-9]*) || return
    extension=$(first "$root"/usr/lib/php/*/gearman.so) || return
    words="-n -d \"extension_dir=\$root/${extension%/gearman.so}\" -d extension=gearman.so"
    wrapper php "exec \"\$root/$binary\" $words \"\$@\""
}

fetched_perl() {
    first "$root/usr/bin/perl" >/dev/null || return
    # shellcheck disable=SC2016
    wrapper perl 'for d in "$root"/usr/share/perl5 "$root"/usr/share/perl/* "$root"/usr/lib/*/perl5/* \
    "$root"/usr/lib/*/perl/* "$root"/usr/lib/*/perl-base; do
    [ -d "$d" ] && PERL5LIB=${PERL5LIB:+$PERL5LIB:}$d
done
export PERL5LIB
exec "$root/usr/bin/perl" "$@"'
}

# without a window, a sandbox, or the home of whoever asks; so it may run as root and in containers
# shellcheck disable=SC2016
homeless='HOME=$here/home
mkdir -p "$HOME" 2>/dev/null
[ -w "$HOME" ] || HOME=${TMPDIR:-/tmp}
export HOME XDG_CACHE_HOME="$HOME/.cache" XDG_CONFIG_HOME="$HOME/.config"
'
windowless='--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --log-level=3 "$@"'

fetched_chromium() {
    first "$root/usr/lib/chromium/chromium" >/dev/null || return
    cat >"$base/fonts.conf" <<CONF
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir prefix="relative">root.$version/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
CONF
    # shellcheck disable=SC2016
    wrapper chromium 'for d in "$root"/usr/lib/*-linux-*/pulseaudio; do
    [ -d "$d" ] && LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$d
done
export FONTCONFIG_FILE="$here/fonts.conf"
'"$homeless"'exec "$root/usr/lib/chromium/chromium" '"$windowless"
}

installed() { # peer: the wrapper of the machine's program, which needs nothing of ours
    # what only an administrator's path has, and what no path has
    found=$(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1") ||
        found=$(first /usr/lib/postgresql/*/bin/"$1") || return
    [ "$(cd "$(dirname "$found")" && pwd -P)" != "$base/bin" ] || return # a wrapper must not lead to itself
    case $1 in
    mariadbd | mariadb-install-db) script "$1" "exec \"$found\" --no-defaults \"\$@\"" ;;
    chromium) script chromium "$homeless exec \"$found\" $windowless" ;;
    *) script "$1" "exec \"$found\" \"\$@\"" ;;
    esac
}

# --- each peer: fetched, else installed, and tried ---------------------------------------------------------------

wanted() { # peers...: whether one of them is not there yet
    for peer in "$@"; do
        [ -e "$base/missing/$peer" ] && return
        [ -e "$base/bin/$peer" ] && grep -q -x "root=\$here/root.$version" "$base/bin/$peer" || return 0
    done
    return 1
}

group() { # "peers", packages...
    peers=$1
    shift
    # shellcheck disable=SC2086
    wanted $peers || return
    unfetched=$closed
    [ -n "$closed" ] || add_packages "$@"
    for peer in $peers; do
        resolve "$peer"
    done
}

resolve() { # peer
    reason=
    for origin in fetched installed; do
        "$origin" "$1" || continue
        if said=$(try "$1" 2>&1 9>&- </dev/null); then
            mv -f "$trial/$1" "$base/bin/$1"
            rm -f "$base/missing/$1"
            return
        fi
        reason="$reason; the $origin one does not run: $(printf '%s\n' "$said" | complaint)"
    done
    reason=${unfetched:+; $unfetched}${reason:-; it is not installed either}
    missing "$1" "${reason#; }"
}

complaint() { # the line that says why, of what a program has printed
    said=$(cat)
    printf '%s\n' "$said" | grep -m 1 -i -E "can't|cannot|could not|error|fail|not found|no such|there is no" ||
        printf '%s\n' "$said" | tail -n 1
}

try() { # peer: runs it, with what the tests need of it
    program=$trial/$1
    case $1 in
    beanstalkd) "$program" -v ;;
    gearman) "$program" -H ;;
    gearadmin) "$program" --help ;;
    nc) "$program" -h 2>&1 | grep -e '-N' ;;
    php) "$program" -r 'if (!class_exists("GearmanClient")) { echo "there is no gearman extension"; exit(1); }' ;;
    perl) "$program" -MGearman::Client -MGearman::Worker -e 1 ;;
    mariadb-install-db)
        rm -rf "$trial/data"
        "$program" "--datadir=$trial/data" "--user=$(id -un)" --innodb-log-file-size=4M
        ;;
    valgrind) "$program" --tool=callgrind --callgrind-out-file=/dev/null true ;;
    chromium) "$program" --dump-dom about:blank ;;
    pidof) "$program" sh ;;
    *) "$program" --version ;;
    esac
}

closed= # why no package can be fetched at all
if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    open_packages || closed=$unfetched
else
    closed="there is no apt here"
fi
group gearmand gearman-job-server
group beanstalkd beanstalkd
group "gearman gearadmin" gearman-tools
group php php-cli php-gearman
group perl libgearman-client-perl
group nc netcat-openbsd
group "postgres initdb psql" postgresql postgresql-client
group "mariadbd mariadb-install-db mariadb" mariadb-server-core mariadb-client-core
group "redis-server redis-cli" redis-server redis-tools
group valgrind valgrind
group chromium chromium fonts-dejavu-core
group start-stop-daemon dpkg # which is there with apt: see stand_ins
group pidof sysvinit-utils
[ -n "$closed" ] || close_packages
outcome=complete
if [ -n "$(ls "$base/missing")" ]; then
    outcome=incomplete
    [ -z "$closed" ] || say "$closed, and not all is installed. Missing: $(echo $(ls "$base/missing"))"
fi
echo "$version.$added $outcome" >"$result"
exit 0
