/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_record - one event in each of its written forms.  Pure: what comes in are
 * the words of log_event(), with the pairs as they were formatted; the forms that
 * have a structure take them apart again.
 */
#ifndef STEWARD_LOG_RECORD_H
#define STEWARD_LOG_RECORD_H

#include "log.h"

enum {
	LOG_PAIRS_SIZE  = 2048,
	/* A line is one write that does not mix with those of other processes: no more than PIPE_BUF. */
	LOG_LINE_SIZE   = 4096,
	LOG_RECORD_SIZE = 8192
};

struct log_record {
	int64_t        wall_us;
	enum log_level level;
	const char    *event;
	const char    *from;
	const char    *node;
	const char    *pairs; /* shorter than LOG_PAIRS_SIZE */
};

/*
 * Each returns the length and cuts what does not fit; nothing is terminated.
 * A line ends with its newline.  JSON is valid whatever bytes came in.
 */
size_t log_record_logfmt(const struct log_record *r, char line[LOG_LINE_SIZE]);
size_t log_record_prefixed(const struct log_record *r, char line[LOG_LINE_SIZE]);
size_t log_record_json(const struct log_record *r, char line[LOG_LINE_SIZE]);

/* One datagram of systemd's native journal protocol. */
size_t log_record_journal(const struct log_record *r, char datagram[LOG_RECORD_SIZE]);

#endif
