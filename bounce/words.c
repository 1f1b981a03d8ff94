/* words.c - what a notice says, in French and English. */
/* SPDX-License-Identifier: ISC */

/*
 * For people who do not know how mail works: what happened, to whom, why, what
 * to do next. The causes are looked up by subject and detail of the enhanced
 * status code, the exact one first, then the subject's, then the last row. Both
 * languages have the same rows in the same order; a test compares them.
 */

#include "bounce/words.h"

#include <string.h>

/* French puts a no-break space before : ; ! ? and inside quotation marks. */
#define NB "\u00a0"

/* clang-format off */
static const struct words_cause french_causes[] = {
	{ "1.1", "Cette adresse n’existe pas, ou n’existe plus.",
	  "vérifiez l’orthographe de l’adresse, surtout ce qui précède le signe @. Si elle est juste, demandez à votre correspondant, par un autre moyen, son adresse actuelle." },
	{ "1.2", "Le domaine de cette adresse (ce qui suit le signe @) n’existe pas, ou ne reçoit pas de courrier.",
	  "vérifiez l’orthographe du domaine" NB ": une lettre oubliée suffit." },
	{ "1.3", "Cette adresse n’est pas écrite comme une adresse de courrier.",
	  "corrigez l’adresse (nom@domaine, sans espace ni accent oublié), puis renvoyez votre message." },
	{ "1.6", "Le destinataire a changé d’adresse et n’a pas laissé de réexpédition.",
	  "demandez-lui sa nouvelle adresse par un autre moyen." },
	{ "1.7", "Le serveur du destinataire n’accepte pas votre adresse d’expéditeur, telle qu’elle est écrite.",
	  "vérifiez l’adresse d’expéditeur dans les réglages de votre logiciel de messagerie." },
	{ "1.8", "Le serveur du destinataire ne reconnaît pas le domaine de votre adresse d’expéditeur.",
	  "vérifiez l’adresse d’expéditeur dans les réglages de votre logiciel, ou transmettez ce message à votre administrateur." },
	{ "1.10", "Le domaine du destinataire a fait savoir qu’il ne reçoit aucun courrier.",
	  "vérifiez l’adresse, ou joignez votre correspondant par un autre moyen." },
	{ "1", "Le serveur du destinataire n’accepte pas cette adresse.",
	  "vérifiez l’adresse, puis renvoyez votre message." },
	{ "2.1", "Cette boîte aux lettres est fermée" NB ": elle ne reçoit plus de courrier.",
	  "joignez votre correspondant par un autre moyen." },
	{ "2.2", "La boîte aux lettres du destinataire est pleine.",
	  "prévenez votre correspondant par un autre moyen" NB ": il doit y faire de la place. Renvoyez ensuite votre message." },
	{ "2.3", "Votre message est trop gros pour la boîte aux lettres du destinataire.",
	  "renvoyez-le sans ses pièces jointes, ou partagez celles-ci par un lien." },
	{ "2.4", "Cette adresse est celle d’une liste qui n’a pas pu être distribuée.",
	  "écrivez au responsable de la liste." },
	{ "2", "La boîte aux lettres du destinataire n’a pas pu recevoir votre message.",
	  "renvoyez votre message plus tard. Si cela se reproduit, prévenez votre correspondant par un autre moyen." },
	{ "3.1", "Le serveur du destinataire n’a plus de place pour ranger du courrier.",
	  "renvoyez votre message plus tard" NB ": ce genre de panne est en général vite réparé." },
	{ "3.4", "Votre message est plus gros que ce que le serveur du destinataire accepte.",
	  "renvoyez-le sans ses pièces jointes, ou partagez celles-ci par un lien." },
	{ "3", "Le serveur du destinataire n’est pas en état de recevoir du courrier.",
	  "renvoyez votre message plus tard. Si cela se reproduit, prévenez votre correspondant par un autre moyen." },
	{ "4.1", "Le serveur du destinataire ne répond pas.",
	  "renvoyez votre message plus tard. Si cela se reproduit, prévenez votre correspondant par un autre moyen." },
	{ "4.4", "Nous n’avons trouvé aucun serveur qui reçoive le courrier de ce domaine.",
	  "vérifiez l’orthographe de ce qui suit le signe @. S’il est juste, renvoyez votre message plus tard." },
	{ "4.6", "Votre message tourne en rond" NB ": les réexpéditions du destinataire se renvoient le courrier l’une à l’autre.",
	  "vous n’y pouvez rien. Prévenez votre correspondant par un autre moyen" NB ": il doit corriger sa réexpédition." },
	{ "4.7", "Malgré des essais répétés, votre message n’a pas pu être remis dans le délai prévu.",
	  "renvoyez votre message plus tard, ou joignez votre correspondant par un autre moyen." },
	{ "4", "La liaison avec le serveur du destinataire n’a pas fonctionné.",
	  "renvoyez votre message plus tard. Si cela se reproduit, transmettez cet avis à votre administrateur." },
	{ "5.3", "Votre message a trop de destinataires pour ce serveur.",
	  "envoyez-le en plusieurs fois, à moins de destinataires à la fois." },
	{ "5", "Notre serveur et celui du destinataire ne se sont pas compris.",
	  "transmettez cet avis à votre administrateur." },
	{ "6.7", "Le serveur du destinataire n’accepte pas les adresses qui ont des lettres accentuées.",
	  "demandez à votre correspondant une adresse sans accents." },
	{ "6", "Le serveur du destinataire n’accepte pas la forme de votre message.",
	  "renvoyez votre message en texte simple, sans pièce jointe." },
	{ "7.1", "Le serveur du destinataire refuse votre message, selon ses propres règles.",
	  "lisez la réponse du serveur ci-dessous" NB ": elle dit souvent pourquoi. Joignez votre correspondant par un autre moyen, ou transmettez cet avis à votre administrateur." },
	{ "7.2", "Cette adresse est celle d’une liste à laquelle vous n’avez pas le droit d’écrire.",
	  "demandez ce droit au responsable de la liste." },
	{ "7.4", "Le message devait être chiffré en chemin, et le serveur du destinataire ne le permet pas.",
	  "transmettez cet avis à votre administrateur." },
	{ "7.5", "Le serveur qui a répondu n’a pas pu prouver qu’il est bien celui du destinataire" NB ": nous ne lui avons rien remis.",
	  "prévenez votre correspondant par un autre moyen" NB ": son administrateur doit corriger le certificat du serveur." },
	{ "7.10", "Le message devait être chiffré en chemin, et le serveur du destinataire ne le permet pas.",
	  "transmettez cet avis à votre administrateur." },
	{ "7.30", "Vous avez demandé que votre message soit chiffré tout au long de son chemin, et le serveur du destinataire ne le garantit pas.",
	  "renvoyez-le sans cette demande, ou joignez votre correspondant par un autre moyen." },
	{ "7", "Le serveur du destinataire refuse votre message pour une raison de sécurité.",
	  "transmettez cet avis à votre administrateur" NB ": c’est souvent un réglage du domaine de l’expéditeur." },
	{ "", "Le serveur du destinataire n’a pas accepté votre message, sans dire clairement pourquoi.",
	  "renvoyez votre message plus tard. Si cela se reproduit, transmettez cet avis à votre administrateur." },
};

