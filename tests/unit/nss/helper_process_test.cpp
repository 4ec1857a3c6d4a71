// The test program as its own NSS helper: client_test.cpp starts it again with only this case.
#include "nss/helper.h"

#include <doctest/doctest.h>
#include <unistd.h>

TEST_CASE("nss helper process" * doctest::skip()) {
    ::_exit(escort::run_nss_helper(escort::kNssHelperFd));
}
