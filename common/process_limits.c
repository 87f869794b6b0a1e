/* SPDX-License-Identifier: Apache-2.0 */
#include "process_limits.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

static bool
read_processor(const char **text, unsigned long *number)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	*number = strtoul(*text, &end, 10);
	*text   = end;
	return *number < CPU_SETSIZE;
}

static bool
read_processors(const char *text, cpu_set_t *set)
{
	unsigned long first, last;

	CPU_ZERO(set);
	for (;;) {
		if (!read_processor(&text, &first))
			return false;
		last = first;
		if (*text == '-' && (text++, !read_processor(&text, &last)))
			return false;
		for (unsigned long i = first; i <= last; i++)
			CPU_SET(i, set);
		if (*text == '\0')
			return last >= first;
		if (*text++ != ',')
			return false;
	}
}

bool
process_limits_is_processor_list(const char *text)
{
	cpu_set_t set;

	return read_processors(text, &set);
}

static enum err
limit(__rlimit_resource_t what, int64_t value, const char *name, struct error *e)
{
	struct rlimit r;

	if (getrlimit(what, &r) < 0)
		return err_errno(e, "%s", name);
	r.rlim_cur = (rlim_t)value;
	if (r.rlim_max != RLIM_INFINITY && r.rlim_cur > r.rlim_max)
		return err_set(e, ERR_config, "%s is %" PRId64 ", but this process may have at most %" PRIu64, name, value,
		    (uint64_t)r.rlim_max);
	return setrlimit(what, &r) < 0 ? err_errno(e, "%s", name) : ERR_ok;
}

enum err
process_limits_apply(const struct kind_config *k, struct error *e)
{
	cpu_set_t set;
	enum err  code = ERR_ok;

	if (k->nice != 0 && setpriority(PRIO_PROCESS, 0, (int)k->nice) < 0)
		return err_errno(e, "nice %" PRId64, k->nice);
	if (k->open_files > 0)
		code = limit(RLIMIT_NOFILE, k->open_files, "open_files", e);
	if (code == ERR_ok && k->address_space > 0)
		code = limit(RLIMIT_AS, k->address_space, "address_space", e);
	if (code == ERR_ok && k->core_size >= 0)
		code = limit(RLIMIT_CORE, k->core_size, "core_size", e);
	if (code != ERR_ok || k->cpu_affinity[0] == '\0')
		return code;
	if (!read_processors(k->cpu_affinity, &set))
		return err_set(e, ERR_config, "cpu_affinity \"%s\" is not a list of processors such as 0-1,3",
		    k->cpu_affinity);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? err_errno(e, "cpu_affinity %s", k->cpu_affinity) : ERR_ok;
}
