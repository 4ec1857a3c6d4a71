// `restrict.user_manager: deny`: no systemd --user for these accounts. Done by masking user@UID.service, at
// which logind starts no manager and says nothing: a login works without a delay, keeps its runtime
// directory, and leaves no failed unit and no start limit behind. Kills nothing itself but a manager that
// already runs.
#pragma once

#include "logind/bus.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>

namespace escort {

struct UserManagerPaths {
    std::string units = "/run/systemd/system";           // where the masks are made; gone at a reboot
    std::string record = "/run/escortd/masked-managers"; // which of them are ours; its folder must be there
};

// A mask is a symbolic link to /dev/null (systemd.unit(5)). The masks stay when the agent stops; another's is
// neither counted as ours nor removed. The record is written before a mask is made: one that a crash
// leaves without its mask does no harm. With the record lost, masks stay until the next boot.
class UserManagers {
  public:
    // `bus` must outlive this, and be started after this was made.
    explicit UserManagers(Bus& bus, UserManagerPaths paths = {});
    UserManagers(const UserManagers&) = delete;
    UserManagers& operator=(const UserManagers&) = delete;

    // Exactly these accounts have none from now on; uid 0 is left out. Error: a mask or the record can't be
    // written; as many as possible are there then. PID 1 notices a mask by itself, but for units that
    // it has loaded: then it is asked to reload, and to stop the managers that run (on_error tells of
    // failures; asked again at the next call and when the bus comes).
    [[nodiscard]] Status set(const std::set<std::uint32_t>& uids);

    std::function<void(const Error&)> on_error;

    // Removes every mask of the record, for a package's removal.
    [[nodiscard]] static Status remove_all(const UserManagerPaths& paths);

  private:
    [[nodiscard]] Status write_masks(const std::set<std::uint32_t>& uids);
    void look();
    void take_units(Result<MessageReader> answer);
    void reload(std::set<std::uint32_t> running);
    void stop(const std::set<std::uint32_t>& running);
    void report(const Error& error) const;

    Bus& bus_;
    UserManagerPaths paths_;
    std::set<std::uint32_t> wanted_;
    std::set<std::uint32_t> unmasked_; // by us, and PID 1 may still have them loaded as masked
    bool known_ = false;               // set() was called
};

} // namespace escort
