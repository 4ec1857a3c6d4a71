// Lines of the control socket, both ways. First byte 'a': an answer, as escortctl reads it; else a request,
// as anybody who may connect sends it.
#include "fuzz.h"

#include "control/protocol.h"

#include "output/one_line.h"

using namespace escort;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto line = fuzz::text_of(data, size);
    if (fuzz::take_choice(line) == 'a') {
        const auto answer = control::decode_answer(line);
        const auto again = answer ? control::encode_result(*answer) : control::encode_failure(answer.error());
        fuzz::must(again.find('\n') == again.size() - 1, "an answer is one line");
        const auto same = control::decode_answer(again.substr(0, again.size() - 1));
        fuzz::must(same.has_value() == answer.has_value(), "an answer stays what it is");
        return 0;
    }
    const auto call = control::decode_call(line);
    if (!call) {
        fuzz::must(call.error().code == control::Exit::usage, "a wrong request is wrong usage");
        return 0;
    }
    const auto again = control::encode_call(*call);
    fuzz::must(again.find('\n') == again.size() - 1, "a request is one line");
    const auto same = control::decode_call(again.substr(0, again.size() - 1));
    fuzz::must(same && same->name == call->name && same->params == call->params,
               "a request stays what it is");
    const auto told = one_line(call->name);
    fuzz::must(told.find_first_of("\n\r\033") == std::string::npos, "what is told of it is one line");
    return 0;
}
