/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strays - what a worker's process writes to its stdout and stderr: words of a
 * library, an assertion, a sanitizer's report.  Its own log lines go another way.
 *
 * The pipe is made with the slot and kept over all its processes.  Each process
 * may say a hundred lines at once and twenty a second; above that the newest are
 * kept, because the last words before a death say why.
 */
#ifndef STEWARD_STRAYS_H
#define STEWARD_STRAYS_H

#include "loop.h"

enum {
	STRAYS_BURST      = 100,
	STRAYS_PER_SECOND = 20,
	STRAYS_LINE       = 512, /* longer ones are cut */
	STRAYS_HELD       = 4096
};

struct strays {
	struct loop *loop;
	const char  *process;
	int          read_fd;  /* CLOEXEC, does not block */
	int          write_fd; /* CLOEXEC; becomes descriptors 1 and 2 of the process */
	struct watch watch;    /* of read_fd; not added while the process has said too much */
	char         held[STRAYS_HELD];
	size_t       length;
	bool         is_cut;   /* the rest of a line follows that was told already */
	unsigned     allowance;
	int64_t      counted_ms;
	uint64_t     dropped;
	int64_t      due_ms, open_ms; /* when it has said too much: the next look, and the next lines */
};

/* In place, and not moved; `process` is borrowed for life. */
NODISCARD enum err strays_open(struct strays *s, struct loop *loop, const char *process, struct error *e);
void               strays_close(struct strays *s);

/* The process is dead: so many bytes in the pipe are its own, those of the next one come behind them. */
int strays_left(const struct strays *s);

/* Tell its last words, `left` bytes of them; the next process begins with a full allowance. */
void strays_end(struct strays *s, int left, int64_t now_ms);

/* Only a process that has said too much makes something due. */
void    strays_tick(struct strays *s, int64_t now_ms);
int64_t strays_due_ms(const struct strays *s);

#endif
