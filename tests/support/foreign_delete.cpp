// With LibTorch's libraries in a program some calls of operator delete go to the C++ runtime's own, which frees what
// the sanitizer's operator new has given. That is no mistake of the caller's.
extern "C" char const* __asan_default_options() { return "alloc_dealloc_mismatch=0"; }
