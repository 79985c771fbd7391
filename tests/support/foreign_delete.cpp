// With LibTorch's libraries in a program some calls of operator delete go to the C++ runtime's own, which frees what
// the sanitizer's operator new has given. That is no mistake of the caller's. Nor is it one to ask for more memory than
// there is: LibTorch throws then.
extern "C" char const* __asan_default_options() { return "alloc_dealloc_mismatch=0:allocator_may_return_null=1"; }
