#!/bin/sh
# Installs Number Dispenser as a service of systemd, upgrades it, or removes it; may be run again at any time.
#
#   deploy/install.sh install [path of the binary]    default dist/number-dispenser; also upgrades
#   deploy/install.sh remove                          the data and the settings stay
#
# DESTDIR=/some/root puts everything below that folder, and starts nothing.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=${DESTDIR:-}
binary=$root/usr/local/bin/number-dispenser
units=$root/etc/systemd/system
settings=$root/etc/number-dispenser
data=/var/lib/number-dispenser
backups=/var/lib/number-dispenser-backups
user=number-dispenser

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

# Whether a systemd runs that the unit can be given to.
has_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

usage() {
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

install_all() {
  from=${1:-$here/../dist/number-dispenser}
  [ -f "$from" ] || fail "there is no binary $from: 'bun run build' makes one"
  [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "run it as root, or with DESTDIR"
  if [ -z "$root" ] && ! getent passwd "$user" >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  fi
  mkdir -p "$(dirname "$binary")" "$units" "$settings"
  # Beside it and then in its place: a server that runs keeps the file it was started from.
  cp "$from" "$binary.new"
  chmod 0755 "$binary.new"
  mv -f "$binary.new" "$binary"
  if [ ! -e "$settings/config.yaml" ]; then
    new=$settings/config.yaml.new
    # BACKUP may write where the unit's sandbox lets the service write.
    sed "s|^  data_dir: .*|  data_dir: \"$data\"|; s|^  create: true|  create: false|; \
      s|^  backup_dir: .*|  backup_dir: \"$backups\"|" "$here/../config/config.yaml" >"$new"
    # It may hold the hashes of passwords.
    [ -n "$root" ] || chgrp "$user" "$new"
    chmod 0640 "$new"
    # The service refuses a folder without a database, as where a mount is missing: here it is made, once.
    if [ -z "$root" ]; then
      install -d -m 0700 -o "$user" -g "$user" "$data"
      "$binary" init -config "$new"
    fi
    mv "$new" "$settings/config.yaml"
  fi
  if [ ! -e "$settings/environment" ]; then
    printf '# What is secret, as NUMBER_DISPENSER_REQUIREPASS=... or NUMBER_DISPENSER_STORE=...\n' \
      >"$settings/environment"
    chmod 0600 "$settings/environment"
  fi
  for unit in service socket; do
    cp "$here/number-dispenser.$unit" "$units/"
    chmod 0644 "$units/number-dispenser.$unit"
  done
  if has_systemd; then
    systemctl daemon-reload
    systemctl enable --quiet number-dispenser
    # SIGTERM saves all positions: an upgrade skips no numbers but those the strategies allow.
    systemctl restart number-dispenser
  fi
  printf 'installed %s\n' "$binary"
}

remove_all() {
  [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "run it as root, or with DESTDIR"
  if has_systemd && [ -e "$units/number-dispenser.service" ]; then
    # The socket first: it would start the service again.
    for unit in socket service; do
      [ ! -e "$units/number-dispenser.$unit" ] || systemctl disable --quiet --now "number-dispenser.$unit"
    done
  fi
  rm -f "$units/number-dispenser.service" "$units/number-dispenser.socket" "$binary"
  if has_systemd; then systemctl daemon-reload; fi
  printf 'removed; %s, %s and %s stay, with all numbers, backups and settings\n' \
    "$root$data" "$root$backups" "$settings"
}

case ${1:-} in
  install) shift && install_all "$@" ;;
  remove) remove_all ;;
  *) usage ;;
esac
