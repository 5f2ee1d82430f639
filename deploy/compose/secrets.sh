#!/bin/sh
# Makes what the containers of compose.yaml share and nobody else may know, in deploy/secrets/ (or the folder given).
# What is there already stays. The folder is closed to others; the files are open, since each container has an account of its own.
set -eu
folder=${1:-$(dirname "$0")/../secrets}
mkdir -p "$folder"
chmod 0700 "$folder"
cd "$folder"
umask 022

# make NAME: from standard input, unless it is there; whole or not at all.
make() {
    [ -e "$1" ] || { cat >".$1" && mv ".$1" "$1"; }
}

for name in superuser_password database_password dovecot_password postfix_password milter_password doveadm_key; do
    openssl rand -hex 24 | make "$name"
done
for name in sealing.keys token.keys; do
    echo "$(date +%Y-%m):$(openssl rand -base64 32)" | make "$name"
done
make postfach.env <<END
POSTFACH_DATABASE_URL=postgresql://postfach:$(cat database_password)@database:5432/postfach
POSTFACH_DOVEADM_KEY=$(cat doveadm_key)
END
make milter.env <<END
POSTFACH_DATABASE_URL=postgresql://postfach_milter:$(cat milter_password)@database:5432/postfach
END
