// Records of the kernel's activity ring: names and arguments are of people's choosing.
#include "fuzz.h"

#include "abi.h"
#include "kernel/activity.h"
#include "output/one_line.h"

#include <algorithm>
#include <vector>

using namespace escort;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> own(data, data + size); // its own memory: ASan sees every byte past it
    const auto record = decode_exec(std::as_bytes(std::span(own)));
    if (!record) return 0;
    std::size_t texts = record->path.size() + record->cwd.size() + record->script.size();
    for (const auto& argument : record->arguments) {
        texts += argument.size() + 1;
        fuzz::must(argument.find('\0') == std::string::npos, "an argument ends at its NUL");
    }
    const std::size_t held = size - offsetof(escort_exec, text);
    fuzz::must(texts == held || texts == held + 1, "every byte is in one text; the last NUL may be cut off");
    for (const auto* text : {&record->path, &record->cwd, &record->script})
        fuzz::must(one_line(*text).find('\n') == std::string::npos, "what is told of it is one line");
    return 0;
}
