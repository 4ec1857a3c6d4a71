// What /proc says of a process whose owner chose its names, and addresses and names as text. The first byte
// says which.
#include "fuzz.h"

#include "core/cidr.h"
#include "core/session.h"
#include "process/proc_text.h"
#include "process/terminal.h"

#include <algorithm>
#include <arpa/inet.h>

using namespace escort;

namespace {

void address(const std::string& text) {
    const auto ip = parse_ip(text);
    if (!ip) return;
    fuzz::must(text.substr(0, text.find('%')).find('\0') == std::string::npos,
               "an address is the whole text");
    char plain[INET6_ADDRSTRLEN];
    fuzz::must(inet_ntop(ip->v4 ? AF_INET : AF_INET6, ip->bytes.data(), plain, sizeof plain) != nullptr,
               "an address has a text");
    const std::string canonical(plain);
    const auto again = parse_ip(canonical);
    fuzz::must(again && again->v4 == ip->v4 && again->bytes == ip->bytes, "its text means the same address");
    fuzz::must(in_network(*ip, canonical + (ip->v4 ? "/32" : "/128")) && !in_network(*ip, canonical),
               "it is in the network of itself");
}

void network(const std::string& text) {
    const auto ip = parse_ip(text.substr(0, text.find('/')));
    if (ip && in_network(*ip, text))
        fuzz::must(text.find('/') != std::string::npos && text.find('\0') == std::string::npos,
                   "a network has a length, and is the whole text");
}

void cgroup(std::string_view text) {
    ProcessFacts facts;
    read_cgroup(text, facts);
    for (const auto* name : {&facts.cgroup, &facts.cgroup_parent})
        fuzz::must(name->find_first_of("/\n") == std::string::npos, "a folder's name is one name");
    (void)way_in(facts);
}

void terminal(std::string_view text) {
    if (is_terminal_name(text))
        fuzz::must(text.find("..") == std::string_view::npos && text.find('\0') == std::string_view::npos &&
                       text.size() <= 32,
                   "a terminal's name leads nowhere else");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto text = fuzz::text_of(data, size);
    ProcessFacts facts;
    switch (fuzz::take_choice(text)) {
    case 'c':
        cgroup(text);
        break;
    case 'u':
        (void)read_uids(text, facts);
        break;
    case 'a':
        address(std::string(text));
        break;
    case 'n':
        network(std::string(text));
        break;
    case 't':
        terminal(text);
        break;
    case 'i':
        if (const auto id = session_id(std::string(text)))
            fuzz::must(session_name(*id) == text, "a session has one name");
        break;
    case 'e':
        facts.exe = text;
        fuzz::must(facts.program().find('/') == std::string::npos, "a program's name is one name");
        break;
    default:
        if (read_stat(text, facts))
            fuzz::must(text.find('(') != std::string_view::npos, "a name has brackets");
        break;
    }
    return 0;
}
