#include "courier/source.h"

#include "base/clock.h"
#include "base/moment.h"
#include "courier/answer.h"

#include <algorithm>
#include <fmt/format.h>

namespace escort::courier {

namespace {

std::uint64_t in_ms(std::uint64_t ms) {
    return ms == 0 ? 0 : boot_ns() + ms * (kNsPerSecond / 1000);
}

} // namespace

void Told::works(std::uint64_t next_try_ms) {
    report_.state = SourceState::working;
    report_.last_success_ns = boot_ns();
    report_.failing_since_ns = 0;
    report_.next_try_ns = in_ms(next_try_ms);
    ground_.report_changed();
}

void Told::fails(std::string_view why, std::uint64_t next_try_ms) {
    report_.state = SourceState::failing;
    if (report_.failing_since_ns == 0) report_.failing_since_ns = boot_ns();
    report_.next_try_ns = in_ms(next_try_ms);
    report_.last_error = report_text(why);
    ground_.report_changed();
}

void Told::remarks(std::string_view why) {
    report_.last_error = report_text(why);
    ground_.report_changed();
}

bool Told::may_take() {
    const std::uint64_t now = boot_ns();
    if (allowance_ns_ != 0)
        allowance_ = std::min(kAtOnce, allowance_ + kEachSecond * static_cast<double>(now - allowance_ns_) /
                                                        static_cast<double>(kNsPerSecond));
    allowance_ns_ = now;
    if (allowance_ < 1) return false;
    allowance_ -= 1;
    return true;
}

void Told::took(std::string_view document, bool is_new) {
    if (is_list(document)) report_.last_list_ns = boot_ns();
    if (is_new) report_.documents++;
    ground_.report_changed();
}

Status hand_over(const Ground& ground, Told& told, const std::vector<std::string>& documents,
                 Handover::Durable durable) {
    for (const auto& document : documents) {
        if (!told.may_take())
            return fail("documents",
                        fmt::format("more than {} a second: the rest must wait", Told::kEachSecond));
        const auto put = ground.handover->put(document, durable);
        if (!put) return tl::unexpected(put.error());
        told.took(document, *put);
    }
    return {};
}

} // namespace escort::courier
