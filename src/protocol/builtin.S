/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* data/instructions.ini as it is; INSTRUCTIONS_INI is its path. */
	.section .rodata
	.globl	instruction_builtin
	.type	instruction_builtin, %object
instruction_builtin:
	.incbin	INSTRUCTIONS_INI
.Lend:
	.size	instruction_builtin, .Lend - instruction_builtin
	.byte	0

	.balign	8
	.globl	instruction_builtin_size
	.type	instruction_builtin_size, %object
instruction_builtin_size:
#ifdef __LP64__
	.quad	.Lend - instruction_builtin
	.size	instruction_builtin_size, 8
#else
	.long	.Lend - instruction_builtin
	.size	instruction_builtin_size, 4
#endif
	.section .note.GNU-stack, "", %progbits
