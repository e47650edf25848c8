/* Memory that nobody may look at: under AddressSanitizer a look at it is reported, otherwise nothing happens. */
#ifndef LF_POISON_H
#define LF_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define LF_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LF_POISONS 1
#endif
#endif

/* From a multiple of 8 bytes on. */
#ifdef LF_POISONS
#include <sanitizer/asan_interface.h>
#define LF_POISON(from, size) __asan_poison_memory_region(from, size)
#define LF_UNPOISON(from, size) __asan_unpoison_memory_region(from, size)
#else
#define LF_POISON(from, size) ((void)(from), (void)(size))
#define LF_UNPOISON(from, size) ((void)(from), (void)(size))
#endif

#endif
