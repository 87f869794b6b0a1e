/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "log_record.h"

enum { REPEAT_MS = 60 * 1000 };

static struct {
	char            tag[48];
	char            node[64];
	enum log_level  level;
	enum log_format format;
	int             fd;
	int             socket;     /* towards the journal; -1: none */
	bool            is_journal; /* `fd` is its stream */
	uint64_t        lost;       /* lines, since the last that was written */
	const char     *journal;
} out = {
	.tag     = "steward",
	.level   = LOG_info,
	.fd      = STDERR_FILENO,
	.socket  = -1,
	.journal = "/run/systemd/journal/socket",
};

static const struct {
	const char    *name;
	enum log_level level;
} levels[] = {
	{ "error",   LOG_error   },
	{ "warning", LOG_warning },
	{ "info",    LOG_info    },
	{ "debug",   LOG_debug   },
};

static const char *const formats[] = { [LOG_auto] = "auto", [LOG_logfmt] = "logfmt", [LOG_json] = "json" };

/* ----------------------------------------------------------------- settle */
/* JOURNAL_STREAM is inherited by whoever inherits the environment; the descriptor may be another one. */
static bool
is_stream_of_journal(int fd)
{
	const char        *name = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat        st;

	return name != NULL && sscanf(name, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &st) == 0 &&
	    st.st_dev == device && st.st_ino == inode;
}

static void
settle(void)
{
	out.is_journal = is_stream_of_journal(out.fd);
	if (out.is_journal && out.format == LOG_auto && out.socket < 0)
		out.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void
log_init(const char *tag, enum log_level level)
{
	(void)snprintf(out.tag, sizeof(out.tag), "%s", tag);
	out.level = level;
	log_configure("", "", "");
}

void
log_set_descriptor(int fd)
{
	out.fd = fd;
	settle();
}

void
log_set_journal(const char *path)
{
	out.journal = path;
}

void
log_set_level(enum log_level level)
{
	out.level = level;
}

void
log_configure(const char *level, const char *format, const char *node)
{
	(void)log_level_by_name(level, &out.level);
	(void)log_format_by_name(format, &out.format);
	if (node[0] != '\0')
		(void)snprintf(out.node, sizeof(out.node), "%s", node);
	else if (gethostname(out.node, sizeof(out.node) - 1) != 0)
		(void)snprintf(out.node, sizeof(out.node), "localhost");
	settle();
}

/* ------------------------------------------------------------------ words */
bool
log_level_by_name(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*level = levels[i].level;
			return true;
		}
	}
	return false;
}

const char *
log_level_name(enum log_level level)
{
	for (size_t i = 0; i < COUNT_OF(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "info";
}

bool
log_format_by_name(const char *name, enum log_format *format)
{
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		if (strcmp(formats[i], name) == 0) {
			*format = (enum log_format)i;
			return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------------ write */
static bool
tell_journal(const struct log_record *r)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char               datagram[LOG_RECORD_SIZE];
	size_t             length;

	if (out.socket < 0)
		return false;
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", out.journal);
	length = log_record_journal(r, datagram);
	/* Not connected, so that a journal that was restarted is found again. */
	return sendto(out.socket, datagram, length, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) >= 0;
}

/* One write, so that lines of several processes do not mix. */
static bool
write_line(const struct log_record *r)
{
	struct pollfd room = { out.fd, POLLOUT, 0 };
	char          line[LOG_LINE_SIZE];
	size_t        length;

	if (out.format == LOG_json)
		length = log_record_json(r, line);
	else if (out.is_journal)
		length = log_record_prefixed(r, line);
	else
		length = log_record_logfmt(r, line);
	/* Whoever reads us may have stopped; the descriptor is not ours alone to make it non-blocking. */
	return poll(&room, 1, 0) > 0 && (room.revents & POLLOUT) != 0 && write(out.fd, line, length) >= 0;
}

static bool
tell(const struct log_record *r)
{
	return (out.is_journal && out.format == LOG_auto && tell_journal(r)) || write_line(r);
}

void
log_event(enum log_level level, const char *event, const char *format, ...)
{
	char              pairs[LOG_PAIRS_SIZE];
	char              lost[32];
	struct log_record r = { clock_wall_us(), level, event, out.tag, out.node, pairs };
	va_list           args;

	if (level > out.level)
		return;
	if (out.lost > 0) {
		struct log_record first = { r.wall_us, LOG_warning, "log_lines_lost", out.tag, out.node, lost };

		(void)snprintf(lost, sizeof(lost), "lines=%" PRIu64, out.lost);
		if (tell(&first))
			out.lost = 0;
	}
	va_start(args, format);
	(void)vsnprintf(pairs, sizeof(pairs), format, args);
	va_end(args);
	if (out.lost > 0 || !tell(&r))
		out.lost++;
}

/* ------------------------------------------------------------------ quote */
static bool
is_plain(const char *text)
{
	bool digits_only = true;

	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '"' || *p == '=' || *p == '\\')
			return false;
		digits_only = digits_only && ((*p >= '0' && *p <= '9') || *p == '-');
	}
	return !digits_only;
}

bool
log_is_news(struct log_repeat *r, const char *text, int64_t now_ms)
{
	bool is_new = r->times == 0 || strncmp(r->text, text, sizeof(r->text) - 1) != 0;

	if (is_new) {
		(void)snprintf(r->text, sizeof(r->text), "%.*s", (int)sizeof(r->text) - 1, text);
		r->times = 0;
	}
	r->times++;
	if (!is_new && now_ms - r->told_ms < REPEAT_MS)
		return false;
	r->told_ms = now_ms;
	return true;
}

const char *
log_quote(const char *text, char quoted[LOG_QUOTE_SIZE])
{
	size_t n = 0;

	if (is_plain(text)) {
		(void)snprintf(quoted, LOG_QUOTE_SIZE, "%s", text);
		return quoted;
	}
	quoted[n++] = '"';
	for (const char *p = text; *p != '\0' && n < LOG_QUOTE_SIZE - 4; p++) {
		if (*p == '"' || *p == '\\') {
			quoted[n++] = '\\';
			quoted[n++] = *p;
		} else if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			quoted[n++] = ' ';
		} else {
			quoted[n++] = *p;
		}
	}
	quoted[n++] = '"';
	quoted[n]   = '\0';
	return quoted;
}
