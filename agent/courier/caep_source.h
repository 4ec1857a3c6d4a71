// A transmitter of Security Event Tokens that is polled (RFC 8936): each SET goes to the spool, and is
// acknowledged once it is on the disk there.
#pragma once

#include "courier/poll.h"

#include <string>
#include <vector>

namespace escort::courier {

class CaepSource final : public Source {
  public:
    CaepSource(CaepSettings settings, const Ground& ground);

    void start() override { poll_.start(); }
    [[nodiscard]] const SourceReport& report() const override { return told_.report(); }

  private:
    [[nodiscard]] Result<HttpRequest> ask() const;
    [[nodiscard]] Next take(const HttpAnswer& answer);

    CaepSettings settings_;
    const Ground& ground_;
    std::string url_;
    Told told_;
    Poll poll_;
    std::vector<std::string> acknowledge_, refuse_; // jtis, told with the next request
    bool at_once_ = true;                           // the next answer is not to be held back
};

} // namespace escort::courier
