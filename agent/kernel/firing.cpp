#include "kernel/firing.h"

#include <bpf/bpf.h>
#include <cerrno>

namespace escort {

namespace {

std::string why(const std::string& doing, int error) {
    return fail_errno("", doing, error).value().why;
}

// The program that a link runs, by its id: a link gives no descriptor of it.
Result<Fd> program_of(int link_fd) {
    bpf_link_info link{};
    std::uint32_t size = sizeof link;
    if (bpf_obj_get_info_by_fd(link_fd, &link, &size) != 0) return fail_errno("", "ask the link", errno);
    Fd program(bpf_prog_get_fd_by_id(link.prog_id));
    if (!program.valid()) return fail_errno("", "open the program", errno);
    return program;
}

Result<std::uint64_t> runs_of(int program_fd) {
    bpf_prog_info program{};
    std::uint32_t size = sizeof program;
    if (bpf_obj_get_info_by_fd(program_fd, &program, &size) != 0)
        return fail_errno("", "ask the program", errno);
    return program.run_cnt;
}

} // namespace

Firing judge_firing(const std::string& name, std::uint64_t before, std::uint64_t after,
                    const std::string& no_statistics) {
    if (after > before) return {name, after - before};
    if (!no_statistics.empty()) return {name, 0, no_statistics};
    return {name, 0, "attached, but it did not run"};
}

FiringCount::FiringCount(const std::vector<AttachedLink>& links)
    : statistics_(bpf_enable_stats(BPF_STATS_RUN_TIME)) {
    if (!statistics_.valid()) no_statistics_ = why("the kernel does not count runs", errno);
    for (const auto& link : links) {
        Counted counted{link.name, {}};
        auto program = program_of(link.fd);
        auto before = program ? runs_of(program->get()) : tl::unexpected(program.error());
        if (before) {
            counted.program = std::move(*program);
            counted.before = *before;
        } else {
            counted.why = before.error().why;
        }
        programs_.push_back(std::move(counted));
    }
}

std::vector<Firing> FiringCount::take() const {
    std::vector<Firing> all;
    for (const auto& counted : programs_) {
        if (!counted.program.valid()) {
            all.push_back({counted.name, 0, counted.why});
            continue;
        }
        const auto after = runs_of(counted.program.get());
        all.push_back(after ? judge_firing(counted.name, counted.before, *after, no_statistics_)
                            : Firing{counted.name, 0, after.error().why});
    }
    return all;
}

} // namespace escort
