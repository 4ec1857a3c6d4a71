#include "service/guarded_files.h"

#include "base/contains.h"

namespace escort {

bool GuardedFolder::guards(std::string_view file) const {
    return names.empty() || contains(names, file);
}

const std::vector<GuardedFolder>& guarded_folders() {
    static const std::vector<GuardedFolder> all{
        // PID 1, udev
        {"/etc/systemd/system"},
        {"/run/systemd/system"},
        {"/etc/udev/rules.d"},
        // cron
        {"/etc/cron.d"},
        {"/etc/cron.hourly"},
        {"/etc/cron.daily"},
        {"/etc/cron.weekly"},
        {"/etc/cron.monthly"},
        {"/var/spool/cron/crontabs", {}, true},
        {"/var/spool/cron", {}, true}, // where Red Hat's cron keeps them
        // every program's loader; cron; boot; who may become whom
        {"/etc",
         {"ld.so.preload", "crontab", "anacrontab", "rc.local", "sudoers",
          // the folders themselves: another in their place would be watched by nobody
          "systemd", "udev", "cron.d", "cron.hourly", "cron.daily", "cron.weekly", "cron.monthly",
          "sudoers.d", "pam.d", "escortd"}},
        {"/etc/systemd", {"system"}},
        {"/etc/udev", {"rules.d"}},
        {"/root", {".ssh"}},
        {"/etc/escortd"},
        {"/etc/sudoers.d"},
        {"/etc/pam.d"},
        {"/root/.ssh", {"authorized_keys", "authorized_keys2"}},
    };
    return all;
}

} // namespace escort
