/* sheet.c - how a mail program is set up for a mailbox, as a page to hand over. */
/* SPDX-License-Identifier: ISC */

#include "tools/sheet.h"

/* The text in the language of the sheet. */
#define T(s, en, fr) ((s)->french ? (fr) : (en))

/* Who reads the sheet sits elsewhere: a port that only this machine reaches is
 * named when there is no other. 0: none. */
static uint16_t
port_for_people(const struct conf_listens *l)
{
	struct ip ip;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].host[0] == '\0' ||
		    ip_parse(slice_of(l->v[i].host), &ip) == -1 ||
		    !ip_is_loopback(&ip))
			return l->v[i].port;
	return l->n > 0 ? l->v[0].port : 0;
}

void
sheet_init(struct sheet *s, const struct conf *c, const char *address,
    bool pop3, bool smtp, bool french)
{
	*s = (struct sheet){ .address = address, .server = c->hostname,
		.french = french };
	if (pop3)
		s->pop3 = (struct sheet_ports){ port_for_people(&c->pop3s),
			port_for_people(&c->pop3) };
	if (smtp)
		s->smtp = (struct sheet_ports){
			port_for_people(&c->submissions),
			port_for_people(&c->submission) };
}

static bool
is_offered(const struct sheet_ports *p)
{
	return p->tls != 0 || p->starttls != 0;
}

/* The port to enter, and how its connection is protected. */
static uint16_t
best_port(const struct sheet_ports *p)
{
	return p->tls != 0 ? p->tls : p->starttls;
}

static const char *
best_security(const struct sheet_ports *p)
{
	return p->tls != 0 ? "SSL/TLS" : "STARTTLS";
}

static void
put_service(struct str *out, const struct sheet *s, const char *title,
    const char *protocol, const struct sheet_ports *p)
{
	str_printf(out, "%s\n", title);
	if (!is_offered(p)) {
		str_printf(out, "  %s\n\n", T(s, "not offered to this account",
		    "pas ouvert pour ce compte"));
		return;
	}
	str_printf(out, T(s, "  protocol  %s\n  server    %s\n"
	    "  port      %u\n  security  %s\n",
	    "  protocole %s\n  serveur   %s\n"
	    "  port      %u\n  sécurité  %s\n"),
	    protocol, s->server, best_port(p), best_security(p));
	if (p->tls != 0 && p->starttls != 0)
		str_printf(out, T(s, "  (if that port is closed where you are: "
		    "%u with STARTTLS)\n", "  (si ce port est fermé là où vous "
		    "êtes : %u avec STARTTLS)\n"), p->starttls);
	str_puts(out, "\n");
}

static void
put_login(struct str *out, const struct sheet *s)
{
	str_printf(out, T(s, "Connection settings of %s\n\n",
	    "Paramètres de connexion de %s\n\n"), s->address);
	str_printf(out, T(s, "Login\n  user name %s\n",
	    "Identifiant\n  utilisateur %s\n"), s->address);
	str_puts(out, T(s,
	    "  The whole address, with what is behind the @, for reading and\n"
	    "  for sending. The password is that of the mailbox; it is not\n"
	    "  written here, and nobody of ours will ever ask you for it.\n\n",
	    "  L'adresse entière, avec ce qui suit le @, pour recevoir comme\n"
	    "  pour envoyer. Le mot de passe est celui de la boîte ; il n'est\n"
	    "  pas écrit ici, et personne de chez nous ne vous le demandera.\n"
	    "\n"));
}

static void
put_not_offered(struct str *out, const struct sheet *s)
{
	str_puts(out, T(s,
	    "What there is not\n"
	    "  No IMAP and no Exchange account: choose POP3.\n"
	    "  No sending without login and password.\n"
	    "  No login on a connection that is not encrypted.\n\n",
	    "Ce qui n'existe pas ici\n"
	    "  Ni IMAP ni compte Exchange : choisissez POP3.\n"
	    "  Pas d'envoi sans identifiant ni mot de passe.\n"
	    "  Pas de connexion sans chiffrement.\n\n"));
}