static const struct words_cause english_causes[] = {
	{ "1.1", "This address does not exist, or exists no longer.",
	  "check how the address is spelled, above all the part before the @ sign. If it is right, ask the person in another way for the address in use today." },
	{ "1.2", "The domain of this address (the part after the @ sign) does not exist, or takes no mail.",
	  "check how the domain is spelled: one missing letter is enough." },
	{ "1.3", "This address is not written as a mail address is.",
	  "correct the address (name@domain, no spaces), then send your message again." },
	{ "1.6", "The recipient has moved to another address and left no forwarding.",
	  "ask for the new address in another way." },
	{ "1.7", "The recipient's server does not accept your sender address the way it is written.",
	  "check the sender address in the settings of your mail program." },
	{ "1.8", "The recipient's server does not know the domain of your sender address.",
	  "check the sender address in the settings of your mail program, or pass this notice on to your administrator." },
	{ "1.10", "The recipient's domain has declared that it takes no mail at all.",
	  "check the address, or reach the person in another way." },
	{ "1", "The recipient's server does not accept this address.",
	  "check the address, then send your message again." },
	{ "2.1", "This mailbox is closed: it takes no mail any more.",
	  "reach the person in another way." },
	{ "2.2", "The recipient's mailbox is full.",
	  "tell the person in another way that room must be made there. Then send your message again." },
	{ "2.3", "Your message is too large for the recipient's mailbox.",
	  "send it again without the attachments, or share those by a link." },
	{ "2.4", "This is the address of a list that could not be distributed.",
	  "write to the person in charge of the list." },
	{ "2", "The recipient's mailbox could not take your message.",
	  "send your message again later. If it happens again, tell the person in another way." },
	{ "3.1", "The recipient's server has no room left to store mail.",
	  "send your message again later: this kind of fault is usually mended soon." },
	{ "3.4", "Your message is larger than the recipient's server accepts.",
	  "send it again without the attachments, or share those by a link." },
	{ "3", "The recipient's server is in no state to take mail.",
	  "send your message again later. If it happens again, tell the person in another way." },
	{ "4.1", "The recipient's server does not answer.",
	  "send your message again later. If it happens again, tell the person in another way." },
	{ "4.4", "We have found no server that takes mail for this domain.",
	  "check the spelling of the part after the @ sign. If it is right, send your message again later." },
	{ "4.6", "Your message goes round in a circle: the recipient's forwardings send the mail back to each other.",
	  "there is nothing that you can mend. Tell the person in another way that the forwarding must be corrected." },
	{ "4.7", "In spite of repeated attempts, your message could not be delivered in the time allowed.",
	  "send your message again later, or reach the person in another way." },
	{ "4", "The connection to the recipient's server did not work.",
	  "send your message again later. If it happens again, pass this notice on to your administrator." },
	{ "5.3", "Your message has too many recipients for this server.",
	  "send it in several parts, to fewer recipients at a time." },
	{ "5", "Our server and the recipient's did not understand each other.",
	  "pass this notice on to your administrator." },
	{ "6.7", "The recipient's server does not accept addresses with accented letters.",
	  "ask the person for an address without accents." },
	{ "6", "The recipient's server does not accept the form of your message.",
	  "send your message again as plain text, without attachments." },
	{ "7.1", "The recipient's server refuses your message, by rules of its own.",
	  "read the server's answer below: it often says why. Reach the person in another way, or pass this notice on to your administrator." },
	{ "7.2", "This is the address of a list that you have no right to write to.",
	  "ask the person in charge of the list for that right." },
	{ "7.4", "The message had to be encrypted on its way, and the recipient's server does not allow that.",
	  "pass this notice on to your administrator." },
	{ "7.5", "The server that answered could not prove that it is the recipient's: we have given it nothing.",
	  "tell the person in another way: the administrator there must mend the server's certificate." },
	{ "7.10", "The message had to be encrypted on its way, and the recipient's server does not allow that.",
	  "pass this notice on to your administrator." },
	{ "7.30", "You asked that your message be encrypted all along its way, and the recipient's server does not promise that.",
	  "send it again without that wish, or reach the person in another way." },
	{ "7", "The recipient's server refuses your message for a reason of security.",
	  "pass this notice on to your administrator: it is often a setting of the sender's domain." },
	{ "", "The recipient's server did not accept your message and did not clearly say why.",
	  "send your message again later. If it happens again, pass this notice on to your administrator." },
};

