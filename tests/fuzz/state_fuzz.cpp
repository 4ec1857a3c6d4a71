// What the daemon keeps in its state folder and what its NSS helper tells it: files that a crash or a failing
// disk may have left odd. The first byte says which.
#include "fuzz.h"

#include "approvals/denials_file.h"
#include "approvals/state.h"
#include "nss/protocol.h"
#include "service/session_state.h"

using namespace escort;

namespace {

void memory(std::string_view text) {
    const auto read = read_memory("ledger.json", text);
    if (!read) return;
    const auto written = write_memory(*read);
    const auto again = read_memory("ledger.json", written);
    fuzz::must(again && write_memory(*again) == written && again->revoked.size() == read->revoked.size(),
               "what is remembered is written and read again");
}

void denials(std::string_view text, const fuzz::MemoryFile& file) {
    file.hold(text);
    (void)load_denials(file.path());
}

void sessions(std::string_view text, const fuzz::MemoryFile& file) {
    constexpr std::uint32_t kBoot = 7;
    file.hold(text);
    const auto state = load_session_state(file.path(), kBoot);
    if (state) fuzz::must(state->boot == kBoot, "sessions of another boot are nobody's");
}

void accounts(const std::string& line) {
    const auto answer = decode_accounts(line);
    if (!answer) return;
    const auto again = decode_accounts(encode_accounts(*answer));
    fuzz::must(again && again->accounts.size() == answer->accounts.size() &&
                   again->users.size() == answer->users.size() && again->enumerated == answer->enumerated,
               "an answer stays what it is");
    (void)merge(*answer, {});
}

void question(const std::string& line) {
    if (const auto asked = decode_question(line))
        fuzz::must(decode_question(encode_question(*asked)).has_value(), "a question stays one");
    const auto one = decode_account(line);
    (void)decode_account(encode_account(one));
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fuzz::MemoryFile file;
    auto text = fuzz::text_of(data, size);
    switch (fuzz::take_choice(text)) {
    case 'd':
        denials(text, file);
        break;
    case 's':
        sessions(text, file);
        break;
    case 't':
        (void)read_time("trusted_time.json", text);
        break;
    case 'a':
        accounts(std::string(text));
        break;
    case 'q':
        question(std::string(text));
        break;
    default:
        memory(text);
        break;
    }
    return 0;
}
