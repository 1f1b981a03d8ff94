/* migrate_account.c - accounts of other mail systems; what becomes of mail. */
/* SPDX-License-Identifier: ISC */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/hdr.h"
#include "tools/json.h"
#include "tools/migrate.h"

/* What user.show says of an account that is there. */
struct seen {
	bool locked, routed;
};

static void
take_seen(void *arg, const struct registry_fields *row)
{
	struct seen *s = arg;

	s->locked = slice_eq(registry_field(row, "password"), SLICE("locked"));
	s->routed = registry_field(row, "forward").p != NULL ||
	    registry_field(row, "vacation-text").p != NULL ||
	    slice_eq(registry_field(row, "discard"), SLICE("yes"));
}

static bool
look(struct migration *g, const char *address, struct seen *s)
{
	struct registry_fields f = { .n = 0 };
	char text[1024];

	registry_add(&f, "address", slice_of(address));
	return migrate_ask(g, "user.show", &f, take_seen, s, text,
	    sizeof(text)) == REGISTRY_OK;
}

/* A mailbox that each domain has from its beginning, locked, gets the password
 * that it had. */
static void
give_hash(struct migration *g, const char *address, const char *hash)
{
	struct registry_fields f = { .n = 0 };

	registry_add(&f, "address", slice_of(address));
	registry_add(&f, "hash", slice_of(hash));
	migrate_change(g, "user.passwd", &f, "password", address, "");
}

void
migrate_user(struct migration *g, const char *domain,
    const struct old_account *a)
{
	bool known = old_hash_is_known(a->hash);
	char address[ADDR_TEXT_MAX], bytes[24], messages[24];
	struct registry_fields f = { .n = 0 };
	struct seen seen;

	snprintf(address, sizeof(address), "%s@%s", a->name, domain);
	snprintf(bytes, sizeof(bytes), "%" PRIu64, a->quota_bytes);
	snprintf(messages, sizeof(messages), "%" PRIu64, a->quota_messages);
	registry_add(&f, "address", slice_of(address));
	registry_add(&f, "hash", slice_of(known ? a->hash : "!"));
	if (*a->full_name != '\0')
		registry_add(&f, "full-name", slice_of(a->full_name));
	registry_add(&f, "quota-bytes", slice_of(bytes));
	registry_add(&f, "quota-messages", slice_of(messages));
	if (a->no_pop)
		registry_add(&f, "pop3", SLICE("no"));
	if (a->no_relay)
		registry_add(&f, "smtp", SLICE("no"));
	if (a->flags & OLD_NO_PASSWORD)
		registry_add(&f, "owner-may", SLICE("all -password"));
	else if (a->own_password)
		registry_add(&f, "owner-may", SLICE("all"));
	if (a->bounces)
		registry_add(&f, "state", SLICE("disabled"));
	if (look(g, address, &seen) && seen.locked && known)
		give_hash(g, address, a->hash);
	/* A name like "info" is somebody's account there. */
	else if (!migrate_add(g, "user", address, &f, true)) {
		registry_add(&f, "force", SLICE("yes"));
		migrate_add(g, "user", address, &f, false);
	}
	if (!known)
		migrate_report(g, LEFT_OUT, "password", address, tr(g->m,
		    "its hash is of no kind that can be verified here: set "
		    "another one", "son empreinte est d'un genre qui ne peut "
		    "être vérifié ici : fixez-en un autre"));
	else if (old_hash_is_weak(a->hash))
		migrate_report(g, NOTE, "password", address, tr(g->m,
		    "an old DES hash: eight letters count, and who has it "
		    "guesses it; the next login replaces it", "vieille "
		    "empreinte DES : huit caractères comptent, et qui l'a la "
		    "devine ; la prochaine connexion la remplace"));
	migrate_flags(g, address, a->flags);
}

/* What becomes of mail. */

void
routing_init(struct routing *r)
{
	*r = (struct routing){ .targets = STR_INIT(50000),
		.left_out = STR_INIT(2000), .subject = STR_INIT(250),
		.text = STR_INIT(10000), .list = STR_INIT(OLD_PATH_MAX) };
}

void
routing_free(struct routing *r)
{
	str_free(&r->targets);
	str_free(&r->left_out);
	str_free(&r->subject);
	str_free(&r->text);
	str_free(&r->list);
}

void
routing_forward(struct routing *r, struct slice target, const char *domain)
{
	if (target.len == 0)
		return;
	if (r->targets.len > 0)
		str_putc(&r->targets, '\n');
	str_put(&r->targets, target);
	if (memchr(target.p, '@', target.len) == NULL) {
		str_putc(&r->targets, '@');
		str_puts(&r->targets, domain);
	}
}

