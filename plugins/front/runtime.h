/* Goes on with the program that the front was put in front of. */
#pragma once

#include "failure.h"

/* Never returns. `stack` is where the kernel put argc, argv, envp and auxv; `caller` hears of it when it cannot be entered. */
__attribute__((noreturn)) void enter_runtime(unsigned long *stack, const struct caller *caller);
