// The request `doctor`: children that do what the kernel programs watch, watched by the daemon's loop, and
// the answer once they are dead. Never waits, and ends after 2 s whatever they do. Decides nothing about the
// host: service/doctor_findings.h says what was seen.
#pragma once

#include "control/reply.h"
#include "service/agent.h"
#include "service/doctor_findings.h"

#include <memory>
#include <systemd/sd-event.h>
#include <vector>

namespace escort {

class Doctor {
  public:
    static constexpr std::uint64_t kPatienceUs = 2'000'000;

    // Both must outlive this.
    Doctor(const Agent& agent, sd_event* loop) : agent_(agent), loop_(loop) {}
    Doctor(const Doctor&) = delete;
    Doctor& operator=(const Doctor&) = delete;
    ~Doctor() = default;

    // One examination at a time: who asks while it runs gets its answer.
    void examine(const control::Reply& reply);

  private:
    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };
    using Source = std::unique_ptr<sd_event_source, Unref>;
    struct Patient {
        Doctor* owner = nullptr;
        Canary canary;
        CanaryResult result;
        Source source;     // none once it has ended
        bool late = false; // its examination is over: it is only reaped
    };

    void add(std::string name, bool must_die, Result<Canary> canary);
    void finish();
    [[nodiscard]] bool all_ended() const;
    static int on_end(sd_event_source* source, int fd, std::uint32_t events, void* patient);
    static int on_timeout(sd_event_source* source, std::uint64_t now, void* self);

    const Agent& agent_;
    sd_event* loop_;
    std::vector<control::Reply> replies_;
    std::unique_ptr<FiringCount> count_;
    std::vector<std::unique_ptr<Patient>> patients_;
    std::vector<std::unique_ptr<Patient>> late_;
    Source timer_;
};

} // namespace escort
