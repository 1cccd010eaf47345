#!/bin/sh
# Puts the real peers of the tests (gearmand, beanstalkd, gearman, gearadmin, php, perl, nc) into
# build/peers/, the databases that keep durable jobs (PostgreSQL, MariaDB, Redis, each with its client),
# and what looks at our own work: valgrind, chromium (half a gigabyte when unpacked).
#
# Nothing is installed and no service is started: the Debian packages are fetched with apt's own resolver
# against private lists and a private cache, and unpacked with `dpkg -x`. No root is needed. Programs are
# started through wrappers in build/peers/bin/ which point them at the private libraries.
# What cannot be had is said on one line, kept in build/peers/missing/<peer>, and is no error here:
# the tests decide (skip by name, or fail when CI=true).
set -u

base=$(cd "$(dirname "$0")/.." && pwd)/build/peers
root=$base/root
apt=$base/apt
stamp=$base/stamp
version=3 # raise it to have every machine fetch again

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$version" ]; then
    exit 0
fi

mkdir -p "$base" || exit 1
rm -rf "$root" "$base/bin" "$base/missing" "$stamp"
mkdir -p "$root" "$base/bin" "$base/missing"

missing() { # peer, reason
    printf '%s\n' "$2" >"$base/missing/$1"
    printf 'peers.sh: %s is missing: %s\n' "$1" "$2" >&2
}

# --- apt, kept to ourselves ----------------------------------------------------------------------------

private_apt() {
    mkdir -p "$apt/conf.d" "$apt/state/lists/partial" "$apt/cache/archives/partial"
    # The machine's settings (proxies, mirrors) hold, but not its hooks: those touch the system's cache.
    cp /etc/apt/apt.conf.d/* "$apt/conf.d/" 2>/dev/null
    cat >"$apt/conf.d/zz-private" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
CONF
    cat >"$apt/apt.conf" <<CONF
Dir::Etc::Parts "$apt/conf.d";
Dir::State "$apt/state";
Dir::State::Lists "$apt/state/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$apt/cache";
Dir::Cache::Archives "$apt/cache/archives";
Dir::Log "$apt";
CONF
    APT_CONFIG=$apt/apt.conf
    export APT_CONFIG
}

fetch() { # packages...: they and what they need and the machine has not
    DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o "Dir::Etc::Parts=$apt/conf.d" -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
        -o "Dir::Cache::Archives=$apt/cache/archives" -o Acquire::Retries=2 -o APT::Keep-Downloaded-Packages=true \
        install --download-only --reinstall --no-install-recommends "$@" >>"$apt/log" 2>&1
}

group() { # "peers", packages...
    peers=$1
    shift
    if fetch "$@" || fetch "$@"; then
        return
    fi
    reason=$(grep '^E:' "$apt/log" | tail -n 1)
    for peer in $peers; do
        missing "$peer" "apt could not fetch $* (${reason:-see build/peers/apt/log})"
    done
}

get_packages() {
    private_apt
    : >"$apt/log"
    update="apt-get -q -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Acquire::Retries=2 update"
    # shellcheck disable=SC2086
    $update >>"$apt/log" 2>&1 || $update >>"$apt/log" 2>&1
    group gearmand gearman-job-server
    group beanstalkd beanstalkd
    group "gearman gearadmin" gearman-tools
    group php php-cli php-gearman
    group perl libgearman-client-perl
    group nc netcat-openbsd
    group "postgres initdb psql" postgresql-15 postgresql-client-15
    group "mariadbd mariadb-install-db mariadb" mariadb-server-core mariadb-client-core
    group "redis-server redis-cli" redis-server redis-tools
    group valgrind valgrind
    group chromium chromium fonts-dejavu-core
    for deb in "$apt"/cache/archives/*.deb; do
        [ -e "$deb" ] || continue
        case $deb in */libc6_* | */libc6-dbg_*) continue ;; esac # a libc only runs with its own loader: the machine's stays
        dpkg -x "$deb" "$root" || rm -f "$deb"
    done
    rm -rf "$apt/state" "$apt/cache"
}

# --- wrappers ------------------------------------------------------------------------------------------

