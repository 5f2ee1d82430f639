-- The roles under which Dovecot, Postfix and the filter of sent mail (postfach milter) read their views on PostgreSQL.
-- Run it once as a superuser, in Postfach's database, after Postfach has brought it up to date:
--
--     psql --dbname postfach --set dovecot_password=… --set postfix_password=… \
--         --set milter_password=… --file roles.sql
--
-- Each of them reads these views and nothing else: no table, no sealed token; neither Postfix nor the filter a hash.

CREATE ROLE postfach_dovecot LOGIN NOINHERIT CONNECTION LIMIT 50 PASSWORD :'dovecot_password';
CREATE ROLE postfach_postfix LOGIN NOINHERIT CONNECTION LIMIT 100 PASSWORD :'postfix_password';
CREATE ROLE postfach_milter LOGIN NOINHERIT CONNECTION LIMIT 20 PASSWORD :'milter_password';

GRANT SELECT ON mail_passwords, mail_accounts TO postfach_dovecot;
GRANT SELECT ON mail_domains, mail_accounts, mail_logins TO postfach_postfix;
GRANT SELECT ON mail_senders TO postfach_milter;
