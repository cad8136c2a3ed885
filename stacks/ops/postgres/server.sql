-- What belongs to the server as a whole: the superuser's password, and who may enter the spare databases.
\set ON_ERROR_STOP on
-- An error must not print the statement, which holds the password; nor may the server log it.
\set VERBOSITY terse
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
\getenv pw POSTGRES_PASSWORD
SELECT format('ALTER ROLE %I PASSWORD %L', current_user, :'pw') \gexec
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