/* One program: its name, then the way through its screens. */
struct program {
	const char *name;
	const char *english, *french;
};

/* clang-format off */
static const struct program programs[] = {
	{ "Thunderbird",
	  "  1. Menu > Account settings > Account actions > Add a mail account.\n"
	  "  2. Enter your name, the address, the password; choose to configure\n"
	  "     by hand.\n"
	  "  3. Incoming: POP3. Copy servers, ports and security from above;\n"
	  "     authentication is \"Normal password\", user name the address.\n"
	  "  4. Test, then confirm.\n",
	  "  1. Menu > Paramètres des comptes > Gestion des comptes > Ajouter un\n"
	  "     compte de messagerie.\n"
	  "  2. Entrez votre nom, l'adresse, le mot de passe ; choisissez la\n"
	  "     configuration manuelle.\n"
	  "  3. Réception : POP3. Recopiez serveurs, ports et sécurité ;\n"
	  "     authentification « Mot de passe normal », utilisateur l'adresse.\n"
	  "  4. Testez, puis confirmez.\n" },
	{ "Outlook",
	  "  1. File > Add account; enter the address; in the advanced options,\n"
	  "     set it up by hand; choose POP.\n"
	  "  2. Copy servers, ports and encryption from above.\n"
	  "  3. The server for sending needs a login: in the account's further\n"
	  "     settings, the same as for reading.\n",
	  "  1. Fichier > Ajouter un compte ; entrez l'adresse ; dans les options\n"
	  "     avancées, configurez à la main ; choisissez POP.\n"
	  "  2. Recopiez serveurs, ports et chiffrement.\n"
	  "  3. Le serveur d'envoi demande une identification : dans les autres\n"
	  "     paramètres du compte, la même que pour la réception.\n" },
	{ "iPhone, iPad",
	  "  1. Settings > Apps > Mail > Accounts > Add account > Other.\n"
	  "  2. Enter your name, the address, the password; choose POP.\n"
	  "  3. Enter server, user name and password twice, also where sending\n"
	  "     calls them optional.\n",
	  "  1. Réglages > Apps > Mail > Comptes > Ajouter un compte > Autre.\n"
	  "  2. Entrez votre nom, l'adresse, le mot de passe ; choisissez POP.\n"
	  "  3. Entrez serveur, utilisateur et mot de passe deux fois, même si\n"
	  "     c'est dit facultatif pour l'envoi.\n" },
	{ "Android (Gmail)",
	  "  1. Menu > Settings > Add account > Other; enter the address.\n"
	  "  2. Choose POP3; enter the password, then the server from above.\n"
	  "  3. For sending, leave \"Require sign-in\" on.\n",
	  "  1. Menu > Paramètres > Ajouter un compte > Autre ; entrez l'adresse.\n"
	  "  2. Choisissez POP3 ; entrez le mot de passe, puis le serveur.\n"
	  "  3. Pour l'envoi, laissez « Exiger la connexion » coché.\n" },
};
/* clang-format on */

static void
put_programs(struct str *out, const struct sheet *s)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		str_printf(out, "%s\n%s\n", programs[i].name,
		    T(s, programs[i].english, programs[i].french));
	str_puts(out, T(s,
	    "Whoever reads this mailbox on several devices ticks \"leave a copy\n"
	    "on the server\" on each of them. Then write to yourself: what comes\n"
	    "back proves both ways.\n",
	    "Qui lit cette boîte sur plusieurs appareils coche « laisser une\n"
	    "copie sur le serveur » sur chacun. Puis écrivez-vous : ce qui\n"
	    "revient prouve les deux sens.\n"));
}

void
sheet_write(struct str *out, const struct sheet *s)
{
	put_login(out, s);
	put_service(out, s, T(s, "Incoming mail", "Réception"), "POP3",
	    &s->pop3);
	put_service(out, s, T(s, "Outgoing mail", "Envoi"), "SMTP", &s->smtp);
	put_not_offered(out, s);
	if (is_offered(&s->pop3) && is_offered(&s->smtp))
		put_programs(out, s);
}
