// The file by which the gate knows whom to ask about while the daemon is down.
#include "fuzz.h"

#include "gate/principals_file.h"

using namespace escort;
using gate::Governed;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto file = gate::read_principals(fuzz::text_of(data, size));
    if (!file) return 0;
    const auto text = gate::write_principals(*file);
    const auto again = gate::read_principals(text);
    fuzz::must(again && gate::write_principals(*again) == text, "what was read is written and read again");
    fuzz::must(again->admit_when_down == file->admit_when_down && again->timeout == file->timeout,
               "what happens when nobody answers stays");
    for (const auto& mark : file->uids) {
        fuzz::must(gate::governed(*file, "nobody-of-that-name", mark.first) >= mark.mode &&
                       gate::governed(*file, "", mark.last) >= mark.mode,
                   "a uid of a range is governed, and enforced beats observed");
        fuzz::must(mark.first != 0, "root is no principal");
    }
    for (const auto& mark : file->names)
        fuzz::must(gate::governed(*again, mark.name, std::nullopt) >= mark.mode,
                   "a name of the file is governed");
    fuzz::must(gate::governed(*file, "root", 0) == Governed::no, "root is never governed");
    return 0;
}
