/* test_migrate.c - files of other mail systems; names in an archive. */
/* SPDX-License-Identifier: ISC */
#include "tools/migrate_parse.h"

#include <string.h>

#include "tests/unit/tap.h"
#include "tools/member.h"

static void
test_vpasswd(void)
{
	/* clang-format off */
	static const struct {
		struct slice line;
		int want;
		const char *name, *hash, *full, *home;
		uint64_t bytes, messages;
		bool no_pop, no_relay;
	} rows[] = {
		{ SLICE("bob:$1$ab$cd:1:0:Bob Martin:/home/v/domains/a.fr/bob:NOQUOTA"),
		  0, "bob", "$1$ab$cd", "Bob Martin", "/home/v/domains/a.fr/bob", 0, 0, false, false },
		{ SLICE("BOB:x:0:34:B:/h/bob:10000000S,1000C:clear"),
		  0, "bob", "x", "B", "/h/bob", 10000000, 1000, true, true },
		{ SLICE("a:x:0:0::/h/a:50M"), 0, "a", "x", "", "/h/a", 50 << 20, 0, false, false },
		{ SLICE("a:x:0:0:\x01nul:/h/a:"), 0, "a", "x", "nul", "/h/a", 0, 0, false, false },
		{ SLICE("a:x:0:0:g:/h/a"), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE(""), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE("../a:x:0:0:g:/h/a:"), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE("a b:x:0:0:g:/h/a:"), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE("a:x:0:0:g:/h/../etc:"), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE("a:x:0:0:g:h/a:"), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE("a:x:-1:0:g:/h/a:"), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE("a:x:0:4294967296:g:/h/a:"), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE("a:x:0:0:g:/h/a:12Q"), -1, "", "", "", "", 0, 0, false, false },
		{ SLICE("a:x:0:0:g:/h/a:99999999999999999999S"), -1, "", "", "", "", 0, 0, false, false },
	};
	/* clang-format on */
	struct old_account a;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		memset(&a, 0, sizeof(a));
		ok(old_vpasswd(rows[i].line, &a) == rows[i].want &&
		    strcmp(a.name, rows[i].name) == 0 &&
		    strcmp(a.hash, rows[i].hash) == 0 &&
		    strcmp(a.full_name, rows[i].full) == 0 &&
		    strcmp(a.home, rows[i].home) == 0 &&
		    a.quota_bytes == rows[i].bytes &&
		    a.quota_messages == rows[i].messages &&
		    a.no_pop == rows[i].no_pop &&
		    a.no_relay == rows[i].no_relay, "vpasswd row %zu", i);
	}
}

static void
test_passwd(void)
{
	struct old_account a;
	char hash[OLD_HASH_MAX] = "same";

	ok(old_passwd(SLICE("bob:x:1001:1002:Bob,Office:/home/bob:/bin/sh"),
	    &a) == 0 && strcmp(a.name, "bob") == 0 && a.uid == 1001 &&
	    a.gid == 1002 && strcmp(a.full_name, "Bob") == 0 &&
	    strcmp(a.home, "/home/bob") == 0, "passwd");
	ok(old_passwd(SLICE("bob:x:1001:1002:Bob:/home/bob"), &a) == -1,
	    "passwd: a field is missing");
	ok(old_passwd(SLICE("+::::::"), &a) == -1, "passwd: NIS");
	ok(old_shadow(SLICE("alice:$6$a$b:1:"), "bob", hash) == -1 &&
	    strcmp(hash, "same") == 0, "shadow: another one");
	ok(old_shadow(SLICE("bob:$6$a$b:1:"), "bob", hash) == 0 &&
	    strcmp(hash, "$6$a$b") == 0, "shadow");
	ok(old_hash_is_known("$6$a$b") && !old_hash_is_known("") &&
	    !old_hash_is_known("$6$a b"), "hashes");
	ok(old_hash_is_known("ab12345678901") &&
	    old_hash_is_weak("ab12345678901") &&
	    !old_hash_is_known("ab1234567890") &&
	    !old_hash_is_known("ab123456789012") &&
	    !old_hash_is_known("ab!2345678901") && !old_hash_is_weak("$6$a$b"),
	    "DES is one, and weak");
}