static const struct words french = {
	.language = "fr",
	.from = "Service de messagerie",
	.subject_failure = "Votre message n’a pas été remis",
	.subject_delay = "Votre message n’est pas encore remis (nous continuons d’essayer)",
	.subject_success = "Votre message a été remis",
	.subject_double = "Avis de non-remise impossible à rendre à son expéditeur",
	.greeting = "Bonjour,",
	.failure_one = "Votre message n’a pas pu être remis au destinataire que voici. Vous trouverez ci-dessous pourquoi, et ce que vous pouvez faire.",
	.failure_many = "Votre message n’a pas pu être remis aux destinataires que voici. Vous trouverez ci-dessous pourquoi, et ce que vous pouvez faire. Les destinataires qui ne sont pas nommés ici ne sont pas concernés.",
	.delay_one = "Votre message n’a pas encore pu être remis au destinataire que voici. Ce n’est qu’un retard" NB ": nous continuons d’essayer. Vous n’avez rien à faire" NB "; n’envoyez pas votre message une seconde fois.",
	.delay_many = "Votre message n’a pas encore pu être remis aux destinataires que voici. Ce n’est qu’un retard" NB ": nous continuons d’essayer. Vous n’avez rien à faire" NB "; n’envoyez pas votre message une seconde fois.",
	.success_one = "Vous aviez demandé à savoir quand votre message serait remis. Voici la réponse.",
	.success_many = "Vous aviez demandé à savoir quand votre message serait remis. Voici la réponse pour chaque destinataire.",
	.is_double = "Un message envoyé avec une adresse d’expéditeur vide (d’ordinaire un avis de non-remise ou une réponse automatique) n’a pas pu être remis. Comme personne d’autre ne peut être prévenu, vous recevez ceci en tant que responsable du courrier.",
	.advice = "Que faire" NB ": ",
	.server_said = "Le serveur %s a répondu" NB ": «" NB "%s" NB "»",
	.detail = "Précision de notre serveur (en anglais)" NB ": «" NB "%s" NB "»",
	.retried = "Nous avons essayé à plusieurs reprises, pendant %s.",
	.hours = "%lld heures",
	.days = "%lld jours",
	.retry_until = "Nous essaierons jusqu’au %s. Si rien n’y fait, vous en serez averti.",
	.relayed = "Votre message a été confié au serveur du destinataire. Ce serveur n’envoie pas d’avis de remise" NB ": nous ne saurons rien de plus.",
	.delivered = "Votre message a été déposé dans la boîte aux lettres du destinataire.",
	.expanded = "Votre message a été transmis aux personnes que cette adresse représente. Aucun autre avis de succès ne suivra.",
	.your_message = "Il s’agit du message suivant" NB ":",
	.fact_subject = "Objet" NB ": ",
	.fact_date = "Reçu par nous le" NB ": ",
	.fact_id = "Numéro (pour l’administrateur)" NB ": ",
	.original_full = "Votre message est joint à cet avis, en entier.",
	.original_header = "Les en-têtes de votre message sont joints à cet avis.",
	.signature = "Cet avis a été écrit automatiquement par le serveur de messagerie %s. Il est inutile d’y répondre.",
	.date_format = "%d/%m/%Y à %H:%M (UTC%z)",
	.causes = french_causes,
};

