#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace escort {

namespace {
// libbpf's printer has no user pointer: the one piece of file-scope state that its interface forces.
thread_local std::string last_warning;

int keep(libbpf_print_level level, const char* format, va_list arguments) {
    if (level != LIBBPF_WARN) return 0;
    char line[300];
    const int length = std::vsnprintf(line, sizeof line, format, arguments);
    if (length <= 0) return 0;
    // Where an object can't be loaded that is said last, and why before it.
    if (std::string_view(line).starts_with("libbpf: failed to load ")) return 0;
    std::string text(line);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    // A verifier's log is many lines; the last one says why.
    if (!text.empty())
        last_warning = text.substr(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
    return 0;
}
} // namespace

LibbpfLog::LibbpfLog() {
    last_warning.clear();
    libbpf_set_print(keep);
}
LibbpfLog::~LibbpfLog() {
    libbpf_set_print(nullptr);
}

std::string LibbpfLog::last() const {
    return last_warning.empty() ? "" : "(" + last_warning + ")";
}

} // namespace escort