static void
test_qmail(void)
{
	/* clang-format off */
	static const struct {
		struct slice line;
		enum old_action action;
		const char *value;
	} rows[] = {
		{ SLICE(""), OLD_NOTHING, "" },
		{ SLICE("# x"), OLD_NOTHING, "" },
		{ SLICE("&bob@a.fr"), OLD_FORWARD, "bob@a.fr" },
		{ SLICE("bob@a.fr \r"), OLD_FORWARD, "bob@a.fr" },
		{ SLICE("./Maildir/"), OLD_KEEP, "" },
		{ SLICE("/h/domains/a.fr/bob/Maildir/"), OLD_MAILBOX, "/h/domains/a.fr/bob/Maildir/" },
		{ SLICE("/var/mail/bob"), OLD_FILE, "/var/mail/bob" },
		{ SLICE("./Mailbox"), OLD_FILE, "./Mailbox" },
		{ SLICE("|/usr/bin/ezmlm/ezmlm-send '/h/list'"), OLD_LIST, "/h/list" },
		{ SLICE("|/usr/bin/ezmlm/ezmlm-gate -0Y '/h/list' 'digest'"), OLD_LIST, "/h/list" },
		{ SLICE("|ezmlm-send"), OLD_LIST, "" },
		{ SLICE("|/usr/bin/ezmlm/ezmlm-manage '/h/list'"), OLD_LIST_PART, "" },
		{ SLICE("| /usr/bin/autorespond 86400 3 /h/vacation/message /h/vacation"), OLD_ANSWER, "/h/vacation/message" },
		{ SLICE("|/usr/bin/autorespond 86400 3"), OLD_PROGRAM, "/usr/bin/autorespond 86400 3" },
		{ SLICE("| /home/v/bin/vdelivermail '' bounce-no-mailbox"), OLD_DEFAULT, "bounce-no-mailbox" },
		{ SLICE("|/home/v/bin/vdelivermail '' bob@a.fr"), OLD_DEFAULT, "bob@a.fr" },
		{ SLICE("|/bin/true delete"), OLD_DISCARD, "" },
		{ SLICE("|"), OLD_PROGRAM, "" },
		{ SLICE("|'"), OLD_PROGRAM, "'" },
		{ SLICE("|rm -rf /"), OLD_PROGRAM, "rm -rf /" },
		{ SLICE("/"), OLD_MAILBOX, "/" },
		{ SLICE("."), OLD_FILE, "." },
		{ SLICE("&"), OLD_FORWARD, "" },
	};
	static const struct {
		struct slice file;
		const char *want;
	} names[] = {
		{ SLICE(".qmail-info"), "info" }, { SLICE(".qmail-A:B"), "a.b" },
		{ SLICE(".qmail-default"), "default" }, { SLICE(".qmail"), NULL },
		{ SLICE(".qmail-"), NULL }, { SLICE(".qmail-../x"), NULL },
		{ SLICE(".qmail-a::b"), NULL }, { SLICE("x"), NULL },
	};
	/* clang-format on */
	struct old_delivery d;
	char name[ADDR_LOCAL_MAX + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		old_qmail(rows[i].line, &d);
		ok(d.action == rows[i].action &&
		    slice_eq(d.value, slice_of(rows[i].value)),
		    "qmail row %zu: %d \"%.*s\"", i, (int)d.action,
		    SLICE_FMT(d.value));
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int r = old_qmail_name(names[i].file, name);

		ok((r == 0) == (names[i].want != NULL) && (r == -1 ||
		    strcmp(name, names[i].want) == 0), "qmail name %zu", i);
	}
}

