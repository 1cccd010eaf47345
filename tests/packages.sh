# The Debian packages of the peers, unpacked in a folder of their own. Read by peers.sh, which says where: $base.
#
# apt is asked as if nothing were installed here: what the machine has is not the same twice, and a package that
# it has is not fetched as a need of another. So the folder holds all but the C library, which only runs with the
# loader of its own machine. Files are only ever added: tests may be running with those that are there.

root=$base/root.$version # a link `root` leads to it
apt=$base/apt
log=$apt/log
status=$root/status # what is unpacked, in dpkg's words

# Needed to install a package or to run it as a service, not to start its program.
stand_ins="libc6 libc6-dbg libc-bin adduser dbus dbus-user-session debconf dpkg init-system-helpers locales lsb-base
    netbase passwd postgresql-client-common postgresql-common procps psmisc ssl-cert systemd systemd-sysv ucf
    x11-utils xdg-utils"

open_packages() { # make the folder, and ask for the lists of packages; says in $unfetched why there are none
    mkdir -p "$root" "$apt/conf.d" "$apt/state/lists/partial" "$apt/cache/archives/partial"
    if [ ! -f "$status" ]; then
        for name in $stand_ins; do
            printf '%s\n' "Package: $name" "Status: install ok installed" "Version: 999" "Multi-Arch: foreign" \
                "Architecture: $(dpkg --print-architecture)" "Maintainer: nobody" "Description: stands in" ""
        done >"$status.new"
        mv "$status.new" "$status"
    fi
    settings
    : >"$log"
    # A source that cannot be reached is an error only if nothing else is left.
    ask_apt 60 update || [ $? -eq 124 ] || ask_apt 60 update # 124: the time was up
    if [ -z "$(find "$apt/state/lists" -name '*Packages*' | head -n 1)" ]; then
        unfetched="apt could not fetch its lists ($(why))"
        return 1
    fi
}

settings() { # the machine's settings (proxies, mirrors) hold, but not its hooks: those touch the system's cache
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
Dir::State::status "$status";
Dir::Cache "$apt/cache";
Dir::Cache::Archives "$apt/cache/archives";
Dir::Log "$apt";
CONF
}

ask_apt() { # seconds, words...: it has no terminal, waits for nobody's lock, and gives up a server that is silent
    seconds=$1
    shift
    APT_CONFIG=$apt/apt.conf DEBIAN_FRONTEND=noninteractive timeout --foreground "$seconds" apt-get -q -y \
        -o "Dir::Etc::Parts=$apt/conf.d" -o "Dir::Cache::Archives=$apt/cache/archives" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User=root -o APT::Keep-Downloaded-Packages=true -o Acquire::Retries=1 \
        -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 "$@" </dev/null >>"$log" 2>&1
}

why() { # what apt said last, or that it said nothing
    said=$(grep -E '^(E:|W: Failed)' "$log" | grep -v 'Some index files' | tail -n 1)
    printf '%s\n' "${said:-its server does not answer}"
}

add_packages() { # packages...: they and all they need; says in $unfetched why not
    if ! fetch "$@" && ! fetch "$@"; then
        unfetched="apt could not fetch $* ($(why))"
        return 1
    fi
    for deb in "$apt"/cache/archives/*.deb; do
        [ ! -e "$deb" ] || unpack "$deb" || {
            unfetched="could not unpack ${deb##*/} into $root: is the disk full?"
            return 1
        }
    done
}

fetch() {
    ask_apt 900 install --download-only --no-install-recommends "$@"
}

unpack() { # file: once, since its files may be in use. One that was broken off is not in the list yet, and done again
    if ! grep -q -x "Package: $(dpkg-deb -f "$1" Package)" "$status"; then
        dpkg -x "$1" "$root" >>"$log" 2>&1 || return
        printf '\n%s\nStatus: install ok installed\n\n' "$(dpkg-deb -f "$1")" >>"$status" || return
    fi
    rm -f "$1"
}

close_packages() { # `root` leads to the folder from now on. The one before stays: tests may be running with it
    rm -rf "$apt/state" "$apt/cache"
    if [ -d "$base/root" ] && [ ! -L "$base/root" ]; then
        mv "$base/root" "$base/root.0" # made when there was only one
        ln -s root.0 "$base/root"
    fi
    before=$(readlink "$base/root")
    ln -s "root.$version" "$base/root.new" && mv -T "$base/root.new" "$base/root"
    for folder in "$base"/root.*; do
        case ${folder##*/} in "root.$version" | "$before") ;; *) rm -rf "$folder" ;; esac
    done
}
