// Descriptors kept free for the kill: when the process has used up its own (RLIMIT_NOFILE), these are let go
// for as long as the kill needs them, and taken again. Opens nothing but /dev/null.
#pragma once

#include "base/fd.h"

#include <array>

namespace escort {

class Reserve {
  public:
    Reserve() { take(); }

    // While this lives the descriptors are free for others.
    class Released {
      public:
        explicit Released(Reserve& reserve) : reserve_(reserve) { reserve_.let_go(); }
        ~Released() { reserve_.take(); }
        Released(const Released&) = delete;
        Released& operator=(const Released&) = delete;

      private:
        Reserve& reserve_;
    };
    [[nodiscard]] Released release() { return Released(*this); }

  private:
    void take(); // those that can be had; the others again after the next release
    void let_go();

    // What sweep_all() says that it needs.
    std::array<Fd, 10> held_;
};

} // namespace escort