static const struct words english = {
	.language = "en",
	.from = "Mail Delivery System",
	.subject_failure = "Your message was not delivered",
	.subject_delay = "Your message is not delivered yet (we go on trying)",
	.subject_success = "Your message was delivered",
	.subject_double = "A notice of failure that cannot be returned to its sender",
	.greeting = "Hello,",
	.failure_one = "Your message could not be delivered to the recipient named here. Below you find why, and what you can do.",
	.failure_many = "Your message could not be delivered to the recipients named here. Below you find why, and what you can do. Recipients who are not named are not concerned.",
	.delay_one = "Your message could not be delivered yet to the recipient named here. This is only a delay: we go on trying. There is nothing that you must do; please do not send your message a second time.",
	.delay_many = "Your message could not be delivered yet to the recipients named here. This is only a delay: we go on trying. There is nothing that you must do; please do not send your message a second time.",
	.success_one = "You asked to be told when your message is delivered. Here is the answer.",
	.success_many = "You asked to be told when your message is delivered. Here is the answer for each recipient.",
	.is_double = "A message with an empty sender address (usually a notice of failure, or an automatic answer) could not be delivered. As nobody else can be told, you receive this as the person in charge of the mail.",
	.advice = "What to do: ",
	.server_said = "The server %s answered: \"%s\"",
	.detail = "Our server says: \"%s\"",
	.retried = "We tried repeatedly, for %s.",
	.hours = "%lld hours",
	.days = "%lld days",
	.retry_until = "We shall go on trying until %s. Should that not help, you will be told.",
	.relayed = "Your message was handed to the recipient's server. That server sends no notices of delivery: we shall learn nothing more.",
	.delivered = "Your message was put into the recipient's mailbox.",
	.expanded = "Your message was passed on to the people that this address stands for. No further notice of success will follow.",
	.your_message = "This is about the following message:",
	.fact_subject = "Subject: ",
	.fact_date = "Received by us: ",
	.fact_id = "Number (for the administrator): ",
	.original_full = "Your whole message is attached to this notice.",
	.original_header = "The header of your message is attached to this notice.",
	.signature = "This notice was written automatically by the mail server %s. There is no need to answer it.",
	.date_format = "%Y-%m-%d %H:%M (UTC%z)",
	.causes = english_causes,
};
/* clang-format on */

const struct words *
words_of(const char *language)
{
	return strcmp(language, "fr") == 0 ? &french : &english;
}

const struct words_cause *
words_cause(const struct words *w, const char *status)
{
	const struct words_cause *c;
	const char *detail = strchr(status, '.');
	size_t subject;

	detail = detail == NULL ? "" : detail + 1;
	subject = strcspn(detail, ".");
	for (c = w->causes; c->detail[0] != '\0'; c++)
		if (strcmp(c->detail, detail) == 0)
			return c;
	for (c = w->causes; c->detail[0] != '\0'; c++)
		if (strlen(c->detail) == subject &&
		    memcmp(c->detail, detail, subject) == 0)
			return c;
	return c;
}
