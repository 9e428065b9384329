/* Goes on with the program that the front was put in front of. */
#pragma once

/* Never returns. `stack` is where the kernel put argc, argv, envp and auxv. */
__attribute__((noreturn)) void enter_runtime(unsigned long *stack);
