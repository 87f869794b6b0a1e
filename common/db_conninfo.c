/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection strings and the password.  libpq echoes pieces of a string that it
 * cannot parse, and such a piece may be half a password: its words are used only
 * where no password can be in them.
 */
#include "db_libpq.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Both ends give up on a silent partner after about 3 + 2 * 2 s; and times are read in one form only. */
static const char server_options[] =
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2 -c tcp_user_timeout=6000"
    " -c idle_in_transaction_session_timeout=60000 -c jit=off -c timezone=UTC -c datestyle=ISO";

static void
options_cleanup(PQconninfoOption **list)
{
	if (*list != NULL)
		libpq()->conninfoFree(*list);
}

static void
finish_cleanup(PGconn **pg)
{
	if (*pg != NULL)
		libpq()->finish(*pg);
}

static void
close_cleanup(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* --------------------------------------------------------------- strings */
static enum err
parse(const char *conninfo, PQconninfoOption **list, struct error *e)
{
	char    *why    = NULL;
	bool     secret = strstr(conninfo, "password") != NULL || strstr(conninfo, "://") != NULL;
	enum err r      = libpq_load(e);

	if (r != ERR_ok)
		return r;
	*list = libpq()->conninfoParse(conninfo, &why);
	if (*list != NULL)
		return ERR_ok;
	if (why == NULL)
		return err_set(e, ERR_no_memory, "read the connection string: memory ran out");
	(void)err_set(e, ERR_config, "the connection string cannot be read%s%.*s", secret ? "" : ": ",
	    secret ? 0 : (int)strcspn(why, "\n"), why);
	libpq()->freemem(why);
	return ERR_config;
}

static const char *
value_of(const PQconninfoOption *list, const char *keyword)
{
	for (; list->keyword != NULL; list++)
		if (strcmp(list->keyword, keyword) == 0 && list->val != NULL)
			return list->val;
	return "";
}

/*
 * The values that a connection would use: the string's, then those of its
 * service and of the environment, then defaults.  Only libpq knows how to find
 * them, and only a connection tells; an impossible sslmode ends this one before
 * it opens a socket.
 */
static enum err
resolve(const char *conninfo, PQconninfoOption **list, struct error *e)
{
	static const char *const key[]  = { "dbname", "sslmode", NULL };
	const char *const        value[] = { conninfo, "none at all", NULL };
	CLEANUP(options_cleanup) PQconninfoOption *given = NULL;
	CLEANUP(finish_cleanup) PGconn *pg               = NULL;
	enum err                        r                = parse(conninfo, &given, e);

	if (r != ERR_ok)
		return r;
	/* An empty string is no connection string to libpq, but the name of no database. */
	if (conninfo[0] != '\0')
		pg = libpq()->connectStartParams(key, value, 1);
	else
		pg = libpq()->connectStartParams(&key[1], &value[1], 0);
	*list = libpq()->conninfo(pg);
	return *list != NULL ? ERR_ok : err_set(e, ERR_no_memory, "read the connection string: memory ran out");
}

enum err
db_conninfo_keyword(const char *conninfo, const char *keyword, char *value, size_t size, struct error *e)
{
	CLEANUP(options_cleanup) PQconninfoOption *list = NULL;
	enum err                                   r    = resolve(conninfo, &list, e);

	if (r == ERR_ok && (size_t)snprintf(value, size, "%s", value_of(list, keyword)) >= size)
		return err_set(e, ERR_config, "the connection string's %s is too long", keyword);
	return r;
}

/* Add "keyword='value' "; false when there is no room. */
static bool
put_pair(char **out, size_t *room, const char *keyword, const char *value)
{
	int n = snprintf(*out, *room, "%s='", keyword);

	if (n < 0 || (size_t)n >= *room)
		return false;
	*out += n;
	*room -= (size_t)n;
	for (; *value != '\0'; value++) {
		if (*room < 6)
			return false;
		if (*value == '\'' || *value == '\\') {
			*(*out)++ = '\\';
			(*room)--;
		}
		*(*out)++ = *value;
		(*room)--;
	}
	if (*room < 3)
		return false;
	*(*out)++ = '\'';
	*(*out)++ = ' ';
	**out     = '\0';
	*room -= 2;
	return true;
}

enum err
db_conninfo_with(const char *conninfo, const char *keyword, const char *value, char *out, size_t size,
    struct error *e)
{
	CLEANUP(options_cleanup) PQconninfoOption *list = NULL;
	char    *end  = out;
	bool     fits = true;
	enum err r    = parse(conninfo, &list, e);

	if (r != ERR_ok)
		return r;
	for (const PQconninfoOption *o = list; o->keyword != NULL && fits; o++)
		if (o->val != NULL && strcmp(o->keyword, keyword) != 0)
			fits = put_pair(&end, &size, o->keyword, o->val);
	if (!fits || !put_pair(&end, &size, keyword, value))
		return err_set(e, ERR_config, "the connection string is too long");
	return ERR_ok;
}

/* -------------------------------------------------------------- password */
static enum err
read_secret(int fd, const char *path, char password[DB_PASSWORD_SIZE], struct error *e)
{
	ssize_t n = read(fd, password, DB_PASSWORD_SIZE);

	if (n < 0)
		return err_set(e, ERR_config, "password file %s: %s", path, strerror(errno));
	if (n == DB_PASSWORD_SIZE) {
		explicit_bzero(password, DB_PASSWORD_SIZE);
		return err_set(e, ERR_config, "password file %s is too long for a password", path);
	}
	password[n] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	if (password[0] == '\0')
		return err_set(e, ERR_config, "password file %s is empty", path);
	return ERR_ok;
}

enum err
db_password_read(const char *password_file, char password[DB_PASSWORD_SIZE], struct error *e)
{
	const char            *directory = getenv("CREDENTIALS_DIRECTORY");
	char                   credential[512];
	struct stat            st;
	CLEANUP(close_cleanup) int fd = -1;

	password[0] = '\0';
	if (directory != NULL && directory[0] != '\0') {
		(void)snprintf(credential, sizeof(credential), "%s/steward.db-password", directory);
		fd = open(credential, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		/* The directory guards it; newer systemd sets group bits through an ACL. */
		if (fd >= 0)
			return read_secret(fd, credential, password, e);
		if (errno != ENOENT)
			return err_set(e, ERR_config, "password file %s: %s", credential, strerror(errno));
	}
	if (password_file == NULL || password_file[0] == '\0')
		return ERR_ok;
	fd = open(password_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(e, ERR_config, "password file %s: %s", password_file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_config, "password file %s is not a file", password_file);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(e, ERR_config, "password file %s may be read by others; run: chmod 600 %s", password_file,
		    password_file);
	return read_secret(fd, password_file, password, e);
}

/* -------------------------------------------------------------- keywords */
static void
add(struct db_keywords *k, const char *key, const char *value)
{
	k->key[k->count]     = key;
	k->value[k->count++] = value;
}

static int
count_hosts(const PQconninfoOption *list)
{
	const char *hosts = value_of(list, "hostaddr");
	int         count = 1;

	if (hosts[0] == '\0')
		hosts = value_of(list, "host");
	for (; *hosts != '\0'; hosts++)
		count += *hosts == ',';
	return count;
}

/* A bare @ in a URI's password ends it, and the rest would be shown as the name of a host. */
static enum err
refuse_spilled_password(const PQconninfoOption *list, struct error *e)
{
	const char *host = value_of(list, "host");

	/* One at the beginning names an abstract socket. */
	if (host[0] == '\0' || strchr(host + 1, '@') == NULL)
		return ERR_ok;
	return err_set(e, ERR_config,
	    "the connection string's host holds an @; in a URI a password's @ is written %%40");
}

/* What the user asked for stands first, so that ours decides where both speak. */
static enum err
join_options(struct db_keywords *k, const char *given, int64_t statement_timeout_ms, struct error *e)
{
	int n = snprintf(k->options, sizeof(k->options), "%s%s%s -c statement_timeout=%" PRId64, given,
	    given[0] != '\0' ? " " : "", server_options, statement_timeout_ms);

	return n < (int)sizeof(k->options) ? ERR_ok :
	    err_set(e, ERR_config, "the connection string's options are too long");
}

enum err
db_keywords_init(struct db_keywords *k, const struct db_options *o, struct error *e)
{
	CLEANUP(options_cleanup) PQconninfoOption *list = NULL;
	enum err                                   r;

	memset(k, 0, sizeof(*k));
	r = resolve(o->conninfo, &list, e);
	if (r == ERR_ok)
		r = refuse_spilled_password(list, e);
	if (r == ERR_ok)
		r = join_options(k, value_of(list, "options"), o->statement_timeout_ms, e);
	if (r == ERR_ok && !o->leave_password)
		r = db_password_read(o->password_file, k->password, e);
	if (r != ERR_ok)
		return r;
	k->hosts = count_hosts(list);
	/* Whole seconds, and never 0, which would mean for ever. */
	(void)snprintf(k->timeout, sizeof(k->timeout), "%" PRId64, MAX((o->connect_timeout_ms + 999) / 1000, 2));
	/* libpq expands the first dbname; what follows it wins. */
	if (o->conninfo[0] != '\0')
		add(k, "dbname", o->conninfo);
	add(k, "application_name", o->application);
	add(k, "client_encoding", "UTF8");
	add(k, "connect_timeout", k->timeout);
	add(k, "keepalives", "1");
	add(k, "keepalives_idle", "3");
	add(k, "keepalives_interval", "2");
	add(k, "keepalives_count", "2");
	/* A dead first host must not use up what the next one needs. */
	(void)snprintf(k->user_timeout, sizeof(k->user_timeout), "%" PRId64, MIN(INT64_C(6000), o->connect_timeout_ms));
	add(k, "tcp_user_timeout", k->user_timeout);
	add(k, "options", k->options);
	if (k->password[0] != '\0')
		add(k, "password", k->password);
	add(k, NULL, NULL);
	return ERR_ok;
}

void
db_keywords_wipe(struct db_keywords *k)
{
	explicit_bzero(k, sizeof(*k));
}