void
routing_take(struct routing *r, const struct old_delivery *d,
    const char *domain)
{
	switch (d->action) {
	case OLD_NOTHING:
	case OLD_DEFAULT:
	case OLD_ANSWER:
	case OLD_MAILBOX:
		break;
	case OLD_FORWARD:
		routing_forward(r, d->value, domain);
		break;
	case OLD_KEEP:
		r->keep = true;
		break;
	case OLD_DISCARD:
		r->discard = true;
		break;
	case OLD_LIST:
		r->is_list = true;
		break;
	case OLD_LIST_PART:
		r->is_list_part = true;
		break;
	case OLD_PROGRAM:
	case OLD_FILE:
		if (r->left_out.len > 0)
			str_puts(&r->left_out, "; ");
		str_put(&r->left_out, d->value);
		break;
	}
}

/* Old texts are often in Latin-1. */
static void
put_utf8(struct str *out, struct slice text, bool is_utf8)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x80 || is_utf8) {
			if (c >= ' ' || c == '\n' || c == '\t')
				str_putc(out, (char)c);
		} else {
			str_putc(out, (char)(0xc0 | c >> 6));
			str_putc(out, (char)(0x80 | (c & 0x3f)));
		}
	}
}

void
routing_answer(struct routing *r, struct slice message)
{
	bool utf8 = true;
	struct hdr_field field;
	struct slice rest = message;

	for (size_t i = 0; utf8 && i < message.len;) {
		size_t n = text_utf8_length(slice_skip(message, i));

		if (n == 0 && (unsigned char)message.p[i] >= 0x80)
			utf8 = false;
		i += n == 0 ? 1 : n;
	}
	while (hdr_next(&rest, &field) == HDR_FIELD)
		if (hdr_is(&field, "Subject") && r->subject.len == 0)
			put_utf8(&r->subject, slice_trim(field.value), utf8);
	put_utf8(&r->text, slice_trim(rest), utf8);
	r->answers = r->text.len > 0;
}

bool
routing_too_long(struct migration *g, const char *kind, const char *name,
    const struct routing *r)
{
	if (str_ok(&r->targets) && str_ok(&r->subject) && str_ok(&r->text))
		return false;
	migrate_report(g, FAILED, kind, name, tr(g->m,
	    "its targets, or its answer, are too long: nothing is taken of it",
	    "ses destinations, ou sa réponse, sont trop longues : rien n'en "
	    "est repris"));
	return true;
}

void
routing_left_out(struct migration *g, const char *name,
    const struct routing *r)
{
	if (r->left_out.len > 0)
		migrate_report(g, LEFT_OUT, "program", name,
		    str_c(&r->left_out));
}

void
migrate_routing(struct migration *g, const char *address, struct routing *r)
{
	struct registry_fields f = { .n = 0 };
	struct seen seen;

	routing_left_out(g, address, r);
	if (routing_too_long(g, "routing", address, r))
		return;
	registry_add(&f, "address", slice_of(address));
	if (r->targets.len > 0) {
		registry_add(&f, "forward", str_slice(&r->targets));
		registry_add(&f, "keep", r->keep ? SLICE("yes") : SLICE("no"));
	} else if (r->discard) {
		registry_add(&f, "discard", SLICE("yes"));
	}
	if (r->answers) {
		registry_add(&f, "vacation", SLICE("yes"));
		registry_add(&f, "vacation-text", str_slice(&r->text));
	}
	if (r->answers && r->subject.len > 0)
		registry_add(&f, "vacation-subject", str_slice(&r->subject));
	if (f.n == 1)
		return;
	if (look(g, address, &seen) && seen.routed)
		migrate_report(g, THERE, "routing", address, "");
	else
		migrate_change(g, "user.set", &f, "routing", address, "");
}

bool
migrate_alias(struct migration *g, const char *address, struct routing *r,
    bool retry)
{
	struct registry_fields f = { .n = 0 };
	bool done = true;

	registry_add(&f, "address", slice_of(address));
	if (r->is_list) {
		if (retry)
			migrate_list(g, address, str_c(&r->list));
		return true;
	}
	/* LIST-subscribe and its kind: told with the list. */
	if (r->is_list_part)
		return true;
	if (routing_too_long(g, r->answers ? "robot" : "alias", address, r))
		return true;
	if (r->answers) {
		registry_add(&f, "subject", r->subject.len > 0 ?
		    str_slice(&r->subject) : slice_of(address));
		registry_add(&f, "text", str_slice(&r->text));
		if (r->targets.len > 0)
			registry_add(&f, "copy", str_slice(&r->targets));
		done = migrate_add(g, "robot", address, &f, retry);
	} else if (r->targets.len > 0) {
		registry_add(&f, "targets", str_slice(&r->targets));
		done = migrate_add(g, "alias", address, &f, retry);
	}
	if (done)
		routing_left_out(g, address, r);
	return done;
}
