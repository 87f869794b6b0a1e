/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"

#define ADMIN_ACCOUNT "postgres"

static void
wipe_cleanup(struct admin *a)
{
	explicit_bzero(a->password, sizeof(a->password));
}

/* ------------------------------------------------------------ as whom */
/* Whether the server is on this machine, and the directory of its socket ("": libpq's default). */
static bool
is_local(const char *host, const char **directory)
{
	static const char *const names[] = { "", "localhost", "127.0.0.1", "::1" };

	*directory = host;
	if (host[0] == '/' && strchr(host, ',') == NULL)
		return true;
	*directory = "";
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(host, names[i]) == 0)
			return true;
	return false;
}

/* "host='...' port='...' user='...' dbname='postgres'" for the account on the login's server. */
static enum err
account_conninfo(struct admin *a, const char *directory, const char *user, struct error *e)
{
	char     port[32];
	char     next[ADMIN_CONNINFO_SIZE];
	enum err r = db_conninfo_keyword(a->cfg.database_conninfo, "port", port, sizeof(port), e);

	if (r == ERR_ok)
		r = db_conninfo_with("dbname=postgres", "user", user, a->conninfo, sizeof(a->conninfo), e);
	if (r == ERR_ok && directory[0] != '\0') {
		r = db_conninfo_with(a->conninfo, "host", directory, next, sizeof(next), e);
		memcpy(a->conninfo, next, sizeof(next));
	}
	if (r == ERR_ok && port[0] != '\0') {
		r = db_conninfo_with(a->conninfo, "port", port, next, sizeof(next), e);
		memcpy(a->conninfo, next, sizeof(next));
	}
	return r;
}

static enum err
choose(struct admin *a, const char *given, bool needs_administrator, struct error *e)
{
	const struct passwd *pw;
	const char          *directory;
	char                 host[256];
	enum err             r;

	a->way = ADMIN_login;
	(void)snprintf(a->conninfo, sizeof(a->conninfo), "%s", a->cfg.database_conninfo);
	if (given != NULL) {
		a->way = ADMIN_given;
		if ((size_t)snprintf(a->conninfo, sizeof(a->conninfo), "%s", given) >= sizeof(a->conninfo))
			return err_set(e, ERR_usage, "--admin: the connection string is too long");
		return ERR_ok;
	}
	r = db_conninfo_keyword(a->cfg.database_conninfo, "host", host, sizeof(host), e);
	if (r != ERR_ok)
		return r;
	if (!needs_administrator && (geteuid() != 0 || getpwnam(ADMIN_ACCOUNT) == NULL))
		return ERR_ok;
	if (is_local(host, &directory)) {
		a->way = ADMIN_account;
		if (geteuid() == 0)
			(void)snprintf(a->account, sizeof(a->account), "%s", ADMIN_ACCOUNT);
		pw = getpwuid(geteuid());
		return account_conninfo(a, directory, geteuid() == 0 || pw == NULL ? ADMIN_ACCOUNT : pw->pw_name, e);
	}
	if (needs_administrator)
		return err_set(e, ERR_usage, "the server %s is not on this machine; give --admin CONNINFO", host);
	return ERR_ok;
}

/* The password that the login is to have, where one is configured. */
static enum err
find_password(struct admin *a, struct error *e)
{
	const char *environment = getenv("PGPASSWORD");
	enum err    r           = db_password_read(a->cfg.database_password_file, a->password, e);

	if (r != ERR_ok || a->password[0] != '\0')
		return r;
	r = db_conninfo_keyword(a->cfg.database_conninfo, "password", a->password, sizeof(a->password), e);
	/* The environment's is the administrator's, not the login's. */
	if (environment != NULL && strcmp(environment, a->password) == 0)
		a->password[0] = '\0';
	return r;
}

enum err
admin_connect(const struct admin *a, const char *database, struct db **out, struct error *e)
{
	char              conninfo[ADMIN_CONNINFO_SIZE];
	struct db_options o = {
		.conninfo           = a->conninfo,
		.password_file      = a->cfg.database_password_file,
		.application        = "stewardctl",
		.connect_timeout_ms = a->cfg.database_connect_timeout,
		.leave_password     = a->way != ADMIN_login,
	};
	enum err r;

	if (database != NULL) {
		r = db_conninfo_with(a->conninfo, "dbname", database, conninfo, sizeof(conninfo), e);
		if (r != ERR_ok)
			return r;
		o.conninfo = conninfo;
	}
	r = db_connect(&o, out, e);
	explicit_bzero(conninfo, sizeof(conninfo));
	return r;
}

enum err
admin_advise(struct error *e, const char *advice)
{
	size_t used = strlen(e->text);

	(void)snprintf(e->text + used, sizeof(e->text) - used, "; %s", advice);
	return e->code;
}

