// NSS look-ups for a single-threaded event loop: asked of a helper process, answered by callback, with a time
// limit after which the helper is killed. Never blocks; knows nothing of policies.
#pragma once

#include "base/own_program.h"
#include "nss/child.h"
#include "nss/protocol.h"

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <systemd/sd-event.h>

namespace escort {

struct NssClientOptions {
    std::string program = kOwnProgram;
    std::vector<std::string> arguments{"escortd", "--nss-helper"}; // argv
    std::uint64_t timeout_us = 2'000'000;                          // from sending a request to its answer
};

// Requests are answered one after the other, names before accounts before uids; a helper that hangs, ends or
// doesn't answer with one line costs the request in flight (its callback gets an error) and is replaced for
// the next. Callbacks run from the loop, never from within a call, and must not destroy the client; those
// still waiting when it is destroyed are dropped.
class NssClient {
  public:
    template <typename T>
    using Answer = std::function<void(Result<T>)>;

    explicit NssClient(sd_event* loop, NssClientOptions options = {});
    NssClient(const NssClient&) = delete;
    NssClient& operator=(const NssClient&) = delete;
    ~NssClient();

    void accounts(const AccountsQuestion& question, Answer<AccountsAnswer> answer);
    // Nothing: there is no such account. An error: the look-up failed, nobody can say.
    void by_uid(std::uint32_t uid, Answer<std::optional<Account>> answer);
    void by_name(const std::string& name, Answer<std::optional<Account>> answer);

  private:
    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };
    using Source = std::unique_ptr<sd_event_source, Unref>;
    struct Request {
        int rank = 0; // lower ones first
        std::string line;
        std::function<void(Result<std::string>)> done;
    };
    struct Dying {
        Child child;
        Source source;
    };

    static int on_pump(sd_event_source* source, void* self);
    static int on_socket(sd_event_source* source, int fd, std::uint32_t events, void* self);
    static int on_timeout(sd_event_source* source, std::uint64_t now, void* self);
    static int on_end(sd_event_source* source, int fd, std::uint32_t events, void* self);

    void ask(const NssQuestion& question, std::function<void(Result<std::string>)> done);
    void pump_later();
    void pump();
    [[nodiscard]] Status start_helper();
    [[nodiscard]] Status send_some();
    [[nodiscard]] Status receive_some();
    void finish(Result<std::string> result);
    void give_up(const Error& error);
    void drop_helper();

    sd_event* loop_;
    NssClientOptions options_;
    std::deque<Request> waiting_; // the front one is in flight where in_flight_
    bool in_flight_ = false;
    std::string unsent_;
    std::string received_;
    std::optional<Child> helper_;
    Source socket_source_;
    Source timer_;
    Source pump_;
    std::list<Dying> dying_; // killed, not reaped yet: a process in an uninterruptible wait may take its time
};

} // namespace escort
