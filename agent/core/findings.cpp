#include "core/findings.h"

namespace escort {

std::string Origin::text() const {
    if (candidate_ != nullptr) return text_of(candidate_->id());
    return place_->file.empty() ? "" : place_->text();
}

std::vector<Reason> Findings::reasons(const std::vector<Reason>& also) const {
    std::vector<Reason> all = reasons_;
    all.insert(all.end(), also.begin(), also.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

std::uint64_t seconds_after(std::uint64_t boot_ns, std::int64_t seconds) {
    constexpr std::uint64_t kLatest = kNever - 1;
    if (seconds <= 0) return boot_ns;
    if (boot_ns >= kLatest) return kLatest;
    const auto count = static_cast<std::uint64_t>(seconds);
    return count > (kLatest - boot_ns) / kNsPerSecond ? kLatest : boot_ns + count * kNsPerSecond;
}

std::string text_of(const ApprovalId& id) {
    return id.issuer + "#" + id.jti;
}

std::string text_of(const std::vector<std::string>& words) {
    if (words.empty()) return "none";
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

} // namespace escort