/* ---------------------------------------------------------- another user */
static enum err
become(const char *account, struct error *e)
{
	const struct passwd *pw = getpwnam(account);

	if (pw == NULL)
		return err_set(e, ERR_usage, "there is no account %s on this machine; give --admin CONNINFO", account);
	if (account_become(pw, e) != ERR_ok)
		return e->code;
	return chdir("/") == 0 ? ERR_ok : err_errno(e, "become %s", account);
}

/* The sentence is what is left of the child; its exit status is the row of errors.def. */
static enum err
collect(pid_t child, int fd, struct error *e)
{
	char    text[ERROR_TEXT_SIZE];
	size_t  used = 0;
	ssize_t n;
	int     status;

	while (used < sizeof(text) - 1 && (n = read(fd, text + used, sizeof(text) - 1 - used)) != 0)
		if (n > 0)
			used += (size_t)n;
		else if (errno != EINTR)
			break;
	text[used] = '\0';
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, "wait for the administrator's part");
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= ERR_COUNT)
		return err_set(e, ERR_internal, "the administrator's part ended with status 0x%x", (unsigned)status);
	return WEXITSTATUS(status) == ERR_ok ? ERR_ok : err_set(e, (enum err)WEXITSTATUS(status), "%s", text);
}

static enum err
run_as_account(const struct command_context *c, const struct admin *a, admin_fn *fn, struct error *e)
{
	int      fds[2];
	pid_t    child;
	enum err r;

	(void)fflush(NULL);
	if (pipe(fds) != 0)
		return err_errno(e, "pipe");
	child = fork();
	if (child == 0) {
		(void)close(fds[0]);
		r = become(a->account, e);
		if (r == ERR_ok)
			r = fn(c, a, e);
		if (fflush(stdout) != 0 && r == ERR_ok)
			r = err_errno(e, "standard output");
		_exit(write(fds[1], e->text, strlen(e->text)) < 0 ? ERR_internal : (int)r);
	}
	(void)close(fds[1]);
	r = child < 0 ? err_errno(e, "fork") : collect(child, fds[0], e);
	(void)close(fds[0]);
	return r;
}

static void
find_caller(struct admin *a)
{
	const char          *person = getenv("SUDO_USER");
	const struct passwd *pw     = getpwuid(getuid());

	if (getuid() != 0 || person == NULL || person[0] == '\0')
		person = pw != NULL ? pw->pw_name : "";
	(void)snprintf(a->caller, sizeof(a->caller), "%s", person);
}

static enum err
load(const struct command_context *c, struct admin *a, struct error *e)
{
	enum err r = command_load_config(c, &a->cfg, e);

	if (r == ERR_ok)
		r = db_conninfo_keyword(a->cfg.database_conninfo, "dbname", a->database, sizeof(a->database), e);
	if (r == ERR_ok)
		r = db_conninfo_keyword(a->cfg.database_conninfo, "user", a->login, sizeof(a->login), e);
	find_caller(a);
	return r;
}

enum err
admin_run(const struct command_context *c, bool needs_administrator, admin_fn *fn, struct error *e)
{
	CLEANUP(wipe_cleanup) struct admin a = { 0 };
	enum err r = load(c, &a, e);

	if (r == ERR_ok)
		r = choose(&a, c->admin, needs_administrator, e);
	/* Read while this process may: the account postgres may not. */
	if (r == ERR_ok && needs_administrator)
		r = find_password(&a, e);
	if (r != ERR_ok)
		return r;
	return a.account[0] != '\0' ? run_as_account(c, &a, fn, e) : fn(c, &a, e);
}

enum err
admin_run_login(const struct command_context *c, admin_fn *fn, struct error *e)
{
	CLEANUP(wipe_cleanup) struct admin a = { .way = ADMIN_login };
	const char *directory;
	const char *account;
	char        host[256];
	enum err    r = load(c, &a, e);

	if (r == ERR_ok)
		r = db_conninfo_keyword(a.cfg.database_conninfo, "host", host, sizeof(host), e);
	if (r == ERR_ok)
		r = find_password(&a, e);
	if (r != ERR_ok)
		return r;
	(void)snprintf(a.conninfo, sizeof(a.conninfo), "%s", a.cfg.database_conninfo);
	account = a.cfg.user[0] != '\0' ? a.cfg.user : a.login;
	if (geteuid() != 0 || !is_local(host, &directory) || a.password[0] != '\0' || getpwnam(account) == NULL)
		return fn(c, &a, e);
	(void)snprintf(a.account, sizeof(a.account), "%s", account);
	return run_as_account(c, &a, fn, e);
}
