/* proc_huge.c - a program's code in huge pages, which its children share. */
/* SPDX-License-Identifier: ISC */

#include "lib/proc.h"

#include <sys/auxv.h>
#include <sys/mman.h>

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/*
 * A child finds none of its code in its page tables: fork leaves out what can
 * be read from the file again, and each sixteen pages of it cost a fault, and
 * their unmapping at its end. That is a third of what a short session costs.
 * A huge page of anonymous memory is inherited as one entry. The code is
 * copied there and the copy put in its place: it is never writable where it
 * can be run, and never both.
 *
 * The linker must have put each segment at a multiple of HUGE ("_HUGE := 1" in
 * a module.mk); segments of less than WORTH bytes stay where they are.
 */
#define HUGE ((size_t)2 << 20)
#define WORTH ((size_t)256 << 10)
#ifndef MADV_COLLAPSE		/* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

#ifndef SANITIZED
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static uintptr_t
address(const ElfW(Phdr) *segment)
{
	return (uintptr_t)&__ehdr_start + segment->p_vaddr;
}

/* Where the segment after this one begins. */
static uintptr_t
next_after(const ElfW(Phdr) *all, size_t n, uintptr_t start)
{
	uintptr_t next = UINTPTR_MAX;

	for (size_t i = 0; i < n; i++)
		if (all[i].p_type == PT_LOAD && address(&all[i]) > start &&
		    address(&all[i]) < next)
			next = address(&all[i]);
	return next;
}

/* Copies size bytes at start into huge pages, and puts these there instead. If
 * there are none, all stays as it is. */
static void
replace(uintptr_t start, size_t size, size_t room, int protection)
{
	size_t before;
	char *space = mmap(NULL, room + HUGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *copy;

	if (space == MAP_FAILED)
		return;
	before = -(uintptr_t)space % HUGE;
	copy = space + before;
	memcpy(copy, (const void *)start, size);
	if (madvise(copy, room, MADV_COLLAPSE) == 0 &&
	    mprotect(copy, room, protection) == 0)
		(void)mremap(copy, room, room, MREMAP_MAYMOVE | MREMAP_FIXED,
		    (void *)start);
	/* What is left of the space; all of it when something failed. */
	(void)munmap(space, room + HUGE);
}

void
proc_huge_text(void)
{
	const ElfW(Phdr) *all = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	size_t n = getauxval(AT_PHNUM);

	for (size_t i = 0; all != NULL && i < n; i++) {
		uintptr_t start = address(&all[i]);
		size_t size = all[i].p_memsz;
		size_t room = (size + HUGE - 1) / HUGE * HUGE;

		if (all[i].p_type != PT_LOAD || (all[i].p_flags & PF_W) != 0 ||
		    size < WORTH || start % HUGE != 0 ||
		    next_after(all, n, start) - start < room)
			continue;
		replace(start, size, room, (all[i].p_flags & PF_X) != 0 ?
		    PROT_READ | PROT_EXEC : PROT_READ);
	}
}
#else
void
proc_huge_text(void)
{
	/* The sanitizers know where everything was loaded. */
}
#endif