first() { # the first of the given files that can be run
    for candidate in "$@"; do
        if [ -x "$candidate" ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

script() { # name, shell text; $here is the private folder at run time, so the tree may be moved
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/sh' 'here=$(cd "$(dirname "$0")/.." && pwd)' 'root=$here/root' "$2" >"$base/bin/$1"
    chmod 755 "$base/bin/$1" # whatever the umask: a database that refuses to run as root runs as somebody else
}

wrapper() { # name, shell text: a script with the path of the private libraries
    # shellcheck disable=SC2016
    script "$1" 'for d in "$root"/usr/lib/*-linux-* "$root"/lib/*-linux-* "$root"/usr/lib "$root"/lib; do
    [ -d "$d" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$d
done
export LD_LIBRARY_PATH
'"$2"
}

program() { # peer, candidates...: a wrapper that only sets the library path
    peer=$1
    shift
    [ -e "$base/missing/$peer" ] && return
    found=$(first "$@" "$(command -v "$peer" 2>/dev/null)")
    if [ -z "$found" ]; then
        missing "$peer" "no program of that name in the unpacked packages"
        return
    fi
    case $found in
    "$root"/*) wrapper "$peer" "exec \"\$root/${found#"$root"/}\" \"\$@\"" ;;
    *) wrapper "$peer" "exec \"$found\" \"\$@\"" ;;
    esac
}

php_wrapper() {
    [ -e "$base/missing/php" ] && return
    binary=$(first "$root"/usr/bin/php[0-9]*.[0-9]*)
    extension=$(find "$root/usr/lib/php" -name gearman.so 2>/dev/null | tail -n 1)
    if [ -z "$binary" ] || [ -z "$extension" ]; then
        missing php "php or its gearman extension is not in the unpacked packages"
        return
    fi
    # -n: no ini file of the machine; json is part of php itself.
    dir=${extension%/gearman.so}
    wrapper php "exec \"\$root/${binary#"$root"/}\" -n -d \"extension_dir=\$root/${dir#"$root"/}\" -d extension=gearman.so \"\$@\""
}

perl_wrapper() {
    [ -e "$base/missing/perl" ] && return
    if ! command -v perl >/dev/null; then
        missing perl "there is no perl on this machine"
        return
    fi
    # shellcheck disable=SC2016
    wrapper perl 'for d in "$root"/usr/share/perl5 "$root"/usr/lib/*/perl5/*; do
    [ -d "$d" ] && PERL5LIB=${PERL5LIB:+$PERL5LIB:}$d
done
export PERL5LIB
exec perl "$@"'
}

postgresql_wrappers() { # they find their libraries and their share folder by where they are
    for name in postgres initdb psql; do
        program "$name" "$root"/usr/lib/postgresql/*/bin/"$name" /usr/lib/postgresql/*/bin/"$name"
    done
}

mariadb_wrappers() { # these are told; and no option file of the machine is read
    program mariadb "$root/usr/bin/mariadb"
    for name in sbin/mariadbd bin/mariadb-install-db; do
        peer=${name#*/}
        if [ -x "$root/usr/$name" ] && [ ! -e "$base/missing/$peer" ]; then
            wrapper "$peer" "exec \"\$root/usr/$name\" --no-defaults \"--basedir=\$root/usr\" \"\$@\""
        else
            program "$peer"
        fi
    done
}

valgrind_wrapper() { # no library path: what runs inside it is a program of the machine
    [ -e "$base/missing/valgrind" ] && return
    if [ -x "$root/usr/bin/valgrind.bin" ]; then
        # shellcheck disable=SC2016
        script valgrind 'VALGRIND_LIB=$root/usr/libexec/valgrind exec "$root/usr/bin/valgrind.bin" "$@"'
    elif command -v valgrind >/dev/null; then
        script valgrind "exec \"$(command -v valgrind)\" \"\$@\""
    else
        missing valgrind "no program of that name in the unpacked packages"
    fi
}

chromium_wrapper() { # without a window, a sandbox, or the home of whoever asks; so it may run as root and in containers
    [ -e "$base/missing/chromium" ] && return
    if [ ! -x "$root/usr/lib/chromium/chromium" ]; then
        missing chromium "no program of that name in the unpacked packages"
        return
    fi
    cat >"$base/fonts.conf" <<'CONF'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir prefix="relative">root/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
CONF
    # shellcheck disable=SC2016
    wrapper chromium 'for d in "$root"/usr/lib/*-linux-*/pulseaudio; do
    [ -d "$d" ] && LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$d
done
HOME=$here/home
mkdir -p "$HOME" 2>/dev/null
[ -w "$HOME" ] || HOME=${TMPDIR:-/tmp}
export HOME XDG_CACHE_HOME="$HOME/.cache" XDG_CONFIG_HOME="$HOME/.config" FONTCONFIG_FILE="$here/fonts.conf"
exec "$root/usr/lib/chromium/chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --log-level=3 "$@"'
}

works() { # peer, arguments: a wrapper that does not start is as good as missing
    peer=$1
    shift
    [ -e "$base/bin/$peer" ] || return
    if ! output=$("$base/bin/$peer" "$@" 2>&1); then
        rm -f "$base/bin/$peer"
        missing "$peer" "does not run: $(printf '%s' "$output" | tail -n 1)"
    fi
}

if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    get_packages
else
    echo "peers.sh: there is no apt on this machine; only peers already installed can be used" >&2
fi

program gearmand "$root/usr/sbin/gearmand"
program beanstalkd "$root/usr/bin/beanstalkd"
program gearman "$root/usr/bin/gearman"
program gearadmin "$root/usr/bin/gearadmin"
program nc "$root/bin/nc.openbsd" "$root/usr/bin/nc.openbsd"
program redis-server "$root/usr/bin/redis-server"
program redis-cli "$root/usr/bin/redis-cli"
postgresql_wrappers
mariadb_wrappers
php_wrapper
perl_wrapper
valgrind_wrapper
chromium_wrapper
works gearmand --version
works beanstalkd -v
works gearman -H
works gearadmin --help
works php -r 'exit(class_exists("GearmanClient") ? 0 : 1);'
works perl -MGearman::Client -MGearman::Worker -e 1
works postgres --version
works initdb --version
works psql --version
works mariadbd --version
works mariadb-install-db "--datadir=$base/try" "--user=$(id -un)" --innodb-log-file-size=4M
rm -rf "$base/try"
works mariadb --version
works redis-server --version
works redis-cli --version
works valgrind --tool=callgrind --callgrind-out-file=/dev/null true
works chromium --dump-dom about:blank

# With a peer missing the next run tries again.
if [ -z "$(ls "$base/missing")" ]; then
    printf '%s\n' "$version" >"$stamp"
fi
exit 0
