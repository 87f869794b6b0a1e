/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - every process that shall run, and the orders about them.  One slot per
 * process, one kind per row of workers.def; the supervisor knows rows, not names.
 */
#ifndef STEWARD_TREE_H
#define STEWARD_TREE_H

#include "config.h"
#include "deaths.h"
#include "events.h"
#include "lifecycle.h"
#include "loop.h"
#include "restart.h"
#include "spawn.h"
#include "strays.h"

enum { SLOTS_MAX = 64, SLOT_NAME_SIZE = 40 };

struct slot {
	struct kind         *kind;
	unsigned             number;
	char                 name[SLOT_NAME_SIZE]; /* kind[number] */
	enum lifecycle_state state;
	pid_t                pid;
	struct watch         death; /* its pidfd */
	struct watch         words; /* its link; open over restarts */
	struct bus_link     *link;
	struct program       program;
	struct strays        strays; /* what it writes to stdout and stderr */
	struct restart_delays delays;
	bool                 rested;   /* ended well and shall not run again */
	bool                 hopeless; /* failed whatever the breaker says */
	bool                 stale;    /* to be replaced, when its turn comes */
	bool                 suspect;  /* silent for hang_timeout; looked at again before anything is done */
	bool                 hung;     /* SIGABRT was sent */
	bool                 overdue;  /* SIGKILL was sent, because it did not leave in time */
	int64_t              started_ms;
	int64_t              ready_ms; /* RESTART_NEVER: not yet */
	int64_t              beat_ms;  /* last sign of life */
	int64_t              due_ms;   /* of the next start, or of SIGKILL */
	uint64_t             starts;
	int64_t              report_ms;
	struct msg_heartbeat report;   /* what this process said last */
	struct msg_death     last;     /* ended_at 0: none yet */
};

struct kind {
	struct tree              *tree;
	const struct worker_desc *desc;
	const struct kind_config *config;
	unsigned                  processes;
	bool                      paused;
	struct restart_breaker    breaker;
	struct slot              *probe;   /* the one start that the open breaker allows */
	struct slot              *rolling; /* the one that is being replaced */
	unsigned                  nudged;  /* the last, for a fair turn */
	struct slot              *slot[SLOTS_MAX]; /* made when first wanted, then kept */
	struct deaths             deaths;
};

enum tree_mode { TREE_run, TREE_drain, TREE_stop };

struct tree {
	struct loop         *loop;
	struct events       *events;
	const struct config *config; /* in force; its owner replaces the content */
	const char          *config_path;
	char                 run_directory[80];  /* these two as they were at the start */
	char                 libexec_directory[256];
	struct spawner       spawner;
	enum tree_mode       mode;
	int                  open_rank; /* kinds above it wait for those below */
	int64_t              opened_ms;
	int64_t              reloaded_ms; /* the last time workers were told to read the configuration again */
	struct kind          kind[WORKER_COUNT];
};

/* Strings and pointers are borrowed for life; the tree itself may not move. */
void tree_init(struct tree *t, struct loop *loop, struct events *events, const struct config *config,
    const char *config_path);

/* Do what is due, and begin whatever separates what is from what shall be.  Call once per turn of the loop. */
void    tree_settle(struct tree *t, int64_t now_ms);
int64_t tree_due_ms(const struct tree *t);

/* We were stopped or starved ourselves: nobody is called hung for words that we did not hear. */
void tree_forgive(struct tree *t, int64_t now_ms);

/* Take up another configuration: how many processes, and hope for the hopeless. */
void tree_reconfigure(struct tree *t);

/* Replace the processes of a kind one after the other. */
void tree_roll(struct tree *t, enum worker_kind kind);

/* Send an order to every process. */
void tree_order(struct tree *t, const struct msg *m);
void tree_order_kind(struct tree *t, enum worker_kind kind, const struct msg *m);

/* ERR_not_found, ERR_refused (draining).  slot -1: all of the kind. */
NODISCARD enum err tree_restart(struct tree *t, enum worker_kind kind, int64_t slot, struct error *e);
NODISCARD enum err tree_scale(struct tree *t, enum worker_kind kind, uint64_t processes, struct error *e);
void tree_pause(struct tree *t, enum worker_kind kind, bool paused);
void tree_nudge(struct tree *t, enum worker_kind kind);

/* End all processes, highest rank first; TREE_run starts them again. */
void tree_set_mode(struct tree *t, enum tree_mode mode);

/* Do not wait for anybody: SIGKILL. */
void tree_hurry(struct tree *t);

bool tree_has_processes(const struct tree *t);

/* Whether every wanted process is ready, has ended for good, or was given up. */
bool tree_is_settled(const struct tree *t);

#endif
