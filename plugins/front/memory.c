/* What the compiler calls without being asked. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i += 1) ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
  return to;
}

void *memset(void *at, int value, size_t size) {
  for (size_t i = 0; i < size; i += 1) ((unsigned char *)at)[i] = (unsigned char)value;
  return at;
}
