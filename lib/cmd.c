/* cmd.c - line commands by table: SMTP, POP3. */
/* SPDX-License-Identifier: ISC */

#include "lib/cmd.h"

static const struct cmd *
find(const struct cmd *table, struct slice verb)
{
	for (; table->verb != NULL; table++)
		if (slice_eq_nocase(verb, slice_of(table->verb)))
			return table;
	return NULL;
}

enum cmd_status
cmd_dispatch(const struct cmd *table, void *session, unsigned state,
    bool more_input, struct slice line, const struct cmd **found, int *code)
{
	struct slice arg = line, verb = slice_cut(&arg, ' ');
	const struct cmd *c = find(table, verb);

	arg = arg.p == NULL ? SLICE_EMPTY : slice_trim(arg);
	*found = c;
	*code = 0;
	if (c == NULL)
		return CMD_UNKNOWN;
	if ((c->states & state) == 0)
		return CMD_WRONG_STATE;
	if ((c->flags & CMD_ARG) != 0 && arg.len == 0)
		return CMD_NO_ARG;
	if ((c->flags & CMD_NOARG) != 0 && arg.len != 0)
		return CMD_HAS_ARG;
	if ((c->flags & CMD_LAST) != 0 && more_input)
		return CMD_NOT_LAST;
	if (c->check != NULL && (*code = c->check(session, arg)) != 0)
		return CMD_REFUSED;
	c->act(session);
	return CMD_OK;
}
