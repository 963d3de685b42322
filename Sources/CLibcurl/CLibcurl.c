// The shims are all in the header; a C target needs one file to compile.
#include "CLibcurl.h"
