#include "enforce/reserve.h"

#include <fcntl.h>

namespace escort {

void Reserve::take() {
    for (auto& fd : held_)
        if (!fd.valid()) fd = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

void Reserve::let_go() {
    for (auto& fd : held_)
        fd.reset();
}

} // namespace escort