static void
test_aliases(void)
{
	struct slice rest = SLICE("# comment\n\nroot: bob,\n\talice@a.fr\n"
	    "no colon\nweb : \"|/bin/x a,b\", /dev/null, /f, :include:/l\n"
	    " x: y\nlast:z"), name, targets;
	static const struct {
		enum old_action action;
		const char *value;
	} web[] = { { OLD_PROGRAM, "|/bin/x a,b" }, { OLD_DISCARD, "/dev/null" },
		{ OLD_FILE, "/f" }, { OLD_FILE, ":include:/l" },
		{ OLD_FORWARD, "x: y" } };
	struct old_delivery d;

	ok(old_alias(&rest, &name, &targets) && slice_eq(name, SLICE("root")),
	    "aliases: a name");
	ok(old_target(&targets, "root", &d) && d.action == OLD_FORWARD &&
	    slice_eq(d.value, SLICE("bob")), "aliases: a local name");
	ok(old_target(&targets, "root", &d) &&
	    slice_eq(d.value, SLICE("alice@a.fr")) &&
	    !old_target(&targets, "root", &d), "aliases: a line that goes on");
	ok(old_alias(&rest, &name, &targets) && name.len == 0,
	    "aliases: a line that is none");
	ok(old_alias(&rest, &name, &targets) && slice_eq(name, SLICE("web")),
	    "aliases: a space before the colon");
	for (size_t i = 0; i < sizeof(web) / sizeof(*web); i++)
		ok(old_target(&targets, "web", &d) &&
		    d.action == web[i].action &&
		    slice_eq(d.value, slice_of(web[i].value)),
		    "aliases: target %zu: %d \"%.*s\"", i, (int)d.action,
		    SLICE_FMT(d.value));
	ok(old_alias(&rest, &name, &targets) && slice_eq(name, SLICE("last"))
	    && slice_eq(targets, SLICE("z")) &&
	    !old_alias(&rest, &name, &targets), "aliases: no line end");
	targets = SLICE("\\bob, \"unclosed, x");
	ok(old_target(&targets, "bob", &d) && d.action == OLD_KEEP,
	    ".forward: \\self");
	ok(old_target(&targets, "bob", &d) && d.action == OLD_FORWARD &&
	    !old_target(&targets, "bob", &d), ".forward: an open quote ends");
}

static void
test_assign(void)
{
	struct old_assign a;

	ok(old_assign(SLICE("+b.fr-:a.fr:89:89:/h/domains/a.fr:-::"), &a) == 0
	    && strcmp(a.alias, "b.fr") == 0 && strcmp(a.domain, "a.fr") == 0 &&
	    strcmp(a.folder, "/h/domains/a.fr") == 0, "assign");
	ok(old_assign(SLICE("."), &a) == -1 &&
	    old_assign(SLICE("=a:b:1:2:/x:"), &a) == -1 &&
	    old_assign(SLICE("+-:a.fr:1:2:/x:"), &a) == -1 &&
	    old_assign(SLICE("+a.fr-:a.fr:1:2:/x/../y:"), &a) == -1,
	    "assign: others");
}

static void
test_member(void)
{
	/* clang-format off */
	static const struct {
		struct slice path;
		const char *folder, *unique, *flags;
		int is_new;		/* -1: names no message */
	} rows[] = {
		{ SLICE("mail/INBOX/cur/1.a,S=5:2,FS"), "", "1.a", "FS", 0 },
		{ SLICE("./mail/.Sent/new/1.a,S=5"), ".Sent", "1.a", "", 1 },
		{ SLICE("mail/.A.B/cur/1"), ".A.B", "1", "", 0 },
		{ SLICE("mail/INBOX/tmp/1"), "", "", "", -1 },
		{ SLICE("mail/INBOX/cur"), "", "", "", -1 },
		{ SLICE("mail/INBOX/cur/"), "", "", "", -1 },
		{ SLICE("mail//cur/1"), "", "", "", -1 },
		{ SLICE("mail/../cur/1"), "", "", "", -1 },
		{ SLICE("mail/.A../cur/1"), "", "", "", -1 },
		{ SLICE("mail/x/cur/1"), "", "", "", -1 },
		{ SLICE("mail/INBOX/cur/../1"), "", "", "", -1 },
		{ SLICE("mail/INBOX/cur/.1"), "", "", "", -1 },
		{ SLICE("mail/INBOX/cur/a b"), "", "", "", -1 },
		{ SLICE("mail/INBOX/cur/1:2,S/x"), "", "", "", -1 },
		{ SLICE("mail/INBOX/cur/1:2,S1"), "", "", "", -1 },
		{ SLICE("/mail/INBOX/cur/1"), "", "", "", -1 },
		{ SLICE("../mail/INBOX/cur/1"), "", "", "", -1 },
		{ SLICE("mail"), "", "", "", -1 },
		{ SLICE(""), "", "", "", -1 },
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct box_message m = { .size = 42 };
		int r = member_parse(rows[i].path, &m);
		char path[MEMBER_PATH_MAX];

		ok((r == -1) == (rows[i].is_new == -1) && m.size == 42 &&
		    strcmp(m.folder, rows[i].folder) == 0 &&
		    strcmp(m.unique, rows[i].unique) == 0 &&
		    strcmp(m.flags, rows[i].flags) == 0, "member row %zu", i);
		if (r == -1)
			continue;
		member_path(&m, path);
		ok(member_parse(slice_of(path), &m) == 0 &&
		    strcmp(m.unique, rows[i].unique) == 0,
		    "member row %zu: there and back", i);
	}
}

