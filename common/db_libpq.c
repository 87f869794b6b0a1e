/* SPDX-License-Identifier: Apache-2.0 */
#include "db_libpq.h"

#include <dlfcn.h>
#include <string.h>

static const struct {
	const char *name;
	size_t      offset;
} symbols[] = {
#define PQ(name) { "PQ" #name, offsetof(struct libpq, name) },
#include "libpq.def"
#undef PQ
};

static struct libpq loaded;
static bool         is_loaded;

static enum err
find_all(void *library, struct error *e)
{
	for (size_t i = 0; i < COUNT_OF(symbols); i++) {
		void *found = dlsym(library, symbols[i].name);

		if (found == NULL)
			return err_set(e, ERR_system, "libpq.so.5 is too old for steward: it has no %s", symbols[i].name);
		/* ISO C has no other way from an object's address to a function's. */
		memcpy((char *)&loaded + symbols[i].offset, &found, sizeof(found));
	}
	return ERR_ok;
}

enum err
libpq_load(struct error *e)
{
	void    *library;
	enum err r;

	if (is_loaded)
		return ERR_ok;
	library = dlopen("libpq.so.5", RTLD_LAZY | RTLD_LOCAL);
	if (library == NULL)
		return err_set(e, ERR_system, "%s; it is in the package libpq5", dlerror());
	r         = find_all(library, e);
	is_loaded = r == ERR_ok;
	return r;
}

const struct libpq *
libpq(void)
{
	return &loaded;
}
