# Dovecot and Postfix from Debian's packages with the files of this folder; compose/mail.sh starts one of them.
FROM debian:trixie-slim
RUN echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections \
    && apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-pgsql postfix postfix-pgsql ca-certificates \
    && rm -rf /var/lib/apt/lists/* /etc/dovecot/conf.d \
    && useradd --uid 5000 --user-group --home-dir /var/vmail --create-home --shell /usr/sbin/nologin vmail
COPY dovecot-2.4 /deploy/dovecot
COPY postfix /deploy/postfix
COPY compose/mail.sh /deploy/mail.sh
ENTRYPOINT ["sh", "/deploy/mail.sh"]
