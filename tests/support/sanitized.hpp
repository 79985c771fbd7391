#pragma once

// Whether the program is under a sanitizer that has functions of its own in front of the C library's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define AUTOTUNENET_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define AUTOTUNENET_SANITIZED
#endif
#endif
