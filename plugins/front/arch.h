/* What differs between processors: how to call the kernel, how a process begins, how the runtime is entered. */
#pragma once

#if defined(__x86_64__)

/* Source: Documentation/arch/x86/entry_64.rst; System V ABI AMD64, A.2.1. Returns the result, or -errno. */
static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* Calls `front` with the address of argc, argv, envp and auxv. Source: System V ABI AMD64, 3.4.1. */
#define START                    \
  ".globl _start\n"              \
  ".type _start, @function\n"    \
  "_start:\n"                    \
  "  xor %ebp, %ebp\n"           \
  "  mov %rsp, %rdi\n"           \
  "  and $-16, %rsp\n"           \
  "  call front\n"

/* As the kernel enters a program: `stack` holds argc and what follows it; nothing is to be called at exit. */
__attribute__((noreturn)) static inline void enter(const void *stack, unsigned long entry) {
  __asm__ volatile("mov %0, %%rsp\n"
                   "xor %%edx, %%edx\n"
                   "xor %%ebp, %%ebp\n"
                   "jmp *%1"
                   :
                   : "c"(stack), "a"(entry)
                   : "memory");
  __builtin_unreachable();
}

#elif defined(__aarch64__)

/* Source: arch/arm64/kernel/entry.S, el0_svc. Returns the result, or -errno. */
static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

#define START                    \
  ".globl _start\n"              \
  ".type _start, %function\n"    \
  "_start:\n"                    \
  "  mov x29, #0\n"              \
  "  mov x30, #0\n"              \
  "  mov x0, sp\n"               \
  "  bl front\n"

__attribute__((noreturn)) static inline void enter(const void *stack, unsigned long entry) {
  register long x0 __asm__("x0") = 0;
  __asm__ volatile("mov sp, %0\n"
                   "mov x29, #0\n"
                   "mov x30, #0\n"
                   "br %1"
                   :
                   : "r"(stack), "r"(entry), "r"(x0)
                   : "memory");
  __builtin_unreachable();
}

#else
#error "no front for this processor"
#endif
