/* local_day.c - a day alone, as the domain's people mean it. */
/* SPDX-License-Identifier: ISC */

/*
 * Kept as a moment of UTC: what was meant when it was said does not change with
 * the domain's zone, and all who read it need no zones. A zone that is not in
 * the database counts as UTC.
 */

#include "registry/local_day.h"

#include <string.h>

#include "lib/date.h"
#include "lib/log.h"
#include "lib/num.h"
#include "registry/zone.h"

#define DAY_LEN 10	/* "2026-12-24" */
#define LAST_SECOND 86399

int
local_zone(struct registry *r, const char *name, struct zone *out)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char main_name[ADDR_DOMAIN_MAX + 1];
	struct object d;
	int found = object_load(r->store, &kind_domain, name, &bytes, &d);
	const char *rule = NULL;
	struct slice zone;

	if (found == 1 && object_get(&d, "alias-of").p != NULL &&
	    slice_to_cstr(object_get(&d, "alias-of"), main_name,
	    sizeof(main_name)) == 0) {
		str_clear(&bytes);
		found = object_load(r->store, &kind_domain, main_name, &bytes,
		    &d);
	}
	memset(out, 0, sizeof(*out));
	zone = found == 1 ? object_get(&d, "time-zone") : slice_make(NULL, 0);
	if (zone.p != NULL)
		rule = zone_rule(zone);
	if (zone.p != NULL && (rule == NULL ||
	    zone_parse(slice_of(rule), out) == -1))
		log_notice(NULL, "zone", "domain=%s zone=%s counted-as=UTC",
		    LOGS(name), LOGQ(zone));
	str_free(&bytes);
	return found == -1 ? -1 : 0;
}

int
local_moment(struct registry *r, const char *account, struct slice day,
    bool is_end, int64_t *out)
{
	const char *at = strchr(account, '@');
	uint64_t year, month, date;
	struct zone zone;

	if (day.p == NULL || day.len != DAY_LEN || at == NULL ||
	    num_parse(slice_make(day.p, 4), 1970, 9999, &year) == -1 ||
	    num_parse(slice_make(day.p + 5, 2), 1, 12, &month) == -1 ||
	    num_parse(slice_make(day.p + 8, 2), 1, 31, &date) == -1)
		return 0;
	if (local_zone(r, at + 1, &zone) == -1)
		return -1;
	*out = zone_seconds(&zone, (int)year, (int)month, (int)date,
	    is_end ? LAST_SECOND : 0);
	return 1;
}

int
local_day(struct registry *r, struct object *account, const char *attribute,
    bool is_end)
{
	char text[DATE_MAX];
	int64_t when;
	int is_day = local_moment(r, account->name,
	    object_get(account, attribute), is_end, &when);

	return is_day != 1 ? is_day : object_put(account, attribute,
	    slice_of(date_iso((time_t)when, text)));
}
