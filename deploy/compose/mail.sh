#!/bin/sh
# Starts Dovecot or Postfix in a container: the files beside it, with what is of this machine put in.
# DATABASE_HOST, MILTER (host:port) and MAIL_HOST come from the environment, passwords from /run/secrets.
set -eu
deploy=$(dirname "$0")
secrets=${SECRETS:-/run/secrets}

# certificate FOLDER: the secrets where the configuration expects them, for root alone.
certificate() {
    mkdir -p "$1"
    install -m 0644 "$secrets/mail_certificate" "$1/mail.pem"
    install -m 0600 "$secrets/mail_key" "$1/mail.key"
}

# Shared by both; as Postfix makes it, whoever of them comes first.
install -d -o postfix -g root -m 0700 /var/spool/postfix/private

case $1 in
dovecot)
    certificate /etc/dovecot/private
    cp "$deploy/dovecot/postfach.conf" /etc/dovecot/dovecot.conf
    umask 077
    sed -e "s/^pgsql 127\.0\.0\.1 /pgsql $DATABASE_HOST /" -e "s/CHANGE-ME/$(cat "$secrets/dovecot_password")/" \
        "$deploy/dovecot/sql-postgresql.conf" >/etc/dovecot/sql.conf
    cat >/etc/dovecot/local.conf <<END
log_path = /dev/stderr
doveadm_api_key = $(cat "$secrets/doveadm_key")
# From the other containers; no port of it is published.
service doveadm {
  inet_listener http {
    listen = *
  }
}
END
    chown vmail:vmail /var/vmail
    exec dovecot -F
    ;;
postfix)
    certificate /etc/postfix/private
    cp "$deploy/postfix/main.cf" "$deploy/postfix/master.cf" /etc/postfix/
    mkdir -p /etc/postfix/postfach
    for file in "$deploy"/postfix/pgsql/*.cf; do
        target=/etc/postfix/postfach/${file##*/}
        install -m 0640 -g postfix /dev/null "$target"
        sed -e "s/127\.0\.0\.1:5432/$DATABASE_HOST:5432/" -e "s/CHANGE-ME/$(cat "$secrets/postfix_password")/" "$file" >"$target"
    done
    postconf -e "myhostname = $MAIL_HOST" "postfach_milter = inet:$MILTER" 'maillog_file = /dev/stdout'
    exec postfix start-fg
    ;;
*)
    echo "mail.sh: expected dovecot or postfix" >&2
    exit 1
    ;;
esac
