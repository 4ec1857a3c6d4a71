// Answers the PAM gate: who logs in, by which way, with what proof; then the verdict, before the login goes
// on.
//
//   account   everything that can be known then is judged; a refusal reaches the person, and nothing has
//   begun open      the same again; the login process gets the session's label, so that what it forks is in
//   the session session   the same again, with the key or certificate that was proven
//
// Trusts the module with nothing that the kernel can say: the process, its way in and its peer are looked up
// here.
#pragma once

#include "gate/server.h"
#include "service/agent.h"

#include <string>

namespace escort {

class Gatekeeper {
  public:
    // `agent` must outlive this, and its `sessions` must be there.
    explicit Gatekeeper(Agent& agent) : agent_(agent) {}

    void ask(const gate::GateRequest& request, gate::GateLogin login, const gate::GateReply& reply);

  private:
    [[nodiscard]] gate::GateAnswer decide(const gate::GateRequest& request, const gate::GateLogin& process,
                                          const Governed& governed);
    [[nodiscard]] gate::GateAnswer inside(const gate::GateRequest& request, const Login& login,
                                          const Session& session);
    [[nodiscard]] gate::GateAnswer user_manager(const gate::GateRequest& request, const Login& login);
    [[nodiscard]] gate::GateAnswer refuse(const Login& login, Verdict verdict);
    [[nodiscard]] std::uint32_t runtime_max(const Login& login, const Verdict& verdict,
                                            std::uint64_t opened_boot_ns);
    [[nodiscard]] Login describe(const gate::GateRequest& request, const gate::GateLogin& process,
                                 const Governed& governed) const;

    Agent& agent_;
};

} // namespace escort
