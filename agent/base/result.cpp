#include "base/result.h"

#include <system_error>

namespace escort {

tl::unexpected<Error> fail_errno(std::string where, const std::string& doing, int error) {
    return fail(std::move(where), doing + ": " + std::generic_category().message(error));
}

} // namespace escort
