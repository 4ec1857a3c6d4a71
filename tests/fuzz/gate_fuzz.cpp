// The gate's messages, both ways: what is decoded is exactly what encoding makes.
#include "fuzz.h"

#include "gate/protocol.h"

using namespace escort;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto message = fuzz::text_of(data, size);
    if (const auto request = gate::decode_request(message)) {
        const auto again = gate::encode(*request);
        fuzz::must(again && *again == message, "a request has one encoding");
    }
    if (const auto answer = gate::decode_answer(message)) {
        const auto again = gate::encode(*answer);
        fuzz::must(again && *again == message, "an answer has one encoding");
    }
    const auto line = gate::plain_line(message, gate::kTextBytes);
    fuzz::must(line.size() <= gate::kTextBytes && gate::plain_line(line, gate::kTextBytes) == line,
               "a plain line is short, and plain already");
    fuzz::must(gate::encode(gate::GateAnswer{gate::Decision::refuse, {}, line}).has_value(),
               "an answer takes any plain line");
    return 0;
}
