/* login.h - a login made of the name of a person. */
#ifndef REGISTRY_LOGIN_H
#define REGISTRY_LOGIN_H
/* SPDX-License-Identifier: ISC */

#include "registry/schema.h"

/*
 * First initial and last name (inventory 3-12): "Pierre", "Martin" give
 * pmartin; accents go, ligatures and other letters of Europe become several,
 * what is no letter or digit is left out. n above 1 is put behind. In
 * out[ADDR_LOCAL_MAX + 1]. 0, or -1: nothing usable is left of a name.
 */
int login_make(struct slice first, struct slice last, unsigned n, char *out)
    __attribute__((warn_unused_result));

#endif