static void
test_settings(void)
{
	struct registry_fields f = { .n = 0 }, back = { .n = 0 };
	struct str text = STR_INIT(4096);
	char hostile[] = "full-name\n: x\n", cut[] = "full-name: x\n\ty";

	registry_add(&f, "full-name", SLICE("Bob"));
	registry_add(&f, "state", SLICE("active"));
	registry_add(&f, "vacation-text", SLICE("a\nfull-name: Eve\n\nb\n"));
	settings_write(&text, &f);
	ok(settings_parse(text.p, text.len, &back) == 0 && back.n == 2 &&
	    slice_eq(registry_field(&back, "full-name"), SLICE("Bob")) &&
	    slice_eq(registry_field(&back, "vacation-text"),
	    SLICE("a\nfull-name: Eve\n\nb\n")), "settings: there and back");
	back.n = 0;
	ok(settings_parse(hostile, strlen(hostile), &back) == -1,
	    "settings: a line without a colon");
	back.n = 0;
	ok(settings_parse(cut, strlen(cut), &back) == 0 &&
	    slice_eq(registry_field(&back, "full-name"), SLICE("x\ny")),
	    "settings: no line end at the end");
	str_free(&text);
}

static void
test_limits(void)
{
	struct slice rest = SLICE("# all\nmaxaliases 5\n quota:\t10 # MB\r\n"
	    "\n disable_pop\n:\nmaxforwards\t: -1"), name, value;

	ok(old_limit(&rest, &name, &value) &&
	    slice_eq(name, SLICE("maxaliases")) &&
	    slice_eq(value, SLICE("5")), "limit");
	ok(old_limit(&rest, &name, &value) && slice_eq(name, SLICE("quota")) &&
	    slice_eq(value, SLICE("10")), "limit: other separators, a comment");
	ok(old_limit(&rest, &name, &value) &&
	    slice_eq(name, SLICE("disable_pop")) && value.len == 0,
	    "limit: a flag");
	ok(old_limit(&rest, &name, &value) &&
	    slice_eq(name, SLICE("maxforwards")) &&
	    slice_eq(value, SLICE("-1")), "limit: the last line");
	ok(!old_limit(&rest, &name, &value), "limit: no more");
}

static void
test_subscribers(void)
{
	struct slice rest = SLICE("Ta@x.fr\0Tb@x.fr\0\0X\0T\0Tc"), address;

	ok(old_subscriber(&rest, &address) &&
	    slice_eq(address, SLICE("a@x.fr")) &&
	    old_subscriber(&rest, &address) &&
	    slice_eq(address, SLICE("b@x.fr")), "subscribers");
	ok(old_subscriber(&rest, &address) && slice_eq(address, SLICE("c")) &&
	    !old_subscriber(&rest, &address), "subscribers: a cut record");
}

int
main(void)
{
	test_vpasswd();
	test_passwd();
	test_qmail();
	test_limits();
	test_subscribers();
	test_aliases();
	test_assign();
	test_member();
	test_settings();
	return done();
}
