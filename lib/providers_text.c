/* providers_text.c - the built-in table: packaging/providers, as it is. */
/* SPDX-License-Identifier: ISC */

#include "lib/providers.h"

/* The assembler puts the file itself into the program, so that there is only
 * one table to keep. */
__asm__(".pushsection .rodata\n"
    "providers_begin:\n"
    "\t.incbin \"packaging/providers\"\n"
    "providers_end:\n"
    "\t.byte 0\n"
    "\t.popsection\n");

extern const char providers_begin[] __attribute__((visibility("hidden")));
extern const char providers_end[] __attribute__((visibility("hidden")));

struct slice
providers_text(void)
{
	return slice_make(providers_begin,
	    (uintptr_t)providers_end - (uintptr_t)providers_begin);
}
