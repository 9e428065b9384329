/* What the runtime must find before it is entered. */
#pragma once

#include "failure.h"

/*
 * Fails when the executable has lost its end, or holds anything but the program that it was built with. `bias` is what is added to
 * the addresses of its headers.
 */
void require_whole_executable(const struct caller *caller, unsigned long bias);

/* Raises the soft limit of the address space to the hard one when it is too low; fails when that is too low, too. */
void require_address_space(const struct caller *caller);

/* Takes every variable whose name begins with BUN_JSC_ out of the environment. `stack`: see enter_runtime. */
void forget_runtime_options(unsigned long *stack);
